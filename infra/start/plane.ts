import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { APPS, roleOf, type App } from '#eventstore/apps.js';
import { migrate } from '#eventstore/migrate.js';
import { renderNatsConfig } from '#messaging/nats-config.js';
import { setupBus } from '#messaging/setup.js';
import { BUS_USERS, type BusUser } from '#messaging/subjects.js';
import { credentials, type Credentials } from './credentials.js';
import { Daemon, type DaemonHome } from './daemon.js';
import { startNats } from './nats.js';
import { findNatsServer } from './nats-server.js';
import { assertFree, holderOf, type WantedPort } from './ports.js';
import { startPostgres } from './postgres.js';
import type { Say } from './say.js';
import { apiUrl, dockerAddress, readSettings, type Settings } from './settings.js';

export interface PlaneOptions {
  /** What a person configured; see settings.ts and each app's configuration. */
  readonly env: NodeJS.ProcessEnv;
  readonly adminToken: string;
  readonly say: Say;
  /** Server settings of the embedded PostgreSQL, for tests. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
}

/** Everything that runs, in the order in which it was started. The first two only where they are embedded. */
export interface Plane {
  readonly apiUrl: string;
  readonly adminUrl: string;
  readonly natsAdminUrl: string;
  readonly postgres: Daemon | undefined;
  readonly nats: Daemon | undefined;
  readonly controlPlane: Daemon;
  readonly provisioner: Daemon;
  /** Ends everything in reverse order, each within its time. */
  stop(): Promise<void>;
  /** Ends everything at once. */
  kill(): void;
}

/** The folder of compiled code: this file is <dist>/infra/start/plane.js, or its source beside a built `dist`. */
const code = import.meta.dirname.includes('/dist/') ? join(import.meta.dirname, '../..') : join(import.meta.dirname, '../../dist');

/** Brings the whole plane up in a data folder, one part after the other, and returns once it is ready for requests. */
export async function startPlane(options: PlaneOptions): Promise<Plane> {
  const { env, say } = options;
  const settings = readSettings(env);
  const folder = settings.HOSTPLANE_DATA;
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  await assertPorts(settings);
  const started: Daemon[] = [];
  const stop = async () => {
    for (const daemon of started.splice(0).reverse()) await daemon.stop();
  };
  try {
    const home = { folder, tell: (line: string) => say.warn(line) };
    const secrets = credentials(folder, { postgres: ['admin', ...APPS], nats: BUS_USERS });
    const database = await bringDatabase(options, settings, home, secrets, started);
    const bus = await bringBus(settings, say, home, secrets, started);
    const urls = { ...databaseUrls(database.adminUrl, secrets), ...busUrls(bus.adminUrl, secrets, settings) };
    const processes = await bringProcesses(options, settings, home, urls, started);
    return {
      apiUrl: apiUrl(settings), adminUrl: database.adminUrl, natsAdminUrl: bus.adminUrl, postgres: database.daemon, nats: bus.daemon, ...processes, stop,
      kill: () => started.forEach((daemon) => daemon.kill('SIGKILL')),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Secrets = Credentials<App | 'admin', BusUser>;

async function bringDatabase(options: PlaneOptions, settings: Settings, home: DaemonHome, secrets: Secrets, started: Daemon[]) {
  const step = options.say.step('PostgreSQL');
  let adminUrl = settings.DATABASE_URL;
  let daemon: Daemon | undefined;
  let detail = 'the one that DATABASE_URL names';
  if (!adminUrl) {
    step.note(existsSync(join(home.folder, 'postgres')) ? 'starting' : 'making its data folder');
    const embedded = await startPostgres({ home, password: secrets.postgres.admin, port: settings.HOSTPLANE_POSTGRES_PORT ?? 0, ...(options.postgresSettings && { settings: options.postgresSettings }) });
    started.push(embedded.daemon);
    ({ adminUrl, daemon } = embedded);
    detail = `${embedded.version}, embedded, 127.0.0.1:${embedded.port}, data in ${embedded.folder}`;
  }
  step.note('bringing the log up to date');
  await migrate({ adminUrl, passwords: secrets.postgres });
  step.done(detail);
  return { adminUrl, daemon };
}

async function bringBus(settings: Settings, say: Say, home: DaemonHome, secrets: Secrets, started: Daemon[]) {
  const step = say.step('NATS');
  let adminUrl = settings.NATS_URL;
  let daemon: Daemon | undefined;
  let detail = 'the one that NATS_URL names';
  if (!adminUrl) {
    const server = await findNatsServer({ configured: settings.HOSTPLANE_NATS_SERVER, tell: (line) => step.note(line) });
    const embedded = await startNats({ home, server, port: settings.HOSTPLANE_NATS_PORT ?? 0, config: (place) => renderNatsConfig({ ...place, passwords: secrets.nats }) });
    started.push(embedded.daemon);
    ({ daemon } = embedded);
    adminUrl = `nats://admin:${secrets.nats.admin}@127.0.0.1:${embedded.port}`;
    detail = `${server.version} (${server.from}), embedded, 127.0.0.1:${embedded.port}`;
  }
  step.note('bringing the streams up to date');
  await setupBus({ url: adminUrl, hostIds: [settings.HOSTPLANE_HOST_ID] });
  step.done(detail);
  return { adminUrl, daemon };
}

async function bringProcesses(options: PlaneOptions, settings: Settings, home: DaemonHome, urls: Record<string, string>, started: Daemon[]) {
  const { env, say } = options;
  const plain = Object.fromEntries(Object.entries(env).filter(([name]) => !/^(DATABASE_URL|NATS_URL|DOCKER_.*|HOSTPLANE_ADMIN_TOKEN|HOSTPLANE_.*_(DATABASE|NATS)_URL)$/.test(name)));
  const base = { ...plain, HOSTPLANE_DATA: settings.HOSTPLANE_DATA };
  const docker = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('DOCKER_')));
  const of = (...apps: App[]) => Object.fromEntries(Object.entries(urls).filter(([name]) => apps.some((app) => name.startsWith(`HOSTPLANE_${variableOf(app)}_`))));

  const provisioner = node(home, 'provisioner', 'apps/provisioner/main.js', { ...base, ...docker, ...of('provisioner') }, (_, hasSaidSo) => Promise.resolve(hasSaidSo));
  const controlPlane = node(
    home, 'control-plane', 'infra/start/control-plane.js',
    { ...base, ...of('relay', 'lifecycle', 'domains', 'api-gateway'), HOSTPLANE_ADMIN_TOKEN: options.adminToken },
    async (_, hasSaidSo) => hasSaidSo && (await isHealthy(apiUrl(settings))),
  );
  const address = dockerAddress(env);
  const steps = [
    { daemon: controlPlane, name: 'control plane', detail: apiUrl(settings) },
    { daemon: provisioner, name: 'provisioner', detail: address ? `host ${settings.HOSTPLANE_HOST_ID}, Docker Engine at ${address}` : `host ${settings.HOSTPLANE_HOST_ID}, no Docker Engine here: static sites only` },
  ];
  for (const { daemon, name, detail } of steps) {
    const step = say.step(name);
    step.note('starting');
    started.push(daemon);
    await daemon.start();
    step.done(detail);
  }
  return { controlPlane, provisioner };
}

function node(home: DaemonHome, name: string, script: string, env: NodeJS.ProcessEnv, isReady: (pid: number, hasSaidSo: boolean) => Promise<boolean>): Daemon {
  const args = ['--enable-source-maps', join(code, script)];
  return new Daemon({ name, command: process.execPath, args, env, ipc: true, stopGraceMs: 15_000, startTimeoutMs: 60_000, isReady }, home);
}

function databaseUrls(adminUrl: string, secrets: Secrets): Record<string, string> {
  return Object.fromEntries(APPS.map((app) => [`HOSTPLANE_${variableOf(app)}_DATABASE_URL`, asUser(adminUrl, roleOf(app), secrets.postgres[app])]));
}

/** An outside bus has users of its own: whoever runs it hands them out with HOSTPLANE_<APP>_NATS_URL, or all use NATS_URL. */
function busUrls(adminUrl: string, secrets: Secrets, settings: Settings): Record<string, string> {
  const outside = settings.NATS_URL !== undefined;
  return Object.fromEntries(APPS.map((app) => {
    const name = `HOSTPLANE_${variableOf(app)}_NATS_URL`;
    return [name, outside ? (process.env[name] ?? adminUrl) : asUser(adminUrl, app, secrets.nats[app])];
  }));
}

function asUser(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = encodeURIComponent(password);
  return changed.href;
}

function variableOf(app: App): string {
  return app.replaceAll('-', '_').toUpperCase();
}

async function isHealthy(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/api/v1/health/ready`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return answer?.ok ?? false;
}

/** Ports are looked at before anything starts. An edge of an earlier run may still serve: its provisioner takes it over. */
async function assertPorts(settings: Settings): Promise<void> {
  const s = settings;
  const edge = (port: number, name: string): WantedPort => ({ port, purpose: `the edge, ${name}`, variable: `HOSTPLANE_EDGE_${name}_PORT` });
  const wanted: WantedPort[] = [{ port: s.HOSTPLANE_API_PORT, purpose: 'the API', variable: 'HOSTPLANE_API_PORT' }, edge(s.HOSTPLANE_EDGE_HTTP_PORT, 'HTTP'), edge(s.HOSTPLANE_EDGE_HTTPS_PORT, 'HTTPS')];
  if (s.HOSTPLANE_POSTGRES_PORT && !s.DATABASE_URL) wanted.push({ port: s.HOSTPLANE_POSTGRES_PORT, purpose: 'PostgreSQL', variable: 'HOSTPLANE_POSTGRES_PORT' });
  if (s.HOSTPLANE_NATS_PORT && !s.NATS_URL) wanted.push({ port: s.HOSTPLANE_NATS_PORT, purpose: 'NATS', variable: 'HOSTPLANE_NATS_PORT' });
  const hasServed = existsSync(join(s.HOSTPLANE_DATA, 'edge'));
  const own = (port: WantedPort) => port.purpose.startsWith('the edge') && hasServed && /nginx|docker-proxy|^$/.test(holderOf(port.port) ?? '');
  await assertFree(s.HOSTPLANE_BIND, wanted.filter((port) => !own(port)));
}
