import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import type { SiteStorage } from './site-storage.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';

export type Power = 'running' | 'stopped';

/** What a workload needs that no spec may hold; opened by the vault for this one call and never written down. */
export interface WorkloadSecrets {
  /** Values of the app's environment, by the name of the variable. */
  readonly env: Readonly<Record<string, string>>;
  /** Of the WordPress database's user. */
  readonly databasePassword?: string;
  /** Of the WordPress administrator. */
  readonly adminPassword?: string;
}

/** For what needs none. */
export const noSecrets: WorkloadSecrets = { env: {} };

/** What a runtime finds of one site. `specHash` is that of the spec it was last made from. */
export interface ObservedWorkload {
  readonly siteId: string;
  readonly projectId: string;
  readonly power: Power;
  readonly healthy: boolean;
  readonly specHash: string;
  readonly target: Target;
}

/** What is taken away of a site. */
export interface WorkloadRemoval {
  readonly siteId: string;
  readonly projectId: string;
  /** Whose volumes it has; empty: its own. */
  readonly dataId?: string;
  readonly keepData: boolean;
}

/** A command to be run inside of a site's workload. */
export interface WorkloadCommand {
  readonly argv: readonly string[];
  /** All that the command can read; secrets go here, for `argv` can be seen by others. */
  readonly stdin: string;
}

/** How a command ended, and what it said. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In what runtimes differ: asked for here, never by their name. */
export interface RuntimeFeatures {
  /** Kinds of site it can run. */
  readonly kinds: readonly ('static' | 'app' | 'wordpress')[];
  /** Whether a workload takes the address that its project leased to it; else it is a folder that the edge serves, or has a port of a server. */
  readonly addresses: boolean;
  /** Whether a WordPress has its database within its workload and is installed before that is healthy: `ensure` is handed both passwords. */
  readonly installs: boolean;
}

/**
 * What runs sites on a host.
 *
 * Every verb may be called twice, at once, or again after a crash half-way: the outcome is that of one call. A verb that returns has
 * confirmed its effect. A verb that fails throws a ProviderError and may leave a part behind: `remove` takes away whatever is there.
 * Only resources that bear this plane's labels are seen or touched.
 */
export interface SiteRuntime {
  readonly name: string;
  readonly features: RuntimeFeatures;

  /** What it can do with its sites' data; absent: nothing. */
  readonly storage?: SiteStorage;

  /** Takes the project's room away, which came with its first workload. Fails, not retryable, while workloads are in it. One that is not there is fine. */
  removeHome(projectId: string, signal?: AbortSignal): Promise<void>;

  /**
   * Makes the site run (or stand still, by `spec.power`) as the spec says, and answers where it is reached once it is healthy.
   * An existing workload with the same spec is kept as it is. With a new release or spec that does not become healthy, the old one keeps serving.
   */
  ensure(spec: WorkloadSpec, signal?: AbortSignal, secrets?: WorkloadSecrets): Promise<Target>;

  /** Nothing of the site is left; with `keepData` its volumes and releases stay. A site that is not there is fine. */
  remove(site: WorkloadRemoval, signal?: AbortSignal): Promise<void>;

  /**
   * Runs a command inside of a running site, as the user that the site runs as, and returns once it has ended. It goes on when the caller
   * is killed. Absent where nothing can be run inside.
   */
  run?(siteId: string, command: WorkloadCommand, signal?: AbortSignal): Promise<CommandResult>;

  /** What is there of the site now, or undefined. */
  observe(siteId: string, signal?: AbortSignal): Promise<ObservedWorkload | undefined>;

  /** Everything of this plane that is there. */
  list(signal?: AbortSignal): Promise<readonly ObservedWorkload[]>;
}
