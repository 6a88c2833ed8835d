import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Daemon, type DaemonHome } from './daemon.js';
import { freePort } from './ports.js';
import { clusterHome, initialise, packagedPostgres, runnablePostgres, versionOf } from './postgres-files.js';
import { commandOf, end, identityOf, processesIn } from './processes.js';
import { accountInsteadOfRoot } from './reachable.js';

export interface EmbeddedPostgres {
  readonly daemon: Daemon;
  readonly version: string;
  readonly port: number;
  /** The folder that really holds the data. */
  readonly folder: string;
  /** As the superuser, to the plane's database. */
  readonly adminUrl: string;
}

export interface PostgresOptions {
  /** The plane's data folder; the cluster goes to `postgres` in it. */
  readonly home: DaemonHome;
  readonly password: string;
  /** 0: any free one. */
  readonly port?: number;
  /** Server settings beside the launcher's own. */
  readonly settings?: Readonly<Record<string, string>>;
}

export const DATABASE = 'hostplane';

/** A PostgreSQL of its own in the data folder: made if it is not there, healed, started, kept running, and with the plane's database in it. */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const account = accountInsteadOfRoot();
  const native = runnablePostgres(packagedPostgres(), account);
  const folder = clusterHome(join(options.home.folder, 'postgres'), account);
  initialise(native, folder, options.password, account);
  const cluster = join(folder, 'cluster');
  const port = options.port || (await freePort());
  const daemon = new Daemon(
    {
      name: 'postgres',
      command: join(native, 'bin', 'postgres'),
      args: ['-D', cluster, ...Object.entries({ ...settings(folder, port), ...options.settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      cwd: folder,
      ...(account && { uid: account.uid, gid: account.gid }),
      stopSignal: 'SIGINT',
      stopGraceMs: 30_000,
      startTimeoutMs: 300_000,
      prepare: () => clearTheWay(cluster),
      isReady: (pid) => Promise.resolve(isReady(cluster, pid)),
    },
    options.home,
  );
  await daemon.start();
  const urlTo = (database: string) => `postgres://hostplane:${encodeURIComponent(options.password)}@127.0.0.1:${port}/${database}`;
  await ensureDatabase(urlTo('postgres')).catch(async (error: Error) => {
    await daemon.stop();
    throw error;
  });
  return { daemon, version: versionOf(native), port, folder, adminUrl: urlTo(DATABASE) };
}

/** Small, durable, on loopback alone. A socket only where its path is short enough for the system (107 bytes). */
function settings(folder: string, port: number): Record<string, string> {
  return {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: join(folder, `.s.PGSQL.${port}.lock`).length <= 100 ? folder : '',
    unix_socket_permissions: '0700',
    max_connections: '100',
    shared_buffers: '64MB',
    io_method: 'sync',
    jit: 'off',
    log_line_prefix: '%m [%p] %u ',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
}

/** What a killed server or a reboot left: a server still at work is stopped, a pid file that names somebody else is taken away. */
async function clearTheWay(cluster: string): Promise<void> {
  const pidFile = join(cluster, 'postmaster.pid');
  const pid = Number(readLines(pidFile)[0]);
  if (!pid) return;
  await endOrphans(cluster, pid);
  if (identityOf(pid) && commandOf(pid).includes(cluster)) await end(pid, 'SIGINT', 30_000);
  if (existsSync(pidFile) && !(identityOf(pid) && commandOf(pid).includes(cluster))) rmSync(pidFile, { force: true });
}

/** Processes of a server that was killed see it within milliseconds, unless a query keeps them busy; until then they hold its shared memory. */
async function endOrphans(cluster: string, server: number): Promise<void> {
  if (identityOf(server) && commandOf(server).includes(cluster)) return;
  for (const deadline = Date.now() + 500; ; await sleep(20)) {
    const left = processesIn(cluster);
    if (!left.length) return;
    if (Date.now() > deadline) for (const orphan of left) await end(orphan, 'SIGKILL', 0);
  }
}

/** The eighth line of postmaster.pid is how PostgreSQL's own pg_ctl knows. */
function isReady(cluster: string, pid: number): boolean {
  const lines = readLines(join(cluster, 'postmaster.pid'));
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (!rowCount) await client.query(`CREATE DATABASE ${DATABASE}`);
  } catch (error) {
    if ((error as { code?: string }).code !== '28P01') throw error;
    throw new Error('The password in credentials.json is not the one that PostgreSQL was made with. Put the old credentials.json back, or remove the whole data folder to begin anew.');
  } finally {
    await client.end().catch(() => undefined);
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return [];
  }
}
