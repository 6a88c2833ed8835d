import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoredMessage } from '#contracts/message.js';
import { Refusal } from '#domain/refusal.js';
import { connectAs, deliverAgain, freshBus, silent, startApp, until, type TestApp } from '../../test/support/bus.js';
import { FakeLog } from '../../test/support/fake-log.js';
import { startNats, type TestNats } from '../../test/support/nats.js';
import { DeadLetters } from './dead-letters.js';
import { OnCommand, OnEvent, type HandlerContext } from './handlers.js';
import { Relay } from './relay.js';
import { LOG_STREAM, PARTITIONS } from './subjects.js';

type Command = StoredMessage<'EnsureEdge'>;
type Fact = StoredMessage<'OperationStepSucceeded'>;

let nats: TestNats;
let admin: NatsConnection;
let source: FakeLog;
let relay: Relay;
const apps: TestApp[] = [];

beforeAll(async () => {
  nats = await startNats();
  admin = await connectAs(nats, 'admin');
});

afterAll(async () => {
  await admin?.close();
  await nats?.stop();
});

beforeEach(async () => {
  const setup = { hosts: ['local'], ackWaitMs: 1_000, maxDeliveries: 4 };
  await freshBus(admin, setup);
  source = new FakeLog();
  relay = new Relay({ url: nats.url('relay'), source, setup, log: silent, pollMs: 5 });
  void relay.run();
});

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  // What is on its way would come into the next test's stream.
  await until('all is in the stream', () => relay.position === source.messages.length);
  await relay.stop();
});

async function provisioner(handle: (message: Command, context: HandlerContext) => Promise<void> | void, drainMs?: number): Promise<TestApp> {
  @Controller()
  class Edge {
    @OnCommand('EnsureEdge')
    on(message: Command, context: HandlerContext): Promise<void> | void {
      return handle(message, context);
    }
  }
  const app = await startApp(nats, { app: 'provisioner', hostId: 'local', ...(drainMs && { drainMs }) }, Edge);
  apps.push(app);
  return app;
}

async function lifecycle(handle: (message: Fact, context: HandlerContext) => Promise<void> | void): Promise<TestApp> {
  @Controller()
  class Reactor {
    @OnEvent('OperationStepSucceeded')
    on(message: Fact, context: HandlerContext): Promise<void> | void {
      return handle(message, context);
    }
  }
  const app = await startApp(nats, { app: 'lifecycle' }, Reactor);
  apps.push(app);
  return app;
}

/** Nothing is out for work and nothing waits. */
async function settled(durable: string): Promise<boolean> {
  const info = await (await jetstreamManager(admin)).consumers.info(LOG_STREAM, durable);
  return info.num_ack_pending === 0 && info.num_pending === 0;
}

function retryable(message: string): Error {
  return Object.assign(new Error(message), { retryable: true });
}

