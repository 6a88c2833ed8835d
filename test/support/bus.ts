import { jetstream, jetstreamManager, type StoredMsg } from '@nats-io/jetstream';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectBus, type BusLog } from '#messaging/connection.js';
import { JetStreamServer, type JetStreamServerOptions } from '#messaging/jetstream-server.js';
import { LOG_STREAM, type BusUser } from '#messaging/subjects.js';
import { setupBus, type BusSetup } from '#messaging/setup.js';
import type { TestNats } from './nats.js';

export const silent: BusLog = { log: () => undefined, warn: () => undefined, error: () => undefined };

export function connectAs(nats: Pick<TestNats, 'url'>, user: BusUser): Promise<NatsConnection> {
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
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`Not so within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}

@Module({})
class TestModule {}

export interface TestApp {
  readonly server: JetStreamServer;
  close(): Promise<void>;
}

/** An instance of an app with handlers of the test's own. */
export async function startApp(nats: TestNats, options: Omit<JetStreamServerOptions, 'url'> & { app: BusUser }, ...controllers: (new () => object)[]): Promise<TestApp> {
  const server = new JetStreamServer({ ...options, url: nats.url(options.app) });
  const service = await NestFactory.createMicroservice({ module: TestModule, controllers }, { strategy: server, logger: process.env['SHOW'] ? undefined : false });
  await service.listen();
  return { server, close: () => service.close() };
}

/** Has everything that a durable was ever given be given out once more: every message twice. */
export async function deliverAgain(admin: NatsConnection, ...durables: string[]): Promise<void> {
  const manager = await jetstreamManager(admin);
  for (const durable of durables) {
    const { config } = await manager.consumers.info(LOG_STREAM, durable);
    await manager.consumers.delete(LOG_STREAM, durable);
    await manager.consumers.add(LOG_STREAM, config);
  }
}

/** Cuts a bus anew: no streams, then those of the setup. */
export async function freshBus(admin: NatsConnection, setup: BusSetup): Promise<void> {
  const manager = await jetstreamManager(admin);
  for (const { config } of await manager.streams.list().next()) await manager.streams.delete(config.name);
  await setupBus(admin, setup);
}
