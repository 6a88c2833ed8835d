import { jetstream, jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus, type BusLog } from '#messaging/connection.js';
import { LOG_STREAM, type BusUser } from '#messaging/subjects.js';
import type { TestNats } from './nats.js';

export const silent: BusLog = { log: () => undefined, warn: () => undefined, error: () => undefined };

export function connectAs(nats: TestNats, user: BusUser): Promise<NatsConnection> {
  return connectBus({ url: nats.url(user), name: user }, silent);
}

/** Everything that the stream LOG holds, in order. */
export async function readStream(admin: NatsConnection): Promise<StoredMsg[]> {
  const manager = await jetstreamManager(admin);
  const { state } = await manager.streams.info(LOG_STREAM);
  const consumer = await jetstream(admin).consumers.get(LOG_STREAM, {});
  const found: StoredMsg[] = [];
  while (found.length < state.messages) {
    const before = found.length;
    for await (const m of await consumer.fetch({ max_messages: 10_000, expires: 1_000 })) {
      found.push({ seq: m.seq, subject: m.subject, header: m.headers!, data: m.data, string: () => m.string() } as StoredMsg);
      if (found.length === state.messages) break;
    }
    if (found.length === before) break;
  }
  await consumer.delete().catch(() => undefined);
  return found;
}

/** Waits until something holds; says what did not within the time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Not so within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}