describe('a handler', () => {
  it('is given the message as the log has it, with who asked and why', async () => {
    const seen: [Command, HandlerContext][] = [];
    await provisioner((message, context) => void seen.push([message, context]));
    const raw = source.add('command', 'operation/o1', 'EnsureEdge', { operationId: 'o1', siteId: 's1', hostId: 'local', turn: 1 }, { actor: 'token:Zoë', traceparent: '00-4bf9-00f0-01' });
    await until('the message arrives', () => seen.length === 1);
    const [message, context] = seen[0]!;
    expect(message).toEqual({
      position: 1, id: raw.id, kind: 'command', type: 'EnsureEdge', streamId: 'operation/o1', version: 1, schemaVersion: 1,
      data: { operationId: 'o1', siteId: 's1', hostId: 'local', turn: 1 },
      meta: { correlationId: raw.id, causationId: raw.id, actor: 'token:Zoë', owner: 'owner-1', traceparent: '00-4bf9-00f0-01' },
      recordedAt: raw.recordedAt, hash: raw.hash,
    });
    expect(context).toEqual({ deliveryCount: 1, maxDeliveries: 4, position: 1, signal: expect.any(AbortSignal) });
    await until('it is acknowledged', () => settled('provisioner-local'));
  });

  it('is not needed for every event', async () => {
    await lifecycle(() => undefined);
    source.add('event', 'site/s1', 'OperationSucceeded', { operationId: 's1' });
    await until('it is acknowledged', async () => relay.position === 1 && (await Promise.all(Array.from({ length: PARTITIONS }, (_, p) => settled(`lifecycle-${p}`)))).every(Boolean));
  });

  it('may take longer than the server waits for a sign of life', async () => {
    let calls = 0;
    await provisioner(async () => ((calls += 1), void (await sleep(2_500))));
    source.addCommand('s1');
    await until('it is acknowledged', async () => calls > 0 && (await settled('provisioner-local')));
    expect(calls).toBe(1);
  });

  it.each(['provisioner', 'lifecycle'])('of %s that fails for now is called again, later each time', async (app) => {
    const calls: { count: number; atMs: number }[] = [];
    const handle = (_: unknown, { deliveryCount }: HandlerContext): void => {
      calls.push({ count: deliveryCount, atMs: performance.now() });
      if (deliveryCount < 4) throw retryable('The engine does not answer.');
    };
    await (app === 'provisioner' ? provisioner(handle) : lifecycle(handle));
    source.addCommand('s1');
    source.addEvent('s1');
    await until('the last try', () => calls.length === 4);
    expect(calls.map(({ count }) => count)).toEqual([1, 2, 3, 4]);
    const [first, second, third] = calls.slice(1).map(({ atMs }, i) => atMs - calls[i]!.atMs);
    expect(first).toBeGreaterThanOrEqual(120);
    expect(second).toBeGreaterThanOrEqual(245);
    expect(third).toBeGreaterThanOrEqual(495);
    expect(third).toBeLessThan(1_500);
    await sleep(200);
    expect(await (await DeadLetters.open(admin)).list()).toEqual([]);
  });

  it('waits out an outage of the database, however many tries it takes', async () => {
    let tries = 0;
    const counts = new Set<number>();
    await provisioner((_, { deliveryCount }) => {
      counts.add(deliveryCount);
      tries += 1;
      if (tries < 6) throw Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });
    });
    source.addCommand('s1');
    await until('it passes', () => tries === 6, 20_000);
    expect([...counts]).toEqual([1]);
  }, 30_000);
});

