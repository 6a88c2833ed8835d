import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { APPS } from '#eventstore/apps.js';
import { migrate } from '#eventstore/migrate.js';
import { connectBus } from '#messaging/connection.js';
import { renderNatsConfig } from '#messaging/nats-config.js';
import { setupBus } from '#messaging/setup.js';
import { BUS_USERS } from '#messaging/subjects.js';
import { busUrls, databaseUrls, environmentOf, type Secrets } from './addresses.js';
import { credentials, writePrivate } from './credentials.js';
import { Daemon, type DaemonSpec } from './daemon.js';
import { isolate, viewFor, type Isolation } from './isolation.js';
import { startNats } from './nats.js';
import { findNatsServer } from './nats-server.js';
import { assertPlanePorts } from './plane-ports.js';
import { startPostgres } from './postgres.js';
import type { Say } from './say.js';
import { apiUrl, appRuntime, dockerAddress, readSettings, vaultFolder, type Settings } from './settings.js';

export interface PlaneOptions {
  /** What a person configured; see settings.ts and each app's configuration. */
  readonly env: NodeJS.ProcessEnv;
  readonly adminToken: string;
  readonly say: Say;
  /** Server settings of the embedded PostgreSQL beside the launcher's own. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
}

/** Addresses of the servers for an administrator. */
export interface Servers {
  readonly databaseUrl: string;
  readonly natsUrl: string;
}

/** Where a running plane keeps them for operate.ts, readable by its user alone. */
export const serversFile = (folder: string): string => join(folder, 'servers.json');

/** The folder of compiled code, whether this file runs from it or as source beside it. */
const PROJECT = join(import.meta.dirname.replace(/[\\/]dist([\\/]infra[\\/]start)$/, '$1'), '../..');
const CODE = join(PROJECT, 'dist');

/** Of a process' memory, what V8 may give to the newly made: left to itself it takes three times 16 MB after a burst of work, and keeps them. */
const YOUNG_MB = 4;

/** The whole plane on this machine: the servers that it brings itself, the control plane, the provisioner. */
export class Plane {
  readonly settings: Settings;
  readonly apiUrl: string;
  /** As administrator, once started. */
  databaseUrl = '';
  natsUrl = '';
  /** In the order in which they were started; no PostgreSQL or NATS where somebody else's are used. */
  readonly daemons: Daemon[] = [];
  private readonly home;
  private isLeaving = false;

  constructor(private readonly options: PlaneOptions) {
    this.settings = readSettings(options.env);
    this.apiUrl = apiUrl(this.settings);
    this.home = { folder: this.settings.HOSTPLANE_DATA, tell: (line: string) => options.say.warn(line) };
  }

