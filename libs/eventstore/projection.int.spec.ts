import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { keyOf } from '#contracts/message.js';
import { tokenIssued } from '../../test/support/messages.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { EventStore } from './event-store.js';
import { Projection, type ProjectionDefinition } from './projection.js';

let database: TestDatabase;
let store: EventStore;
let db: pg.Pool;
const SCHEMA = 'api_gateway';

beforeAll(async () => {
  database = await startPostgres();
  store = new EventStore({ connectionString: database.urlOf('api-gateway'), app: 'api-gateway' });
  db = new pg.Pool({ connectionString: database.urlOf('api-gateway'), max: 12 });
  db.on('error', () => undefined);
});
afterAll(async () => {
  await db?.end();
  await store?.close();
  await database?.stop();
});

type TokenRow = { id: string; names: string[]; count: number; last: string };

/** One row a token and one line an event. */
const tokens = (version: number): ProjectionDefinition => ({
  name: 'tokens',
  version,
  tables: [
    { table: 'tokens', columns: { id: 'text', names: 'jsonb', count: 'integer', last: 'text', ...(version > 1 && { extra: 'boolean' }) }, indexes: ['count'] },
    { table: 'lines', columns: { position: 'bigint', text: 'text' }, appendOnly: true },
  ],
  async apply(batch, tx) {
    const rows = await tx.rows<TokenRow>('tokens', [...new Set(batch.map((m) => keyOf(m.streamId)))]);
    for (const message of batch) {
      if (message.type !== 'TokenIssued') continue;
      const id = keyOf(message.streamId);
      const before = rows.get(id);
      const extra = version > 1 && { extra: true };
      rows.set(id, { id, names: [...(before?.names ?? []), message.data.name].slice(-2), count: (before?.count ?? 0) + 1, last: message.data.name, ...extra });
    }
    await tx.put('tokens', [...rows.values()]);
    await tx.put('lines', batch.map((m) => ({ position: m.position, text: `${m.streamId}\t\\ \n` })));
  },
});

const versions = new Map<string, number>();
const issue = async (key: string, name: string) => {
  const expectedVersion = versions.get(key) ?? 0;
  versions.set(key, expectedVersion + 1);
  return store.append([{ streamId: `token/${key}`, expectedVersion, messages: [tokenIssued(key, name)] }]);
};
const rowsOf = async (table: string) => (await db.query(`SELECT * FROM ${SCHEMA}.${table} ORDER BY 1`)).rows as Record<string, unknown>[];
const start = async (definition: ProjectionDefinition) => {
  const projection = new Projection({ store, db, schema: SCHEMA, definition });
  await projection.start();
  return projection;
};

