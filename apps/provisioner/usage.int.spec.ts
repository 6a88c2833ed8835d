import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import type { StoredMessage } from '#contracts/message.js';
import { projectDecider } from '#domain/project/project.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import type { SiteRuntime } from '#providers/site-runtime.js';
import type { Volume } from '#providers/site-storage.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { Databases } from './databases.js';
import { RecordedUsage } from './recorded-usage.projection.js';
import { Runtimes } from './runtimes.js';
import { Usage } from './usage.js';

jest.setTimeout(60_000);

let database: TestDatabase;
let lifecycle: EventStore;
let store: EventStore;
const projectId = randomUUID();
const cause = { id: randomUUID(), meta: { correlationId: 'c', causationId: 'c', actor: 'token:t', owner: 'ann', member: 'ann' } };
beforeAll(async () => {
  database = await startPostgres();
  lifecycle = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle' });
  store = new EventStore({ connectionString: database.urlOf('provisioner'), app: 'provisioner' });
  await handle(lifecycle, cause, [on(projectDecider, projectId, { type: 'RequestProject', project: { projectId, operationId: 'o', ownerId: 'ann', name: 'shop', hostId: 'local', subnet: '10.77.0.0/24' } })]);
});
afterAll(async () => {
  await Promise.all([lifecycle.close(), store.close()]);
  await database.stop();
});

/** What is on the disk, and what of it this host has recorded. */
let there: Volume[] = [];
const recorded = new RecordedUsage('local');
const storage = { volumes: () => Promise.resolve(there) };
const usage = () => new Usage(store, new Runtimes(new Map([['docker', { name: 'docker', storage } as unknown as SiteRuntime]]), new Map()), new Databases([]), recorded, 'local');
const volume = (bytes: number, name = 'v'): Volume => ({ name, projectId, dataId: projectId, role: 'data', path: '/data', bytes });
const records = async () => (await store.readStream(`usage/${projectId}`)) as StoredMessage<'UsageMeasured'>[];

it('is listed as it is recorded, and as it is found where it is not; listing it records nothing, but has it looked at soon', async () => {
  const [head, MIB] = [await store.head(), 1024 ** 2];
  there = [volume(5 * MIB)];
  recorded.isStale = false;
  expect([await usage().list(projectId), recorded.isStale, await store.head()]).toEqual([there, true, head]);
  await usage().measureAll();
  recorded.apply(await records());
  recorded.isStale = false;
  there = [volume(5 * MIB + 10)];
  expect([await usage().list(projectId), recorded.isStale]).toEqual([[volume(5 * MIB)], false]);
  there = [volume(9 * MIB), volume(7, 'new')];
  expect([await usage().list(projectId), recorded.isStale, (await records()).length]).toEqual([[volume(5 * MIB), volume(7, 'new')], true, 1]);
  await usage().measureAll();
  recorded.apply(await records());
  expect([(await usage().list(projectId)).map(({ bytes }) => bytes), (await records()).length]).toEqual([[9 * MIB, 7], 2]);
});
