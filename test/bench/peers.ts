import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';

/** Another event store on the same PostgreSQL, doing what T1 does. */
export interface Peer {
  readonly name: string;
  /** One 400-byte event after `version` others of a stream, with that as the expected version. */
  append(key: string, version: number): Promise<unknown>;
  close(): Promise<unknown>;
}

/** What the peers are, and the folder of their own that they are installed in when a bench first asks for them. */
const PACKAGES = ['@event-driven-io/emmett-postgresql@0.42.0', '@eventide/message-db@1.3.1'];
const FOLDER = join(import.meta.dirname, '../../node_modules/.cache/bench-peers');
const DATA = { name: 'n'.repeat(380) };

export const PEERS: readonly ((adminUrl: string) => Promise<Peer>)[] = [emmett, messageDb];

function installed(): string {
  if (existsSync(join(FOLDER, 'node_modules', '.package-lock.json'))) return FOLDER;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'package.json'), '{ "private": true }\n');
  const { status, stderr } = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...PACKAGES], { cwd: FOLDER, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm cannot install the peers: ${stderr.trim().split('\n').at(-1)}`);
  return FOLDER;
}

interface Emmett {
  getPostgreSQLEventStore(url: string): {
    appendToStream(stream: string, events: object[], options: { expectedStreamVersion: bigint | 'STREAM_DOES_NOT_EXIST' }): Promise<unknown>;
    close(): Promise<void>;
  };
}

async function emmett(adminUrl: string): Promise<Peer> {
  const entry = createRequire(join(installed(), 'package.json')).resolve('@event-driven-io/emmett-postgresql');
  const { getPostgreSQLEventStore } = (await import(pathToFileURL(entry).href)) as Emmett;
  const store = getPostgreSQLEventStore(adminUrl);
  const append = (key: string, version: number) =>
    store.appendToStream(`token-${key}`, [{ type: 'TokenIssued', data: DATA }], { expectedStreamVersion: version === 0 ? 'STREAM_DOES_NOT_EXIST' : BigInt(version) });
  return { name: 'emmett-postgresql', append, close: () => store.close() };
}

/** Its functions as its installer loads them, called by the driver; gen_random_uuid(), for which it wants pgcrypto, is PostgreSQL's own by now. */
async function messageDb(adminUrl: string): Promise<Peer> {
  const database = join(installed(), 'node_modules', '@eventide', 'message-db', 'database');
  const functions = ['id', 'acquire-lock', 'category', 'is-category', 'hash-64', 'cardinal-id', 'stream-version', 'write-message'].map((name) => `functions/${name}`);
  const indexes = ['id', 'stream', 'category'].map((name) => `indexes/messages-${name}`);
  const pool = new pg.Pool({ connectionString: adminUrl, max: 32, options: '-c search_path=message_store,public' });
  for (const file of ['schema/message-store', 'types/message', 'tables/messages', ...functions, ...indexes]) {
    await pool.query(readFileSync(join(database, `${file}.sql`), 'utf8').replaceAll('CONCURRENTLY', ''));
  }
  const text = 'SELECT write_message($1, $2, $3, $4, $5, $6)';
  const append = (key: string, version: number) => pool.query({ name: 'write', text, values: [randomUUID(), `token-${key}`, 'TokenIssued', DATA, null, version - 1] });
  return { name: 'message-db', append, close: () => pool.end() };
}
