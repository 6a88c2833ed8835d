import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { tokenIssued } from '../../test/support/messages.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { EventStore } from './event-store.js';
import { verify } from './verify.js';

let database: TestDatabase;
let admin: pg.Client;

beforeAll(async () => {
  database = await startPostgres();
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  const store = new EventStore({ connectionString: database.urlOf('api-gateway'), app: 'api-gateway' });
  for (let i = 0; i < 10; i++) {
    const part = (key: string) => ({ streamId: `token/${key}`, expectedVersion: i * 2, messages: [tokenIssued(key, `ü ${i}`), tokenIssued(key)] });
    await Promise.all([store.append([part('a'), part('b')]), store.append([part('c')])]);
  }
  await store.close();
});
afterAll(async () => {
  await admin?.end();
  await database?.stop();
});

/** What an administrator could do who switches the triggers off; taken back afterwards. */
async function tampered(sql: string): Promise<Awaited<ReturnType<typeof verify>>> {
  await admin.query(`BEGIN; SET LOCAL session_replication_role = replica; ${sql}`);
  return verify(admin).finally(() => admin.query('ROLLBACK'));
}

describe('verify', () => {
  it('finds an untouched log whole', async () => {
    const progress: number[] = [];
    const { rows: [head] } = await admin.query<{ hash: Buffer }>('SELECT hash FROM log.head');
    expect(await verify(admin, (checked) => progress.push(checked))).toEqual({ messages: 60, headHash: head!.hash.toString('hex') });
    expect(progress).toEqual([60]);
  });

  it.each([
    ['other data', "UPDATE log.messages SET data = replace(data, 'laptop', 'tablet') WHERE seq = 16", { position: 16, what: 'its hash does not follow from its bytes and the message before it' }],
    ['another time', "UPDATE log.messages SET recorded_at = '2020-01-01T00:00:00.000Z' WHERE seq = 3", { position: 3, what: 'its hash does not follow from its bytes and the message before it' }],
    ['a message that is gone', 'DELETE FROM log.messages WHERE seq = 7', { position: 8, what: 'position 7 is missing' }],
    ['an end that is gone', 'DELETE FROM log.messages WHERE seq > 58', { position: 59, what: 'the log should reach position 60' }],
    ['an end that is gone, with the head put back', 'DELETE FROM log.messages WHERE seq > 58; UPDATE log.head SET seq = 58', { position: 58, what: 'the hash of the head does not follow from the messages' }],
    ['two messages that changed places', 'UPDATE log.messages SET seq = CASE seq WHEN 2 THEN 3 WHEN 3 THEN 2 END + 1000 WHERE seq IN (2, 3); UPDATE log.messages SET seq = seq - 1000 WHERE seq > 1000', { position: 60, what: 'the hash of the head does not follow from the messages' }],
  ])('finds %s', async (_, sql, fault) => {
    expect((await tampered(sql)).fault).toMatchObject(fault);
  });
});