  /** Returns once it is ready for requests. When a part cannot start, those before it are stopped again and the error says why. */
  async start(): Promise<void> {
    mkdirSync(this.home.folder, { recursive: true, mode: 0o711 });
    await assertPlanePorts(this.settings);
    const isolation = this.isolateControlPlane();
    const secrets = credentials(this.home.folder, { postgres: ['admin', ...APPS], nats: BUS_USERS });
    try {
      await this.bringDatabase(secrets);
      await this.bringBus(secrets);
      await this.bringProcesses({ ...databaseUrls(this.databaseUrl, secrets), ...busUrls(this.natsUrl, secrets, this.settings.NATS_URL ? this.options.env : undefined) }, await isolation);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends everything in reverse order, each part within its time. */
  async stop(): Promise<void> {
    this.isLeaving = true;
    for (const daemon of [...this.daemons].reverse()) await daemon.stop();
    rmSync(serversFile(this.home.folder), { force: true });
  }

  /** Ends everything at once. */
  kill(): void {
    for (const daemon of this.daemons) daemon.kill('SIGKILL');
  }

  /** One of postgres, nats, control-plane and provisioner. */
  daemon(name: string): Daemon {
    const found = this.daemons.find((daemon) => daemon.name === name);
    if (!found) throw new Error(`${name} was not started by this plane.`);
    return found;
  }

  private async bringDatabase(secrets: Secrets): Promise<void> {
    const { settings, home } = this;
    const step = this.options.say.step('PostgreSQL');
    let detail = 'the one that DATABASE_URL names';
    if (settings.DATABASE_URL) {
      this.databaseUrl = settings.DATABASE_URL;
    } else {
      step.note(existsSync(join(home.folder, 'postgres')) ? 'starting' : 'making its data folder');
      const { postgresSettings } = this.options;
      const embedded = await startPostgres({ home, password: secrets.postgres.admin, port: settings.HOSTPLANE_POSTGRES_PORT ?? 0, ...(postgresSettings && { settings: postgresSettings }) });
      await this.adopt(embedded.daemon);
      this.databaseUrl = embedded.adminUrl;
      detail = `${embedded.version}, its own, port ${embedded.port}, data in ${embedded.folder}`;
    }
    step.note('bringing the log up to date');
    await migrate({ adminUrl: this.databaseUrl, passwords: secrets.postgres });
    step.done(detail);
  }

  private async bringBus(secrets: Secrets): Promise<void> {
    const { settings, home } = this;
    const step = this.options.say.step('NATS');
    const hosts = [settings.HOSTPLANE_HOST_ID];
    let detail = 'the one that NATS_URL names';
    if (settings.NATS_URL) {
      this.natsUrl = settings.NATS_URL;
    } else {
      const server = await findNatsServer({ configured: settings.HOSTPLANE_NATS_SERVER, tell: (line) => step.note(line) });
      step.note('starting');
      const embedded = await startNats({ home, server, port: settings.HOSTPLANE_NATS_PORT ?? 0, config: (place) => renderNatsConfig({ ...place, passwords: secrets.nats, hosts }) });
      await this.adopt(embedded.daemon);
      this.natsUrl = `nats://admin:${secrets.nats.admin}@127.0.0.1:${embedded.port}`;
      detail = `${server.version} (${server.from}), its own, port ${embedded.port}`;
    }
    step.note('bringing the streams up to date');
    const tell = (line: string) => this.options.say.warn(line);
    const connection = await connectBus({ url: this.natsUrl, name: 'launcher' }, { log: () => undefined, warn: tell, error: tell });
    writePrivate(serversFile(home.folder), { databaseUrl: this.databaseUrl, natsUrl: this.natsUrl } satisfies Servers);
    await setupBus(connection, { hosts, ackWaitMs: settings.HOSTPLANE_REDELIVERY_SECONDS * 1000, maxDeliveries: settings.HOSTPLANE_DELIVERIES }).finally(() => connection.close());
    step.done(detail);
  }

  /** Of the data folder, the control plane keeps uploads and the vault's keys, and needs nothing else. */
  private isolateControlPlane(): Promise<Isolation> {
    const { env } = this.options;
    const vault = vaultFolder(this.settings);
    mkdirSync(vault, { recursive: true, mode: 0o700 });
    const writable = [vault, join(this.home.folder, 'content'), ...compileCache(env), ...(env['HOSTPLANE_FAULTS'] ? [env['HOSTPLANE_FAULTS']] : [])];
    for (const folder of writable) mkdirSync(folder, { recursive: true, mode: 0o755 });
    return isolate(viewFor(this.home.folder, env, { shown: [PROJECT], writable }));
  }

  private async bringProcesses(urls: Readonly<Record<string, string>>, isolation: Isolation): Promise<void> {
    const { env, adminToken } = this.options;
    const { HOSTPLANE_HOST_ID: host, HOSTPLANE_DATA } = this.settings;
    const docker = env['HOSTPLANE_DOCKER'] === 'off' ? undefined : dockerAddress(env);
    const said = 'words' in isolation ? 'masked' : `not possible: ${isolation.reason}`;
    const controlPlane = this.launch({
      ...nodeProcess('control-plane', 'words' in isolation ? isolation.words : []),
      env: {
        ...environmentOf(env, urls, ['api-gateway', 'lifecycle', 'domains', 'secrets', 'relay']), HOSTPLANE_DATA, HOSTPLANE_VAULT_DIR: vaultFolder(this.settings), HOSTPLANE_ADMIN_TOKEN: adminToken, HOSTPLANE_ISOLATION: said, HOSTPLANE_APP_RUNTIME: appRuntime(env),
        ...Object.fromEntries(compileCache(env).map((folder) => ['NODE_COMPILE_CACHE', folder])),
      },
      isReady: async (_, hasSaidSo) => hasSaidSo && (await isHealthy(this.apiUrl)),
    });
    const provisioner = this.launch({
      ...nodeProcess('provisioner'),
      env: { HOSTPLANE_EDGE_STAYS: 'no', ...environmentOf(env, urls, ['provisioner']), HOSTPLANE_DATA, ...(env['DOCKER_HOST'] && { DOCKER_HOST: env['DOCKER_HOST'] }) },
      isReady: (_, hasSaidSo) => Promise.resolve(hasSaidSo),
    });
    await this.show('control plane', `${this.apiUrl}, the engine's socket out of its reach: ${said}`, controlPlane);
    await this.show('provisioner', docker ? `host ${host}, Docker Engine at ${docker}` : `host ${host}, no Docker Engine: ${appRuntime(env) === 'coolify' ? 'apps and WordPress at Coolify' : 'static sites only'}`, provisioner);
  }

  /** Both processes start at once: neither waits for the other. */
  private launch(spec: DaemonSpec): Promise<void> {
    if (this.isLeaving) throw new Error('Stopped while it was starting.');
    const daemon = new Daemon(spec, this.home);
    this.daemons.push(daemon);
    const started = daemon.start();
    started.catch(() => undefined);
    return started;
  }

  private async show(name: string, detail: string, started: Promise<void>): Promise<void> {
    const step = this.options.say.step(name);
    step.note('starting');
    await started;
    step.done(detail);
  }

  /** Somebody may have asked to stop while it was starting. */
  private async adopt(daemon: Daemon): Promise<void> {
    this.daemons.push(daemon);
    if (!this.isLeaving) return;
    await daemon.stop();
    throw new Error('Stopped while it was starting.');
  }
}

/** One of those that bundle.mjs makes. `before`: words in front of the command, which become it. */
function nodeProcess(name: string, before: readonly string[] = []): Omit<DaemonSpec, 'isReady'> {
  // Who may signal a process could otherwise open its debugger, and speak with its voice.
  const [command, ...args] = [...before, process.execPath, '--disable-sigusr1', `--max-semi-space-size=${YOUNG_MB}`, join(CODE, 'bundle', `${name}.js`)];
  return { name, command, args, ipc: true, stopGraceMs: 15_000, startTimeoutMs: 60_000 };
}

/** The control plane's own part of it: nobody else shall run what it wrote. */
function compileCache(env: NodeJS.ProcessEnv): string[] {
  return env['NODE_COMPILE_CACHE'] ? [join(env['NODE_COMPILE_CACHE'], 'control-plane')] : [];
}

async function isHealthy(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/api/v1/health/ready`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return answer?.ok ?? false;
}
