import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { META, tokenIssued } from '../../test/support/messages.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { APPS } from './apps.js';
import { ConflictError, EventStore } from './event-store.js';
import { migrate } from './migrate.js';

let database: TestDatabase;
let store: EventStore;

beforeAll(async () => {
  database = await startPostgres();
  store = new EventStore({ connectionString: database.urlOf('api-gateway'), app: 'api-gateway' });
});
afterAll(async () => {
  await store?.close();
  await database?.stop();
});

const sql = async (url: string, text: string): Promise<pg.QueryResult> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client.query(text).finally(() => client.end());
};

describe('append', () => {
  it('gives back what a reader then reads, position and hash included', async () => {
    const { messages, firstPosition, lastPosition } = await store.append([{ streamId: 'token/a', expectedVersion: 0, messages: [tokenIssued('a'), tokenIssued('a', 'ö \\ " \n')] }]);
    expect(lastPosition).toBe(firstPosition + 1);
    expect(await store.readStream('token/a')).toEqual(messages);
    expect([await store.readFirst('token/a'), await store.readFirst('token/none')]).toEqual([messages[0], undefined]);
    expect(await store.read({ after: firstPosition - 1, limit: 10 })).toEqual(messages);
    expect(messages[0]).toMatchObject({ streamId: 'token/a', version: 1, position: firstPosition, schemaVersion: 1, meta: META });
    expect(messages[0]!.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await store.head()).toBe(lastPosition);
  });

  it('refuses a version that is not the stream\'s, and burns no position', async () => {
    const before = await store.head();
    const refused = store.append([{ streamId: 'token/a', expectedVersion: 1, messages: [tokenIssued('a')] }]);
    await expect(refused).rejects.toEqual(new ConflictError('token/a', 1, 2));
    await expect(store.append([{ streamId: 'token/none', expectedVersion: 3, messages: [tokenIssued('none')] }])).rejects.toEqual(new ConflictError('token/none', 3, 0));
    expect(await store.head()).toBe(before);
  });

  it('writes several streams or none of them', async () => {
    const part = (key: string, expectedVersion: number) => ({ streamId: `token/${key}`, expectedVersion, messages: [tokenIssued(key)] });
    await store.append([part('b', 0), part('c', 0)]);
    await expect(store.append([part('d', 0), part('c', 7)])).rejects.toEqual(new ConflictError('token/c', 7, 1));
    expect(await store.readStream('token/d')).toEqual([]);
    await store.append([part('d', 0)]);
  });

  it('gives each append that was gathered with others its own verdict, in order', async () => {
    const append = (key: string, expectedVersion: number) => store.append([{ streamId: `token/${key}`, expectedVersion, messages: [tokenIssued(key)] }]);
    const outcomes = await Promise.allSettled([append('e', 0), append('e', 0), append('e', 1), append('f', 4), append('f', 0)]);
    expect(outcomes.map((o) => o.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
    const read = await store.read({ after: 0, limit: 1000 });
    expect(read.map((m) => m.position)).toEqual(read.map((_, i) => i + 1));
    const appended = outcomes.flatMap((o) => (o.status === 'fulfilled' ? o.value.messages : []));
    expect(read.slice(-3)).toEqual(appended);
  });

  it('lets only the faulty one of a gathered batch fail', async () => {
    const good = store.append([{ streamId: 'token/g', expectedVersion: 0, messages: [tokenIssued('g')] }]);
    const bad = store.append([{ streamId: 'site/g', expectedVersion: 0, messages: [tokenIssued('g')] }]);
    await expect(bad).rejects.toThrow('hostplane_api_gateway may not write to site/g');
    expect((await good).messages).toHaveLength(1);
  });
});

describe('what is written', () => {
  it.each(['UPDATE log.messages SET data = data', 'DELETE FROM log.messages', 'TRUNCATE log.messages', 'UPDATE log.head SET seq = 0', 'UPDATE log.streams SET version = 0', 'INSERT INTO log.writers VALUES (session_user, \'site\')'])(
    'is refused to every app: %s', async (text) => {
      for (const app of APPS) await expect(sql(database.urlOf(app), text)).rejects.toMatchObject({ code: '42501' });
    });

  it.each(['UPDATE log.messages SET data = data', 'DELETE FROM log.messages', 'TRUNCATE log.messages', 'UPDATE log.messages_1 SET data = data', 'DELETE FROM log.messages_1', 'TRUNCATE log.messages_1'])(
    'is refused even to the administrator: %s', async (text) => {
      await expect(sql(database.adminUrl, text)).rejects.toThrow('The log is append-only');
    });

  it('may not be in the category of another app', async () => {
    const relay = new EventStore({ connectionString: database.urlOf('relay'), app: 'relay' });
    await expect(relay.append([{ streamId: 'token/x', expectedVersion: 0, messages: [tokenIssued('x')] }])).rejects.toMatchObject({ code: '42501' });
    await relay.close();
  });
});

describe('partitions', () => {
  it('are made ahead of the positions that need them, and bear the same protection', async () => {
    const other = await startPostgres();
    await sql(other.adminUrl, 'UPDATE log.head SET seq = 4999999, partition_rows = 1000');
    await sql(other.adminUrl, 'UPDATE log.head SET partitioned_to = 4999999');
    await sql(other.adminUrl, 'ALTER TABLE log.messages DETACH PARTITION log.messages_1');
    const writer = new EventStore({ connectionString: other.urlOf('api-gateway'), app: 'api-gateway' });
    for (let i = 0; i < 40; i++) {
      const messages = Array.from({ length: 50 }, () => tokenIssued('p'));
      await writer.append([{ streamId: 'token/p', expectedVersion: i * 50, messages }]);
    }
    const read = await writer.readStream('token/p');
    expect(read.map((m) => m.position)).toEqual(Array.from({ length: 2000 }, (_, i) => 5_000_000 + i));
    const { rows } = await sql(other.adminUrl, "SELECT relid::regclass::text AS name FROM pg_partition_tree('log.messages') WHERE isleaf");
    expect(rows.length).toBeGreaterThanOrEqual(2);
    for (const { name } of rows as { name: string }[]) {
      const { rowCount } = await sql(other.adminUrl, `SELECT FROM ${name} LIMIT 1`);
      if (rowCount === 1) await expect(sql(other.adminUrl, `DELETE FROM ${name}`)).rejects.toThrow('append-only');
      await expect(sql(other.adminUrl, `TRUNCATE ${name}`)).rejects.toThrow('append-only');
    }
    await writer.close();
    await other.stop();
  });
});

describe('migrate', () => {
  it('changes nothing the second time, and may run at once with itself', async () => {
    const passwords = Object.fromEntries(APPS.map((app) => [app, 'other'])) as Parameters<typeof migrate>[0]['passwords'];
    const before = await sql(database.adminUrl, 'SELECT xmin, * FROM pg_class ORDER BY oid');
    await Promise.all([1, 2, 3].map(() => migrate({ adminUrl: database.adminUrl, passwords })));
    expect((await sql(database.adminUrl, 'SELECT xmin, * FROM pg_class ORDER BY oid')).rows).toEqual(before.rows);
  });
});