describe('a projection', () => {
  it('starts from the log as it is, and follows it', async () => {
    await issue('a', 'one');
    await issue('a', 'tab\tback\\slash\nnewline');
    const projection = await start(tokens(1));
    expect(await rowsOf('tokens')).toEqual([{ id: 'a', names: ['one', 'tab\tback\\slash\nnewline'], count: 2, last: 'tab\tback\\slash\nnewline' }]);
    const { lastPosition } = await issue('b', 'three');
    expect(await projection.waitFor(lastPosition, 2_000)).toBe(true);
    expect(await rowsOf('tokens')).toHaveLength(2);
    expect(await rowsOf('lines')).toHaveLength(3);
    expect(await projection.waitFor(lastPosition + 1, 50)).toBe(false);
    await projection.stop();
  });

  it('counts each message once, though two processes run it', async () => {
    const [one, other] = await Promise.all([start(tokens(1)), start(tokens(1))]);
    let last = 0;
    for (let i = 0; i < 60; i++) {
      ({ lastPosition: last } = await issue(`k${i % 7}`, `n${i}`));
      one.wake();
      other.wake();
    }
    expect(await Promise.all([one.waitFor(last, 5_000), other.waitFor(last, 5_000)])).toEqual([true, true]);
    expect((await rowsOf('lines')).map((row) => Number(row.position))).toEqual(Array.from({ length: last }, (_, i) => i + 1));
    expect((await rowsOf('tokens')).reduce((sum, row) => sum + (row.count as number), 0)).toBe(last);
    await Promise.all([one.stop(), other.stop()]);
  });

  it('is rebuilt beside itself while the log grows and readers read, who notice nothing', async () => {
    const projection = await start(tokens(1));
    let isDone = false;
    const appending = (async () => {
      for (let i = 0; !isDone; i++) await issue(`r${i % 20}`, `r${i}`);
    })();
    const reading = Promise.all(Array.from({ length: 4 }, async () => {
      let most = 0;
      while (!isDone) {
        const { rows: [row] } = await db.query<{ n: string }>(`SELECT sum(count) AS n FROM ${SCHEMA}.tokens`);
        expect(Number(row!.n)).toBeGreaterThanOrEqual(most);
        most = Number(row!.n);
      }
    }));
    const seen: number[] = [];
    try {
      for (let i = 0; i < 4; i++) await projection.rebuild(({ position }) => seen.push(position));
    } finally {
      isDone = true;
    }
    await Promise.all([appending, reading]);
    expect(seen.length).toBeGreaterThanOrEqual(4);
    const end = await store.head();
    expect(await projection.waitFor(end, 2_000)).toBe(true);
    expect((await rowsOf('lines')).length).toBe(end);
    expect(await projection.compare()).toMatchObject({ position: end, isEqual: true, tables: [{ table: 'tokens' }, { table: 'lines', rows: end }] });
    const { rows } = await db.query("SELECT tablename FROM pg_tables WHERE schemaname = 'api_gateway' AND tablename ~ '_e[0-9]+$'");
    expect(rows).toHaveLength(2);
    await projection.stop();
  });

  it('shows by comparison what was changed behind its back', async () => {
    const projection = await start(tokens(1));
    const { rows: [{ epoch }] } = (await db.query(`SELECT epoch FROM ${SCHEMA}.checkpoints`)) as unknown as { rows: [{ epoch: number }] };
    await db.query(`UPDATE ${SCHEMA}.tokens_e${epoch} SET last = 'forged' WHERE id = 'a'`);
    const { isEqual, tables } = await projection.compare();
    expect(isEqual).toBe(false);
    expect(tables[0]!.onlyLive[0]).toContain('forged');
    await projection.rebuild();
    expect((await projection.compare()).isEqual).toBe(true);
    await projection.stop();
  });

  it('goes on over text that the database cannot hold, live and rebuilt alike', async () => {
    const projection = await start(tokens(1));
    const texts = ['nul \u0000\u0000 in it', 'half a pair \ud83d, the other \ude00', 'no \\u0000 and no \\\\ud83d', 'a pair \u{1f600}'];
    let last = 0;
    for (const text of texts) ({ lastPosition: last } = await issue('texts', text));
    expect(await projection.waitFor(last, 5_000)).toBe(true);
    const shown = ['no \\u0000 and no \\\\ud83d', 'a pair \u{1f600}'];
    const row = async () => (await rowsOf('tokens')).find(({ id }) => id === 'texts');
    expect(await row()).toMatchObject({ names: shown, count: texts.length, last: shown[1] });
    ({ lastPosition: last } = await issue('texts', texts[0]!));
    ({ lastPosition: last } = await issue('texts', texts[1]!));
    expect(await projection.waitFor(last, 5_000)).toBe(true);
    const replaced = { names: ['nul \ufffd\ufffd in it', 'half a pair \ufffd, the other \ufffd'], last: 'half a pair \ufffd, the other \ufffd' };
    expect(await row()).toMatchObject(replaced);
    await projection.rebuild();
    expect(await row()).toMatchObject(replaced);
    await projection.stop();
  });

  it('goes on over keys that the database cannot hold', async () => {
    const byName: ProjectionDefinition = {
      name: 'names', version: 1, categories: ['token'], tables: [{ table: 'names', columns: { name: 'text', count: 'integer' } }],
      async apply(batch, tx) {
        const names = batch.flatMap((message) => (message.type === 'TokenIssued' ? [message.data.name] : []));
        const rows = await tx.rows<{ name: string; count: number }>('names', names);
        await tx.put('names', [...new Set(names)].map((name) => ({ name, count: (rows.get(name)?.count ?? 0) + 1 })));
        await tx.remove('names', names.filter((name) => name.startsWith('gone')));
      },
    };
    const projection = await start(byName);
    const { lastPosition } = await issue('keys', 'nul \0 again');
    await issue('keys', 'gone \0');
    await issue('keys', 'nul \0 again');
    expect(await projection.waitFor(lastPosition + 2, 5_000)).toBe(true);
    expect((await rowsOf('names')).map(({ name }) => name)).toEqual(expect.arrayContaining(['nul \ufffd again']));
    await projection.stop();
  });

  it('is rebuilt by its next start when its version is another', async () => {
    const projection = await start(tokens(2));
    expect((await rowsOf('tokens'))[0]).toMatchObject({ id: 'a', extra: true });
    expect((await projection.compare()).isEqual).toBe(true);
    await projection.stop();
  });
});

describe('a projection whose server crashes', () => {
  it('follows again what the crash took back, though nothing new is appended', async () => {
    // What does not wait for the disk stays off it until the crash.
    const own = await startPostgres({ settings: { wal_writer_delay: '10s' } });
    const log = new EventStore({ connectionString: own.urlOf('api-gateway'), app: 'api-gateway' });
    const pool = new pg.Pool({ connectionString: own.urlOf('api-gateway'), max: 4 });
    pool.on('error', () => undefined);
    const lines = async () => (await pool.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${SCHEMA}.lines`)).rows[0]!.n;
    const projection = new Projection({ store: log, db: pool, schema: SCHEMA, definition: tokens(1), pollMs: 60_000 });
    await projection.start();
    for (let i = 0; i < 20; i++) await log.append([{ streamId: 'token/c', expectedVersion: i, messages: [tokenIssued('c', `c${i}`)] }]);
    expect(await projection.waitFor(20, 5_000)).toBe(true);
    expect(await lines()).toBe(20);
    if (!own.crash) return own.stop();
    await own.crash();
    await own.restart!();
    expect(await lines()).toBeLessThan(20);
    projection.wake();
    expect(await projection.waitFor(20, 10_000)).toBe(true);
    expect(await lines()).toBe(20);
    expect(await projection.compare()).toMatchObject({ position: 20, isEqual: true });
    await projection.stop();
    await Promise.all([pool.end(), log.close()]);
    await own.stop();
  });
});
