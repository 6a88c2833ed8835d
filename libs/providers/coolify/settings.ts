import type { WordPressImage } from '../wordpress-config.js';

/** How to reach a Coolify, and how it is used. */
export interface CoolifySettings {
  /** Name of this plane: the mark that tells our resources from all others. */
  readonly plane: string;
  /** For example https://coolify.example.com; the path /api/v1 may be left out. */
  readonly url: string;
  /** With the permissions read, write, deploy and read:sensitive. */
  readonly token: string;
  /** Needed only where the Coolify has several servers. */
  readonly serverUuid?: string | undefined;
  /** One destination (network) for all projects; without it each project gets its own. */
  readonly destinationUuid?: string | undefined;
  /** Where the edge reaches the server's ports; without it the server's own address. */
  readonly serverAddress?: string | undefined;
  /** Ports of the server that apps may be published on. */
  readonly ports: PortRange;
  readonly appLimits: ContainerLimits;
  readonly wordpress: WordPressImage;
  /** The server that each WordPress has for itself. */
  readonly database: DatabaseImage;
  /** How long an app may take to become healthy once it is deployed. */
  readonly healthyWithinMs: number;
  /** How long a deployment, or the start of a service, may take, with its time in the queue and that of fetching images. */
  readonly deployedWithinMs: number;
  /** How long a stop or a deletion may take. */
  readonly settledWithinMs: number;
  /** How long one request may take. */
  readonly callMs: number;
  /** How often a request is sent until it is given up. */
  readonly attempts: number;
  /** Pause before the second attempt; it doubles. */
  readonly pauseMs: number;
  /** First and longest pause between two looks at what Coolify works on. */
  readonly lookMs: readonly [number, number];
  readonly requestsPerMinute: number;
}

/** `pids` can be said of services alone. */
export interface ContainerLimits {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
}

export interface DatabaseImage {
  readonly image: string;
  /** uid:gid, never root. */
  readonly user: string;
  readonly limits: ContainerLimits;
}

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export const defaultSettings = {
  ports: { first: 20_000, last: 29_999 },
  appLimits: { memoryBytes: 512 * 1024 * 1024, cpus: 1, pids: 256 },
  healthyWithinMs: 60_000,
  deployedWithinMs: 600_000,
  settledWithinMs: 120_000,
  callMs: 30_000,
  attempts: 5,
  pauseMs: 500,
  lookMs: [500, 3_000],
  // Coolify takes 200 a minute of a token (config/api.php): some are left to whoever else uses it.
  requestsPerMinute: 180,
} as const;
