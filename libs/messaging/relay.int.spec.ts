import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectAs, readStream, silent, until } from '../../test/support/bus.js';
import { FakeLog } from '../../test/support/fake-log.js';
import { startNats, type TestNats } from '../../test/support/nats.js';
import { deriveId } from '#contracts/ids.js';
import { EventStore } from '#eventstore/event-store.js';
import { startPostgres } from '../../test/support/postgres.js';
import { BusClient } from './bus-client.js';
import { Relay, StreamAheadError } from './relay.js';
import { setupBus } from './setup.js';
import { LOG_STREAM } from './subjects.js';

const support = join(import.meta.dirname, '..', '..', 'test', 'support');
let nats: TestNats;
let admin: NatsConnection;
const relays: Relay[] = [];

beforeAll(async () => {
  nats = await startNats();
  admin = await connectAs(nats, 'admin');
});

afterAll(async () => {
  await admin?.close();
  await nats?.stop();
});

beforeEach(async () => {
  await setupBus(admin, { hosts: ['local'] });
});

afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
  await deleteStream();
});

async function deleteStream(): Promise<void> {
  await (await jetstreamManager(admin)).streams.delete(LOG_STREAM).catch(() => undefined);
}

function relayOf(source: FakeLog, pollMs = 50): Relay {
  const relay = new Relay({ url: nats.url('relay'), source, setup: { hosts: ['local'] }, log: process.env['SHOW'] ? console : silent, pollMs });
  relays.push(relay);
  return relay;
}

async function lastSequence(): Promise<number> {
  try {
    const manager = await jetstreamManager(admin, { checkAPI: false, timeout: 500 });
    return (await manager.streams.info(LOG_STREAM)).state.last_seq;
  } catch {
    return 0;
  }
}

/** The stream is the log, position for position and byte for byte. */
async function expectEqual(source: FakeLog): Promise<void> {
  await until('the stream reaches the head', async () => (await lastSequence()) >= source.messages.length, 30_000);
  const stored = await readStream(admin);
  expect(stored.map((m) => [m.seq, m.header.get('ce-id'), m.string()])).toEqual(source.messages.map((m) => [m.position, m.id, m.data]));
}

