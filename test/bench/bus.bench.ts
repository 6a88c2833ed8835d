import { headers } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { Controller } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventStore } from '#eventstore/event-store.js';
import { BusClient } from '#messaging/bus-client.js';
import { OnEvent } from '#messaging/handlers.js';
import { Relay, type LogSource } from '#messaging/relay.js';
import type { BusSetup } from '#messaging/setup.js';
import { LOG_STREAM } from '#messaging/subjects.js';
import { connectAs, freshBus, silent, startApp, until } from '../support/bus.js';
import { FakeLog } from '../support/fake-log.js';
import { startNats, type TestNats } from '../support/nats.js';
import { startNatsCluster } from '../support/nats-cluster.js';
import { startPostgres } from '../support/postgres.js';
import { median, milliseconds, quantile, rateRow, say, type Bench } from './table.js';

const RUNS = 5;
const MESSAGES = 100_000;
const APPENDS = 1_000;
const setup = { hosts: ['local'] };

/**
 * T5. The relay's floor is the same client publishing the same payloads with one header to the same stream, without position, chain or
 * envelope: Go's client, the targets' peer, is not on this machine.
 */
export const run: Bench = async (report, wants) => {
  const nats = await startNats();
  const admin = await connectAs(nats, 'admin');
  try {
    if (wants('T5')) await throughput('one node', 1, setup, { report, nats, admin });
    if (wants('T5') || wants('latency')) await latency(report, nats, admin);
  } finally {
    await admin.close();
    await nats.stop();
  }
  if (wants('T5')) await onCluster(report);
};

/** The same with three servers, each of which keeps the stream. */
async function onCluster(report: Parameters<Bench>[0]): Promise<void> {
  const cluster = await startNatsCluster();
  const admin = await connectAs(cluster, 'admin');
  try {
    await until('the servers have a leader that makes streams', () => jetstreamManager(admin, { timeout: 500 }).then(() => true, () => false), 30_000);
    await throughput('three replicas', 0.85, { ...setup, replicas: 3 }, { report, nats: cluster, admin });
  } finally {
    await admin.close();
    await cluster.stop();
  }
}

interface Stage {
  readonly report: Parameters<Bench>[0];
  readonly nats: Pick<TestNats, 'url'>;
  readonly admin: NatsConnection;
}

async function throughput(where: string, target: number, setup: BusSetup, { report, nats, admin }: Stage): Promise<void> {
  const log = new FakeLog();
  for (let i = 0; i < MESSAGES; i += 1) log.addEvent(`s${i % 1_000}`, 'x'.repeat(300));
  const floors: number[] = [], ours: number[] = [];
  for (let i = 0; i < RUNS; i += 1) {
    await freshBus(admin, setup);
    floors.push(MESSAGES / (await timed(() => bare(admin, log))));
    await freshBus(admin, setup);
    ours.push(MESSAGES / (await timed(() => relayed(nats.url('relay'), admin, log, setup))));
    say(`  run ${i + 1} of ${RUNS}: ${Math.round(ours.at(-1)!)}/s beside ${Math.round(floors.at(-1)!)}/s`);
  }
  report(rateRow(`T5 relay, ${where}, 400-byte events`, median(ours), median(floors), target));
}

/** Publishes as fast as the client can, and asks for an acknowledgement of each 64th. */
async function bare(admin: NatsConnection, { messages }: FakeLog): Promise<void> {
  for (let from = 0; from < messages.length; from += 1_024) {
    const acks: Promise<unknown>[] = [];
    messages.slice(from, from + 1_024).forEach(({ id, data, streamId }, index) => {
      const options = { headers: headers() };
      options.headers.set('Nats-Msg-Id', id);
      const subject = `evt.site.OperationStepSucceeded.${streamId.slice(5)}`;
      if (index % 64 === 63) acks.push(admin.request(subject, data, { ...options, timeout: 10_000 }));
      else admin.publish(subject, data, options);
    });
    await Promise.all(acks);
  }
  await reaches(admin, messages.length);
}

async function relayed(url: string, admin: NatsConnection, source: LogSource & FakeLog, setup: BusSetup): Promise<void> {
  const relay = new Relay({ url, source, setup, log: silent });
  void relay.run();
  await reaches(admin, source.messages.length);
  await relay.stop();
}

async function reaches(admin: NatsConnection, sequence: number): Promise<void> {
  const manager = await jetstreamManager(admin, { checkAPI: false });
  await until('the stream is full', async () => (await manager.streams.info(LOG_STREAM)).state.last_seq >= sequence, 60_000);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}

/** From the moment an append is asked for to the moment a handler in another app has the message. */
async function latency(report: Parameters<Bench>[0], nats: TestNats, admin: NatsConnection): Promise<void> {
  await freshBus(admin, setup);
  const database = await startPostgres();
  const bus = await BusClient.connect({ url: nats.url('lifecycle'), app: 'lifecycle', log: silent });
  const store = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle', onAppended: (position) => bus.ring(position) });
  const source = new EventStore({ connectionString: database.urlOf('relay'), app: 'relay' });
  const relay = new Relay({ url: nats.url('relay'), source, setup, log: silent });
  void relay.run();
  const arrived = new Map<string, (ms: number) => void>();
  @Controller()
  class Reactor {
    @OnEvent('OperationSucceeded')
    on({ id }: { id: string }): void {
      arrived.get(id)?.(performance.now());
    }
  }
  const app = await startApp(nats, { app: 'lifecycle' }, Reactor);
  const append = async (n: number): Promise<number> => {
    const id = crypto.randomUUID();
    const seen = new Promise<number>((resolve) => arrived.set(id, resolve));
    const start = performance.now();
    const meta = { correlationId: id, causationId: id, actor: 'system:bench', owner: 'o' };
    const appended = store.append([{ streamId: `operation/${n}-${id}`, expectedVersion: 0, messages: [{ id, kind: 'event', type: 'OperationSucceeded', data: { operationId: String(n) }, meta }] }]);
    const ms = (await seen) - start;
    await appended;
    return ms;
  };
  for (let n = 0; n < 100; n += 1) await append(n);
  const latenciesMs: number[] = [];
  for (let n = 0; n < APPENDS; n += 1) {
    latenciesMs.push(await append(n));
    await sleep(2);
  }
  const [p50, p99] = [median(latenciesMs), quantile(latenciesMs, 0.99)];
  report({ what: 'T5 append → handler', ours: `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}`, target: 'p50 ≤ 2 ms, p99 ≤ 10 ms', met: p50 <= 2 && p99 <= 10 });
  await app.close();
  await relay.stop();
  await bus.close();
  await Promise.all([store.close(), source.close()]);
  await database.stop();
}
