import { randomBytes } from 'node:crypto';
import { AppContainer, isKnownImage } from './coolify-container.js';

/** How a stand-in behaves; what takes minutes at a real one takes milliseconds here. */
export interface CoolifyTimes {
  /** Until a deployment or a stop has been carried out. */
  readonly workMs: number;
  /** Until the status of an application follows its container. */
  readonly lagMs: number;
  readonly queueLimit: number;
  readonly concurrentBuilds: number;
}

export interface EnvRow {
  key: string;
  value: string;
  is_literal: boolean;
  is_preview: boolean;
  readonly uuid: string;
  readonly id: number;
}

export interface AppRow {
  readonly id: number;
  readonly uuid: string;
  readonly projectUuid: string;
  readonly destinationUuid: string;
  readonly fields: { docker_registry_image_tag?: string; health_check_enabled?: boolean; health_check_path?: string } & Record<string, unknown>;
  status: string;
  fqdn: string | null;
  readonly envs: EnvRow[];
  readonly volumes: string[];
  readonly createdAt: string;
}

export interface DeploymentRow {
  readonly id: number;
  readonly uuid: string;
  readonly appUuid: string;
  status: 'queued' | 'in_progress' | 'finished' | 'failed' | 'cancelled-by-user';
  readonly log: { output: string; hidden: boolean; type: string }[];
}

/** As new_public_id() makes them: 24 letters and digits. */
export const publicId = (): string => randomBytes(12).toString('hex');

/** What a Coolify knows, and what really runs on its server, which can differ. */
export class CoolifyState {
  readonly projects = new Map<string, { uuid: string; id: number; name: string; description: string | null; environments: { uuid: string; id: number; name: string }[] }>();
  readonly destinations = new Map<string, { uuid: string; name: string; network: string }>();
  readonly apps = new Map<string, AppRow>();
  readonly deployments: DeploymentRow[] = [];
  /** By the uuid of the application. */
  readonly containers = new Map<string, AppContainer>();
  readonly volumes = new Set<string>();
  /** Whether Coolify gets through to its server. */
  isReachable = true;
  /** How often somebody had the server pruned. */
  prunes = 0;
  /** Deployments stay in the queue meanwhile. */
  isHeld = false;
  private readonly timers = new Set<NodeJS.Timeout>();
  private ids = 0;

  constructor(readonly times: CoolifyTimes) {}

  nextId(): number {
    return ++this.ids;
  }

  /** null: the queue is full. */
  queue(app: AppRow): { told: string; message: string } | null {
    const active = this.deployments.filter((d) => d.status === 'queued');
    if (active.length >= this.times.queueLimit) return null;
    const told = publicId();
    if (this.deployments.some((d) => d.appUuid === app.uuid && (d.status === 'queued' || d.status === 'in_progress'))) {
      // The controller answers with the id that it made, not with that of the deployment which is there.
      return { told, message: 'Deployment already queued for this commit.' };
    }
    this.deployments.push({ id: this.nextId(), uuid: told, appUuid: app.uuid, status: 'queued', log: [] });
    this.pump();
    return { told, message: `Application ${String(app.fields['name'])} deployment queued.` };
  }

  pump(): void {
    for (const next of this.deployments.filter((d) => d.status === 'queued')) {
      const building = this.deployments.filter((d) => d.status === 'in_progress');
      if (this.isHeld || building.length >= this.times.concurrentBuilds || building.some((d) => d.appUuid === next.appUuid)) continue;
      next.status = 'in_progress';
      this.later(this.times.workMs, () => this.deploy(next));
    }
  }

  stop(app: AppRow): void {
    this.later(this.times.workMs, async () => {
      if (!this.isReachable) return;
      await this.takeDown(app.uuid);
      app.status = 'exited:unhealthy';
    });
  }

  /** The row goes whether or not the container could be removed. */
  remove(app: AppRow, volumes: boolean): void {
    this.later(this.times.workMs, async () => {
      if (this.isReachable) {
        await this.takeDown(app.uuid);
        if (volumes) for (const volume of app.volumes) this.volumes.delete(volume);
      }
      this.apps.delete(app.uuid);
    });
  }

  async close(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    for (const uuid of [...this.containers.keys()]) await this.takeDown(uuid);
  }

  private async takeDown(uuid: string): Promise<void> {
    const container = this.containers.get(uuid);
    this.containers.delete(uuid);
    await container?.stop();
  }

  private async deploy(deployment: DeploymentRow): Promise<void> {
    const say = (output: string, hidden = false) => void deployment.log.push({ output, hidden, type: 'stdout' });
    const app = this.apps.get(deployment.appUuid);
    if (deployment.status !== 'in_progress') return this.pump();
    const image = `${String(app?.fields['docker_registry_image_name'])}:${app?.fields.docker_registry_image_tag ?? 'latest'}`;
    say(`Starting deployment of ${image} to localhost.`);
    try {
      if (!app || !this.isReachable) throw new Error('Server is not reachable.');
      const env = runtimeEnv(app);
      say(`Writing .env: ${Object.entries(env).map(([k, v]) => `${k}=${v}`).join(' ')}`, true);
      say('Application has ports mapped to the host system, rolling update is not supported.');
      await this.takeDown(app.uuid);
      say('Pulling latest images from the registry.');
      if (!isKnownImage(image)) throw new Error(`Failed to start container: manifest for ${image} not found: manifest unknown (greeting ${env['GREETING'] ?? 'none'})`);
      const container = new AppContainer();
      await container.start({ image, env, hostPort: Number(String(app.fields['ports_mappings']).split(':')[0]) }).catch((error: Error) => {
        throw new Error(`Failed to start container: ${error.message}`);
      });
      this.containers.set(app.uuid, container);
      say('New container started.');
      deployment.status = 'finished';
      const { health_check_enabled: checked, health_check_path: path } = app.fields;
      this.later(this.times.lagMs, () => void (app.status = this.containers.get(app.uuid)?.status(checked ? (path ?? '/') : undefined) ?? 'exited:unhealthy'));
    } catch (error) {
      say(`Deployment failed: ${(error as Error).message}`);
      deployment.status = 'failed';
    }
    this.pump();
  }

  private later(ms: number, work: () => unknown): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      void work();
    }, ms);
    this.timers.add(timer);
  }
}

/** KEY='value' in an env file, as EnvironmentVariable and compose make and read it: a quote within ends the value. */
function runtimeEnv(app: AppRow): Record<string, string> {
  const env: Record<string, string> = { PORT: String(app.fields['ports_exposes']), HOST: '0.0.0.0' };
  for (const { key, value, is_literal, is_preview } of app.envs) {
    if (is_preview) continue;
    const trimmed = value.trim();
    env[key] = /^[{[]/.test(trimmed) || !is_literal ? trimmed.replace(/\s#.*$/, '').replace(/\$\{?\w+\}?/g, '') : trimmed.split("'")[0]!;
  }
  return env;
}
