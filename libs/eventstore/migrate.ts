import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { APPS, roleOf, schemaOf, WRITERS, type App } from './apps.js';

/** Owns the log; nobody signs in with it. */
const OWNER = 'hostplane_log';
/** Key of the advisory lock under which one process at a time migrates a database. Any number, always the same. */
const LOCK = 7_080_443;
/** What a CREATE or ALTER ROLE says when another database of the same cluster is being migrated at that moment. */
const BUSY = new Set(['42710', '23505', 'XX000']);

/**
 * Brings a database up to date: the roles of the apps, the log, a schema for each app's own tables. Safe when several
 * processes do it at once, or for several databases of one cluster. Done again, it changes nothing.
 */
export async function migrate(options: { adminUrl: string; passwords: Record<App, string> }): Promise<void> {
  const admin = new pg.Client({ connectionString: options.adminUrl });
  await admin.connect();
  try {
    await admin.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await makeRole(admin, OWNER, 'NOLOGIN');
    for (const app of APPS) {
      await makeRole(admin, roleOf(app), 'LOGIN');
      await setPassword(admin, options.adminUrl, roleOf(app), options.passwords[app]);
    }
    await runMigrations(options.adminUrl);
    await grantRights(admin);
  } finally {
    await admin.end();
  }
}

async function runMigrations(url: string): Promise<void> {
  const source = new DataSource({ type: 'postgres', url, migrations: [CreateLog1764000000000, HoldToStreamsOfOthers1764200000000], migrationsTableName: 'hostplane_migrations' });
  await source.initialize();
  try {
    await source.runMigrations({ transaction: 'each' });
  } finally {
    await source.destroy();
  }
}

class CreateLog1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SCHEMA log AUTHORIZATION ${OWNER}`);
    await runner.query(`SET LOCAL ROLE ${OWNER}`);
    await runner.query(readFileSync(SCHEMA_FILE, 'utf8'));
    await runner.query('RESET ROLE');
  }

  down(): Promise<void> {
    return Promise.reject(new Error('The log is never dropped. Restore a dump into another database instead.'));
  }
}

/** A log that was made before appends could hold to the version of another's stream gets log.append as it is now. */
class HoldToStreamsOfOthers1764200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const [append] = /^CREATE FUNCTION log\.append\([\s\S]*?^END \$\$;/m.exec(readFileSync(SCHEMA_FILE, 'utf8')) ?? [];
    if (!append) throw new Error(`There is no function log.append in ${SCHEMA_FILE}.`);
    await runner.query(`SET LOCAL ROLE ${OWNER}`);
    await runner.query(append.replace('CREATE', 'CREATE OR REPLACE'));
    await runner.query('RESET ROLE');
  }

  down(): Promise<void> {
    return Promise.reject(new Error('The log only goes forward. Restore a dump into another database instead.'));
  }
}

/** The compiler copies no SQL: from dist/libs as well as from libs the file is read where it was written. */
const SCHEMA_FILE = join(import.meta.dirname.replace(/[\\/]dist([\\/]libs[\\/]eventstore)$/, '$1'), 'schema.sql');

async function makeRole(admin: pg.Client, role: string, attribute: string): Promise<void> {
  await untilQuiet(async () => {
    const { rowCount } = await admin.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
    if (rowCount === 0) await admin.query(`CREATE ROLE ${role} ${attribute}`);
  });
  // A superuser may act as anyone; another admin must be a member of what it shall own things for.
  await untilQuiet(async () => {
    const { rows } = await admin.query<{ mayAct: boolean }>("SELECT pg_has_role($1, 'MEMBER') AS \"mayAct\"", [role]);
    if (!rows[0]!.mayAct) await admin.query(`GRANT ${role} TO CURRENT_USER`);
  });
}

/** Leaves a password alone that already works, so that a second start writes nothing. */
async function setPassword(admin: pg.Client, adminUrl: string, role: string, password: string): Promise<void> {
  if (await canSignIn(urlFor(adminUrl, role, password))) return;
  await untilQuiet(() => admin.query(`ALTER ROLE ${role} LOGIN PASSWORD ${pg.escapeLiteral(password)}`));
}

/** The admin's URL with another user. */
export function urlFor(adminUrl: string, role: string, password: string): string {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = encodeURIComponent(password);
  return url.href;
}

async function canSignIn(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

async function grantRights(admin: pg.Client): Promise<void> {
  await admin.query('BEGIN');
  const { rows } = await admin.query<{ role: string; category: string }>('SELECT role, category FROM log.writers');
  const known = new Map(rows.map((row) => [row.category, row.role]));
  for (const app of APPS) {
    const role = roleOf(app);
    const { rowCount } = await admin.query('SELECT FROM pg_namespace WHERE nspname = $1', [schemaOf(app)]);
    if (rowCount === 0) await admin.query(`CREATE SCHEMA ${schemaOf(app)} AUTHORIZATION ${role}`);
    const { rows: [right] } = await admin.query<{ mayRead: boolean }>("SELECT has_schema_privilege($1, 'log', 'USAGE') AS \"mayRead\"", [role]);
    if (!right!.mayRead) await grantLog(admin, role);
    for (const category of WRITERS[app]) {
      if (known.get(category) === role) continue;
      await admin.query('INSERT INTO log.writers VALUES ($1, $2) ON CONFLICT (category) DO UPDATE SET role = EXCLUDED.role', [role, category]);
    }
  }
  await admin.query('COMMIT');
}

async function grantLog(admin: pg.Client, role: string): Promise<void> {
  await admin.query(`GRANT USAGE ON SCHEMA log TO ${role}`);
  await admin.query(`GRANT SELECT ON log.head, log.streams, log.messages TO ${role}`);
  await admin.query(`GRANT EXECUTE ON FUNCTION log.append, log.append_one TO ${role}`);
}

/** Roles belong to the cluster, an advisory lock to one database: tries again when another database's migration was quicker. */
async function untilQuiet<T>(act: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act();
    } catch (error) {
      if (attempt === 20 || !(error instanceof pg.DatabaseError) || !BUSY.has(error.code ?? '')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20 * attempt));
    }
  }
}