describe('the relay', () => {
  it('publishes the log as CloudEvents, its positions as the sequences', async () => {
    const source = new FakeLog();
    source.add('event', 'site/s1', 'OperationSucceeded', { operationId: 'o1' }, { actor: 'Zoë Ñ', traceparent: '00-aa-bb-01' });
    source.addCommand('s2');
    void relayOf(source).run();
    await expectEqual(source);
    const [event, command] = await readStream(admin);
    expect([event!.subject.replace(/\d$/, '<n>'), command!.subject]).toEqual(['evt.site.OperationSucceeded.s1.<n>', 'cmd.host.local.EnsureEdge.s2']);
    const { id, hash } = source.messages[0]!;
    expect(Object.fromEntries([...event!.header].map(([name, [value]]) => [name, value]))).toEqual({
      'Nats-Msg-Id': id, 'Nats-Expected-Last-Sequence': '0',
      'ce-specversion': '1.0', 'ce-source': '/hostplane', 'ce-id': id, 'ce-type': 'OperationSucceeded', 'ce-subject': 'site/s1',
      'ce-time': '2026-01-01T00:00:00.000Z', 'ce-kind': 'event', 'ce-position': '1', 'ce-version': '1', 'ce-schemaversion': '1', 'ce-hash': hash,
      'ce-correlationid': id, 'ce-causationid': id, 'ce-actor': 'Zo%C3%AB%20%C3%91', 'ce-owner': 'owner-1', 'ce-traceparent': '00-aa-bb-01',
    });
  });

  it('follows the doorbell at once, and the log itself when nobody rings', async () => {
    const source = new FakeLog().fill(10);
    void relayOf(source, 60_000).run();
    await expectEqual(source);
    const client = await BusClient.connect({ url: nats.url('lifecycle'), app: 'lifecycle', log: silent });
    source.fill(10);
    client.ring(20);
    await expectEqual(source);
    await client.close();
    await relays.pop()!.stop();
    void relayOf(source, 50).run();
    source.fill(10);
    await expectEqual(source);
  });

  it('goes on where another was killed, at any moment', async () => {
    const source = new FakeLog().fill(30_000);
    const ends: number[] = [];
    for (let kill = 0; kill < 8; kill += 1) {
      const args = ['--import', join(support, 'typescript.mjs'), join(support, 'relay-child.ts'), nats.url('relay'), '30000'];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      await sleep(5 + Math.random() * 60);
      child.kill('SIGKILL');
      await once(child, 'exit');
      ends.push(await lastSequence());
    }
    expect(ends.some((end) => end > 0 && end < source.messages.length)).toBe(true);
    void relayOf(source).run();
    await expectEqual(source);
  }, 120_000);

  it('stores each message once when several relay the same log', async () => {
    const source = new FakeLog().fill(5_000);
    for (let i = 0; i < 3; i += 1) void relayOf(source).run();
    await sleep(100);
    source.fill(20_000);
    await expectEqual(source);
  }, 60_000);

  it('goes on when NATS is killed and comes back', async () => {
    const source = new FakeLog().fill(20_000);
    void relayOf(source).run();
    for (let i = 0; i < 3; i += 1) {
      await sleep(60);
      await nats.restart();
      source.fill(2_000);
    }
    await expectEqual(source);
  }, 60_000);

  it('is ended by nothing that it could not publish while it was reading on', async () => {
    const args = ['--import', join(support, 'typescript.mjs'), join(support, 'relay-child.ts'), nats.url('relay'), '5', '20'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    await until('it relays', async () => (await lastSequence()) > 5);
    await nats.kill();
    await sleep(300);
    await nats.restart();
    const before = await lastSequence();
    await until('it goes on', async () => child.exitCode !== null || (await lastSequence()) > before, 10_000);
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    await once(child, 'exit');
  }, 60_000);

  it('fills a lost stream again', async () => {
    const source = new FakeLog().fill(20_000);
    void relayOf(source).run();
    await sleep(80);
    await deleteStream();
    await expectEqual(source);
    await nats.restart({ empty: true });
    source.fill(5);
    await expectEqual(source);
    const durables = (await (await jetstreamManager(admin)).consumers.list(LOG_STREAM).next()).map(({ name }) => name);
    expect(durables).toContain('provisioner-local');
  }, 60_000);

  it('refuses to go on with a log that ends before the stream', async () => {
    const source = new FakeLog().fill(100);
    void relayOf(source).run();
    await expectEqual(source);
    const older = new FakeLog().fill(60);
    await expect(relayOf(older).run()).rejects.toThrow(new StreamAheadError(
      'The log ends at position 60, but the stream LOG already holds 100: the log was restored from an older backup, or this is the bus of another log. ' +
        'Restore the newer log, or delete the stream LOG to have it filled again from this log.',
    ));
  });

  it('refuses to go on with another log', async () => {
    const source = new FakeLog().fill(100);
    void relayOf(source).run();
    await expectEqual(source);
    await expect(relayOf(new FakeLog('b').fill(200)).run()).rejects.toThrow(/Position 100 is another message in the stream LOG/);
  });

  it('carries the log of PostgreSQL, through a crash of it', async () => {
    const database = await startPostgres();
    const writer = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle' });
    const source = new EventStore({ connectionString: database.urlOf('relay'), app: 'relay' });
    const relay = new Relay({ url: nats.url('relay'), source, setup: { hosts: ['local'] }, log: silent, pollMs: 20 });
    relays.push(relay);
    void relay.run();
    const append = async (key: string): Promise<void> => {
      const meta = { correlationId: key, causationId: key, actor: 'system:test', owner: 'o' };
      const messages = [1, 2, 3].map((n) => ({ id: deriveId(key, n), kind: 'event' as const, type: 'OperationSucceeded' as const, data: { operationId: key }, meta }));
      await writer.append([{ streamId: `operation/${key}`, expectedVersion: 0, messages }]);
    };
    for (let n = 0; n < 50; n += 1) await append(`before-${n}`);
    await database.crash?.();
    await database.restart?.();
    for (let n = 0; n < 50; n += 1) await until('PostgreSQL takes it', () => append(`after-${n}`).then(() => true, () => false));
    await until('the stream reaches the head', async () => (await lastSequence()) === (await source.head()), 20_000);
    const [stored, logged] = [await readStream(admin), await source.readRaw({ after: 0, limit: 1_000 })];
    expect(logged.length).toBeGreaterThanOrEqual(300);
    expect(stored.map((m) => [m.seq, m.header.get('ce-hash'), m.string()])).toEqual(logged.map((m) => [m.position, m.hash, m.data]));
    await relay.stop();
    await Promise.all([writer.close(), source.close()]);
    await database.stop();
  }, 60_000);

  it('stands still while the log cannot be read, and goes on then', async () => {
    const source = new FakeLog().fill(100);
    const relay = relayOf(source);
    const { readRaw } = source;
    let away = true;
    source.readRaw = (options) => (away ? Promise.reject(new Error('Connection terminated')) : readRaw.call(source, options));
    void relay.run();
    await sleep(300);
    expect(await lastSequence()).toBe(0);
    away = false;
    await expectEqual(source);
  });
});
