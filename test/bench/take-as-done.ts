import { jetstream } from '@nats-io/jetstream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStore } from '#eventstore/event-store.js';
import { connectBus } from '#messaging/connection.js';
import { Relay } from '#messaging/relay.js';
import { allDurables } from '#messaging/setup.js';
import { LOG_STREAM, SUBSCRIBER_DURABLE } from '#messaging/subjects.js';
import { silent } from '../support/bus.js';

const SETUP = { hosts: ['local'] };
const BATCH = 1_000;
const EXPIRES_MS = 1_000;
const POLL_MS = 50;

/** Carries the log to the bus of a plane whose apps stand still, and acknowledges in their place whatever it has for them to do. */
export async function takeAsDone(natsUrl: string, source: EventStore): Promise<void> {
  const relay = new Relay({ url: natsUrl, source, setup: SETUP, log: silent });
  const running = relay.run();
  const head = await source.head();
  while (relay.position < head) await Promise.race([sleep(POLL_MS), running]);
  await relay.stop();
  const connection = await connectBus({ url: natsUrl, name: 'bench' }, silent);
  await Promise.all(allDurables(SETUP.hosts).filter(({ name }) => name !== SUBSCRIBER_DURABLE.name).map(async ({ name }) => {
    const consumer = await jetstream(connection).consumers.get(LOG_STREAM, name);
    for (let { num_pending: left } = await consumer.info(); left > 0; { num_pending: left } = await consumer.info()) {
      for await (const message of await consumer.fetch({ max_messages: Math.min(left, BATCH), expires: EXPIRES_MS })) message.ack();
    }
  }));
  await connection.drain();
}