describe('a message that is given up', () => {
  it('is listed with its reason, and done once it is sent again with success', async () => {
    let broken = true;
    const handled: number[] = [];
    await provisioner((message) => {
      if (broken) throw new Refusal('invalid', `The site ${message.data.siteId} is not known.`);
      handled.push(message.position);
    });
    source.addCommand('s1');
    source.addCommand('s2');
    const letters = await DeadLetters.open(admin);
    await until('both are dead', async () => (await letters.list()).length === 2);
    const [first, second] = await letters.list();
    expect(first).toEqual({
      id: 1, durable: 'provisioner-local', subject: 'cmd.host.local.EnsureEdge.s1', position: 1, deliveries: 1,
      reason: 'refused (invalid): The site s1 is not known.', diedAt: expect.any(String), message: expect.objectContaining({ type: 'EnsureEdge', position: 1 }),
    });
    await expect(letters.resend(first!.id)).rejects.toThrow('The dead letter 1 (EnsureEdge at 1) failed again: refused (invalid): The site s1 is not known.');
    expect(await letters.list()).toHaveLength(2);
    broken = false;
    await letters.resend(first!.id);
    expect(handled).toEqual([1]);
    await letters.drop(second!.id);
    expect(await letters.list()).toEqual([]);
    await expect(letters.resend(7)).rejects.toThrow('There is no dead letter 7.');
  });

  it('has failed for now too often, or for good once', async () => {
    const calls: number[] = [];
    await lifecycle((message) => {
      calls.push(message.position);
      if (message.position === 1) throw Object.assign(new Error('No such image.'), { retryable: false });
      throw new Error('A bug.');
    });
    source.addEvent('s1');
    source.addEvent('s2');
    const letters = await DeadLetters.open(admin);
    await until('both are dead', async () => (await letters.list()).length === 2, 20_000);
    expect((await letters.list()).map(({ position, reason, deliveries }) => [position, reason, deliveries])).toEqual([
      [1, 'Error: No such image.', 1],
      [2, 'given up after 4 deliveries: Error: A bug.', 4],
    ]);
    expect(calls.filter((position) => position === 2)).toHaveLength(4);
  }, 30_000);

  it('has killed its workers, and holds up nobody', async () => {
    const manager = await jetstreamManager(admin);
    source.addEvent('s1');
    source.addEvent('s1');
    await until('they are published', async () => (await manager.streams.info(LOG_STREAM)).state.last_seq === 2);
    const durable = (await manager.consumers.list(LOG_STREAM).next()).find(({ name, num_pending }) => name.startsWith('lifecycle') && num_pending === 2)!.name;
    for (let death = 0; death < 4; death += 1) {
      const worker = await connectAs(nats, 'lifecycle');
      const pull = await worker.request(`$JS.API.CONSUMER.MSG.NEXT.${LOG_STREAM}.${durable}`, JSON.stringify({ batch: 1, expires: 3e9 }), {
        timeout: 4_000, noMux: true, reply: `_INBOX_lifecycle.${death}`,
      });
      expect(pull.string()).toContain('s1');
      await worker.close();
    }
    const handled: number[] = [];
    await lifecycle((message) => void handled.push(message.position));
    await until('the next one is handled', () => handled.includes(2));
    const [letter] = await (await DeadLetters.open(admin)).list();
    expect(letter).toMatchObject({ position: 1, reason: expect.stringContaining('its worker died') });
    expect(handled).toEqual([2]);
  }, 40_000);

  it('cannot be sent to an app that is not running', async () => {
    const app = await provisioner(() => {
      throw new Refusal('invalid', 'No.');
    });
    source.addCommand('s1');
    const letters = await DeadLetters.open(admin);
    await until('it is dead', async () => (await letters.list()).length === 1);
    await app.close();
    await expect(letters.resend(1)).rejects.toThrow('The app that works on resend.provisioner-local is not running: start it and send again.');
  });
});

describe('order', () => {
  /** Notes who works on what, and complains about two at once and about what is overtaken. */
  function referee(): { handle(message: StoredMessage, workMs: number, fail: boolean): Promise<void>; done: Map<string, number[]>; faults: string[] } {
    const busy = new Set<string>();
    const done = new Map<string, number[]>();
    const faults: string[] = [];
    const handle = async ({ streamId, position }: StoredMessage, workMs: number, fail: boolean): Promise<void> => {
      if (busy.has(streamId)) faults.push(`two at once on ${streamId}`);
      busy.add(streamId);
      await sleep(workMs);
      busy.delete(streamId);
      if (fail) throw retryable('Not now.');
      const positions = done.get(streamId) ?? [];
      done.set(streamId, positions);
      if (positions.some((earlier) => earlier > position)) faults.push(`${position} after ${positions.at(-1)} on ${streamId}`);
      positions.push(position);
    };
    return { handle, done, faults };
  }

  it('holds for each key over three instances, whatever fails', async () => {
    const { handle, done, faults } = referee();
    const shares = [0, 0, 0];
    for (let i = 0; i < 3; i += 1) {
      await lifecycle(async (message) => {
        shares[i]! += 1;
        await handle(message, Math.random() < 0.1 ? 3 : 0, Math.random() < 0.01);
      });
    }
    for (let i = 0; i < 4_000; i += 1) source.addEvent(`s${i % 61}`);
    const count = (): number => [...done.values()].flat().length;
    await until('all are handled', () => count() >= 4_000, 100_000);
    expect(faults).toEqual([]);
    expect(count()).toBe(4_000);
    expect(Math.min(...shares)).toBeGreaterThan(0);
  }, 120_000);

  it('holds for each site of a host, and a slow site holds up no other', async () => {
    const { handle, done, faults } = referee();
    await provisioner((message, { deliveryCount }) => handle(message, message.data.siteId === 's0' ? 400 : 1, message.position % 97 === 0 && deliveryCount === 1));
    for (let i = 0; i < 3; i += 1) source.addCommand('s0');
    for (let i = 0; i < 1_000; i += 1) source.addCommand(`s${1 + (i % 20)}`);
    const count = (): number => [...done.values()].flat().length;
    await until('the others are handled', () => count() - (done.get('operation/s0')?.length ?? 0) === 1_000, 60_000);
    await until('all are handled', () => count() === 1_003);
    expect(faults).toEqual([]);
    expect(done.get('operation/s0')).toEqual([1, 2, 3]);
  }, 90_000);

  it('holds when a worker is cut off and another takes over', async () => {
    const { handle, done, faults } = referee();
    const first = await provisioner((message) => handle(message, 5_000, true), 10);
    for (let i = 0; i < 40; i += 1) source.addCommand(`s${i % 4}`);
    await until('it has begun', async () => (await (await jetstreamManager(admin)).consumers.info(LOG_STREAM, 'provisioner-local')).num_ack_pending > 20);
    await first.server.unwrap<NatsConnection>().close();
    for (let i = 0; i < 40; i += 1) source.addCommand(`s${i % 4}`);
    const second = referee();
    await provisioner((message) => second.handle(message, 1, false));
    await until('all are handled', () => [...second.done.values()].flat().length >= 80, 20_000);
    expect([faults, second.faults, [...done.values()]]).toEqual([[], [], []]);
  }, 40_000);
});

