import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { jetstreamManager, type ClusterInfo, type StreamInfo } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectAs, readStream, silent, until } from '../../test/support/bus.js';
import { FakeLog } from '../../test/support/fake-log.js';
import { startNatsCluster, type TestNatsCluster } from '../../test/support/nats-cluster.js';
import { Relay } from './relay.js';
import { setupBus, type BusSetup } from './setup.js';
import { LOG_STREAM } from './subjects.js';

// Without a leader the servers wait 4 to 9 s before they choose another.
jest.setTimeout(90_000);

const setup: BusSetup = { hosts: ['local'], replicas: 3 };
/** One log and one stream for the suite: making the durables anew takes a cluster seconds. */
const source = new FakeLog();
let cluster: TestNatsCluster;
let admin: NatsConnection;
const relays: Relay[] = [];

beforeAll(async () => {
  cluster = await startNatsCluster();
  admin = await connectAs(cluster, 'admin');
  await until('the servers have a leader that makes streams', () => jetstreamManager(admin, { timeout: 500 }).then(() => true, () => false), 30_000);
  await setupBus(admin, setup);
});

afterAll(async () => {
  await admin?.close();
  await cluster?.stop();
});

afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
});

function startRelay(): Relay {
  const relay = new Relay({ url: cluster.url('relay'), source, setup, log: process.env['SHOW'] ? console : silent, pollMs: 20 });
  relays.push(relay);
  void relay.run();
  return relay;
}

async function infoOfLog(): Promise<StreamInfo | undefined> {
  const manager = await jetstreamManager(admin, { checkAPI: false, timeout: 500 });
  return manager.streams.info(LOG_STREAM).catch(() => undefined);
}

/**
 * Kills the server that leads the stream in the midst of a burst, brings it back once another leads, and waits until all relays are
 * past what the log held at the kill.
 */
async function changeLeader(): Promise<void> {
  const leader = (await infoOfLog())!.cluster!.leader!;
  const before = source.messages.length;
  source.fill(5_000);
  const head = source.messages.length;
  await until('the burst is being published', () => relays[0]!.position > before);
  expect(relays[0]!.position).toBeLessThan(head);
  await cluster.kill(leader);
  await until('another server leads', async () => ![undefined, '', leader].includes((await infoOfLog())?.cluster?.leader), 30_000);
  await cluster.start(leader);
  await until('all three hold the stream', async () => inStep((await infoOfLog())?.cluster), 30_000);
  await until('all relays go on', () => relays.every(({ position }) => position > head), 30_000);
}

function inStep(stream: ClusterInfo | undefined): boolean {
  return stream?.replicas?.length === 2 && stream.replicas.every(({ current, offline }) => current && !offline);
}

/** Appends without a rest while something is done. */
async function whileAppending(act: () => Promise<void>): Promise<void> {
  const timer = setInterval(() => source.fill(25), 20);
  await act().finally(() => clearInterval(timer));
}

/** The stream is the log, position for position: none is missing, none is there twice. */
async function expectEqual(): Promise<void> {
  await until('the stream reaches the head', async () => ((await infoOfLog())?.state.last_seq ?? 0) >= source.messages.length, 30_000);
  const stored = await readStream(admin);
  expect(stored.map((m) => [m.seq, m.header.get('ce-id'), m.header.get('ce-hash'), m.string()])).toEqual(
    source.messages.map((m) => [m.position, m.id, m.hash, m.data]),
  );
}

describe('the relay on a cluster', () => {
  it('loses and doubles nothing when the server that leads the stream is killed, twice', async () => {
    startRelay();
    await whileAppending(async () => {
      await changeLeader();
      await changeLeader();
    });
    await expectEqual();
    expect(source.messages.length).toBeGreaterThan(10_000);
  });

  it('stores each message once when two relay the same log and the leader is killed', async () => {
    startRelay();
    startRelay();
    await whileAppending(changeLeader);
    await expectEqual();
  });
});
