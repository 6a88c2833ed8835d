import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { pipeline } from 'node:stream/promises';
import { decodeData, type MessageType } from '#contracts/registry.js';
import { META, tokenIssued } from '../../test/support/messages.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { ConflictError, EventStore, LogUnavailable, type RawMessage } from './event-store.js';
import { verify } from './verify.js';

let database: TestDatabase;
const stores: EventStore[] = [];
const open = (url = database.urlOf('api-gateway')): EventStore => {
  const store = new EventStore({ connectionString: url, app: 'api-gateway' });
  stores.push(store);
  return store;
};
const connect = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};
const append = (store: EventStore, key: string, expectedVersion: number, name?: string) => store.append([{ streamId: `token/${key}`, expectedVersion, messages: [tokenIssued(key, name)] }]);

async function readAll(store: EventStore): Promise<RawMessage[]> {
  const all: RawMessage[] = [];
  for (let batch; (batch = await store.readRaw({ after: all.length, limit: 1_000 })).length > 0; ) all.push(...batch);
  return all;
}

async function expectWhole(): Promise<void> {
  const client = await connect(database.adminUrl);
  expect((await verify(client)).fault).toBeUndefined();
  await client.end();
}

beforeAll(async () => {
  database = await startPostgres();
});
afterAll(async () => {
  for (const store of stores) await store.close();
  await database?.stop();
});

describe('many writers', () => {
  it('leave a dense, complete log, though some conflict, some roll back and a foreign transaction stays open', async () => {
    const foreign = await connect(database.adminUrl);
    await foreign.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()');
    const follower = open();
    const delivered: number[] = [];
    let isDone = false;
    const following = (async () => {
      for (let wasDone = false; ; wasDone = isDone) {
        const batch = await follower.readRaw({ after: delivered.length, limit: 100 });
        delivered.push(...batch.map((m) => m.position));
        if (batch.length === 0 && wasDone) return;
      }
    })();
    const writers = Array.from({ length: 16 }, async (_, w) => {
      const store = w % 4 === 0 ? open() : stores.at(-1)!;
      const raw = await connect(database.urlOf('api-gateway'));
      for (let i = 0; i < 40; i++) {
        if (i % 10 === 0) {
          await raw.query(`BEGIN; SELECT * FROM log.append(1, '{token/rolled-${w}}', '{1}', '{1}', '{0}', '{1}', '{00000000-0000-0000-0000-000000000000}', '{event}', '{TokenIssued}', '{1}', '{"{}"}', '{"{}"}'); ROLLBACK`);
        }
        await append(store, `w${w}`, i);
        await append(store, 'contended', i).catch((error: unknown) => expect(error).toBeInstanceOf(ConflictError));
      }
      await raw.end();
    });
    await Promise.all(writers);
    isDone = true;
    await following;
    await foreign.query('COMMIT');
    await foreign.end();
    expect(delivered).toEqual(Array.from({ length: delivered.length }, (_, i) => i + 1));
    expect(delivered.length).toBe(16 * 40 + 40);
    await expectWhole();
  });
});

describe('an immediate stop of the server', () => {
  it('loses nothing that was acknowledged, and nothing that a relay could have passed on', async () => {
    if (!database.crash) return;
    const store = open();
    const acknowledged = new Map<number, string>();
    const passedOn = new Map<number, string>();
    let isDone = false;
    const writers = Array.from({ length: 24 }, async (_, w) => {
      let version = 0;
      while (!isDone) {
        try {
          const { lastPosition, messages } = await append(store, `crash-${w}`, version);
          acknowledged.set(lastPosition, messages[0]!.hash);
          version++;
        } catch (error) {
          if (error instanceof ConflictError) version = error.actualVersion;
          else if (!(error instanceof LogUnavailable)) throw error;
          else await sleep(20);
        }
      }
    });
    const relaying = (async () => {
      let after = 0;
      while (!isDone) {
        const batch = await store.readRaw({ after, limit: 500 }).catch(() => sleep(20, []));
        for (const message of batch) passedOn.set(message.position, message.hash);
        after = batch.at(-1)?.position ?? after;
      }
    })();
    for (let stop = 0; stop < 4; stop++) {
      await sleep(400);
      await database.crash();
      await database.restart!();
    }
    await sleep(300);
    isDone = true;
    await Promise.all([...writers, relaying]);

    const all = await readAll(store);
    expect(acknowledged.size).toBeGreaterThan(200);
    for (const [position, hash] of acknowledged) expect(all[position - 1]).toMatchObject({ position, hash });
    for (const [position, hash] of passedOn) expect(all[position - 1]).toMatchObject({ position, hash });
    await expectWhole();
  });

  it('is a retryable error to whoever was waiting, and passes by itself', async () => {
    if (!database.crash) return;
    const store = open();
    await append(store, 'away', 0);
    await database.crash();
    await expect(append(store, 'away', 1)).rejects.toMatchObject({ name: 'LogUnavailable', retryable: true });
    await expect(store.head()).rejects.toBeInstanceOf(LogUnavailable);
    await expect(store.readStream('token/away')).rejects.toBeInstanceOf(LogUnavailable);
    await database.restart!();
    expect((await append(store, 'away', 1)).messages[0]).toMatchObject({ version: 2, meta: META });
  });
});

describe('a crash between append and publish', () => {
  it('leaves the message for the next relay, which goes on behind what it knows to be published', async () => {
    const published = await open().head();
    const { messages } = await append(open(), 'unpublished', 0);
    const next = open(database.urlOf('relay'));
    const found = await next.readRaw({ after: published, limit: 10 });
    expect(found.map((m) => [m.position, m.hash, decodeData(m.type as MessageType, m.data), JSON.parse(m.meta)])).toEqual(messages.map((m) => [m.position, m.hash, m.data, m.meta]));
  });
});

describe('dump and restore', () => {
  it('keeps every message, position and hash, and goes on where it was', async () => {
    const before = await readAll(open());
    const other = await startPostgres();
    const [source, target] = await Promise.all([connect(database.adminUrl), connect(other.adminUrl)]);
    await target.query('DELETE FROM log.head');
    for (const table of ['head', 'streams', 'messages']) {
      const out = source.query(copyTo(`COPY (SELECT * FROM log.${table}) TO STDOUT`));
      await pipeline(out, target.query(copyFrom(`COPY log.${table} FROM STDIN`)));
    }
    const restored = open(other.urlOf('api-gateway'));
    expect(await readAll(restored)).toEqual(before);
    expect((await verify(target)).fault).toBeUndefined();
    expect((await append(restored, 'away', 2)).lastPosition).toBe(before.length + 1);
    await Promise.all([source.end(), target.end()]);
    await stores.pop()!.close();
    await other.stop();
  });
});