describe('a message that is delivered again', () => {
  it('changes nothing for a handler that knows what it has done', async () => {
    const highest = new Map<string, number>();
    let calls = 0;
    let effects = 0;
    await provisioner((message) => {
      calls += 1;
      if (message.position <= (highest.get(message.data.siteId) ?? 0)) return;
      highest.set(message.data.siteId, message.position);
      effects += 1;
    });
    for (let i = 0; i < 200; i += 1) source.addCommand(`s${i % 7}`);
    await until('all are handled', () => calls === 200);
    await deliverAgain(admin, 'provisioner-local');
    await until('all are handled again', () => calls === 400, 20_000);
    expect(effects).toBe(200);
  }, 40_000);
});

describe('a stop', () => {
  it('finishes what is being worked on and hands back the rest', async () => {
    const handled: number[] = [];
    let begun = false;
    const app = await provisioner(async (message) => {
      begun = true;
      await sleep(300);
      handled.push(message.position);
    });
    for (let i = 0; i < 5; i += 1) source.addCommand('s1');
    await until('it has begun', async () => begun && (await (await jetstreamManager(admin)).consumers.info(LOG_STREAM, 'provisioner-local')).num_ack_pending === 5);
    await app.close();
    expect(handled.length).toBeGreaterThan(0);
    const before = handled.length;
    await provisioner((message) => void handled.push(message.position));
    await until('the rest is handled', async () => handled.length >= 5 && (await settled('provisioner-local')));
    expect(before).toBeLessThan(5);
    expect(handled).toEqual([1, 2, 3, 4, 5]);
  });

  it('aborts what takes too long', async () => {
    let [begun, aborted] = [false, false];
    const app = await provisioner(async (_, { signal }) => {
      begun = true;
      await sleep(60_000, undefined, { signal }).catch(() => (aborted = true));
      throw retryable('Stopped.');
    }, 100);
    source.addCommand('s1');
    await until('it has begun', () => begun);
    await app.close();
    expect(aborted).toBe(true);
  });
});

describe('work goes on by itself', () => {
  it('when NATS is killed and comes back, and when the stream was lost', async () => {
    const handled = new Set<number>();
    await provisioner((message) => void handled.add(message.position));
    await lifecycle((message) => void handled.add(message.position));
    source.fill(50);
    await until('all are handled', () => handled.size === 50);
        await nats.restart();    source.fill(50);
    await until('all are handled after a restart', () => handled.size === 100, 20_000);    await nats.restart({ empty: true });
    source.fill(50);
    await until('all are handled with a new stream', () => handled.size === 150, 30_000);
  }, 60_000);
});
