import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { jetstreamManager, type ConsumerInfo, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { connectBus } from '#messaging/connection.js';
import { LOG_STREAM } from '#messaging/subjects.js';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { deliverAgain, silent } from '../support/bus.js';
import { startPlane, type Plane } from '../support/plane.js';

let plane: Plane;
let log: pg.Pool;
let bus: NatsConnection;
let manager: JetStreamManager;

beforeAll(async () => {
  plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'off' } });
  log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
  bus = await connectBus({ url: plane.natsUrl, name: 'test' }, silent);
  manager = await jetstreamManager(bus);
});
afterAll(async () => {
  await bus?.close();
  await log?.end();
  await plane?.stop();
});

async function launch(name: string): Promise<SiteView> {
  const created = await plane.api.call<SiteView>('POST', '/sites', { name, kind: 'static' });
  const site = await plane.api.settled(created.body.id, ['ACTIVE']);
  await plane.api.call('PUT', `/sites/${site.id}/content`, await tarGz({ 'index.html': `I am ${name}` }));
  return site;
}

async function durables(): Promise<ConsumerInfo[]> {
  const found: ConsumerInfo[] = [];
  for await (const info of manager.consumers.list(LOG_STREAM)) found.push(info);
  return found.filter(({ name }) => !name.startsWith('subscriber'));
}

/** Everything that was ever sent is sent again, long after what came later was handled. Returns when it has all been worked on. */
async function deliverEverythingAgain(): Promise<number> {
  await deliverAgain(bus, ...(await durables()).map(({ name }) => name));
  const isIdle = (info: ConsumerInfo): boolean => info.num_pending === 0 && info.num_ack_pending === 0;
  for (const end = Date.now() + 60_000; !(await durables()).every(isIdle); await sleep(100)) {
    if (Date.now() > end) throw new Error(`Not worked on within a minute: ${JSON.stringify((await durables()).filter((info) => !isIdle(info)).map(({ name, num_pending, num_ack_pending }) => ({ name, num_pending, num_ack_pending })))}`);
  }
  return (await durables()).reduce((sum, { delivered }) => sum + delivered.consumer_seq, 0);
}

async function head(): Promise<number> {
  const { rows } = await log.query<{ seq: string }>('SELECT max(seq) AS seq FROM log.messages');
  return Number(rows[0]?.seq);
}

it('every message delivered a second time, after all that followed it, changes nothing', async () => {
  const kept = await launch('kept');
  const gone = await launch('gone');
  const stopped = await launch('still');
  const stop = await plane.api.call('POST', `/sites/${stopped.id}/stop`);
  await plane.operation(String(stop.body['operationId']), 'succeeded');
  await plane.api.call('DELETE', `/sites/${gone.id}`);
  await plane.api.settled(gone.id, ['DESTROYED']);
  const [position, views] = [await head(), await Promise.all([kept, gone, stopped].map(({ id }) => plane.api.site(id)))];

  expect(await deliverEverythingAgain()).toBeGreaterThan(50);

  expect(await head()).toBe(position);
  expect(await Promise.all([kept, gone, stopped].map(({ id }) => plane.api.site(id)))).toEqual(views);
  expect((await visit(kept.url)).body).toBe('I am kept');
  expect((await visit(gone.url)).status).toBe(404);
  expect((await visit(stopped.url)).status).toBe(503);
  expect(existsSync(join(plane.folder, 'sites', gone.id))).toBe(false);
});
