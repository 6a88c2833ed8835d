import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { APPS, roleOf, type App } from '#eventstore/apps.js';
import { migrate, urlFor } from '#eventstore/migrate.js';
import { startPostgres as launch } from '../../infra/start/postgres.js';

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

/** A throw-away cluster of the launcher's own, or a random database of the one that HOSTPLANE_TEST_DATABASE_URL (an admin's) names. */
export async function startPostgres(options: { settings?: Record<string, string> } = {}): Promise<TestDatabase> {
  const external = process.env['HOSTPLANE_TEST_DATABASE_URL'];
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
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-pg-'));
  // As root the server runs as another user, which must be able to walk here.
  chmodSync(folder, 0o711);
  const { daemon, adminUrl } = await launch({ home: { folder, tell: () => undefined }, password: randomBytes(9).toString('hex'), settings });
  return {
    adminUrl,
    crash: () => daemon.stop('SIGQUIT'),
    restart: () => daemon.start(),
    stop: async () => {
      await daemon.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
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
