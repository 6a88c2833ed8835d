import 'reflect-metadata';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventStore } from '#eventstore/event-store.js';
import { BusClient } from '#messaging/bus-client.js';
import { reasonOf } from '#messaging/fate.js';
import { JetStreamServer, type Handled } from '#messaging/jetstream-server.js';
import { nestLogger, type Logger } from './logger.js';
import type { Running } from './process.js';

export interface WorkerOptions {
  readonly app: string;
  readonly log: Logger;
  readonly databaseUrl: string;
  readonly natsUrl: string;
  /** Only for what works for one host. */
  readonly hostId?: string;
  /** The app's own wiring, around the log that it reads and appends to. */
  module(store: EventStore, bus: BusClient): DynamicModule | Promise<DynamicModule>;
}

/** A host's commands mostly wait for an engine or an edge, each of which has limits of its own: none shall wait in line behind them. */
const HOST_CONCURRENCY = 64;

/** Starts a process that lives on the bus: its log, its doorbell, its handlers. Stops in the reverse order. */
export async function startWorker({ app, log, databaseUrl, natsUrl, hostId, module }: WorkerOptions): Promise<Running> {
  const logger = nestLogger(log);
  const bus = await BusClient.connect({ url: natsUrl, app, log: logger });
  const store = new EventStore({ connectionString: databaseUrl, app, onAppended: (position) => bus.ring(position) });
  const strategy = new JetStreamServer({ app, url: natsUrl, ...(hostId && { hostId, concurrency: HOST_CONCURRENCY }), onHandled: handledLogger(log) });
  const letGo = async (): Promise<void> => {
    await bus.close();
    await store.close();
  };
  try {
    const nest = await NestFactory.createMicroservice(await module(store, bus), { strategy, logger });
    await nest.listen();
    return { stop: async () => { await nest.close(); await letGo(); } };
  } catch (error) {
    await letGo();
    throw error;
  }
}

/** One line for each piece of work: which site, which operation, what, how long. A failure's reason is in the line, not its stack. */
function handledLogger(log: Logger): (handled: Handled) => void {
  return ({ message, deliveryCount, elapsedMs, error }) => {
    const { siteId, projectId, operationId } = message.data as { siteId?: string; projectId?: string; operationId?: string };
    const fields = { site: siteId, project: projectId, job: operationId, step: message.type, position: message.position, delivery: deliveryCount, elapsedMs, correlation: message.meta.correlationId };
    if (error === undefined) log.info(fields, `${message.type} done`);
    else log.warn({ ...fields, reason: reasonOf(error) }, `${message.type} not done`);
  };
}
