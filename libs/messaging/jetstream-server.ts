import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import type { NatsConnection } from '@nats-io/transport-node';
import { lastValueFrom } from 'rxjs';
import { setTimeout as sleep } from 'node:timers/promises';
import { reached } from '#contracts/probe.js';
import type { StoredMessage } from '#contracts/message.js';
import { AskDesk } from './ask-desk.js';
import { connectBus, isConnected } from './connection.js';
import { askPattern, askTypeOf, commandPattern, eventPattern, type HandlerContext } from './handlers.js';
import { resent } from './resent.js';
import { durablesOf, hostAddress, resendSubject } from './subjects.js';
import { Work } from './work.js';

export interface JetStreamServerOptions {
  /** Which app this is: its durables, its asks. */
  readonly app: string;
  /** Only for a provisioner: the host that it works on, and whose asks it answers. */
  readonly hostId?: string;
  /** nats://user:password@host:port */
  readonly url: string;
  /** How many messages of different keys are worked on at once. */
  readonly concurrency?: number;
  /** Told of each message that a handler has worked on; for the log. */
  readonly onHandled?: (handled: Handled) => void;
  /** How long a stop waits for what is being worked on before it aborts the signal of its handlers. */
  readonly drainMs?: number;
}

/** How the work on one delivery of a message went. */
export interface Handled {
  readonly message: StoredMessage;
  readonly deliveryCount: number;
  readonly elapsedMs: number;
  /** What the handler threw. */
  readonly error?: unknown;
}

const ABORT_GRACE_MS = 2_000;

/**
 * NestJS microservice over JetStream: give it to `connectMicroservice({ strategy })`. A message is acknowledged when its handler has
 * returned, kept alive while it works, tried again or given up by what it throws (fate.ts). Messages of one key are worked on
 * in order, also by several instances of an app. `close` finishes what is being worked on and hands back the rest.
 */
export class JetStreamServer extends Server implements CustomTransportStrategy {
  override readonly propagatesEventHandlerErrors = true;
  private readonly stopping = new AbortController();
  private connection: NatsConnection | undefined;
  private work: Work | undefined;
  private desk: AskDesk | undefined;

  constructor(private readonly options: JetStreamServerOptions) {
    super();
  }

  /** Whether the bus is there right now. */
  get connected(): boolean {
    return this.connection !== undefined && isConnected(this.connection);
  }

  override async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      const { app, hostId, url, concurrency = 16 } = this.options;
      this.connection = await connectBus({ url, name: app }, this.logger);
      const durables = durablesOf(app, hostId).map((durable) => durable.name);
      const address = hostId === undefined ? app : hostAddress(hostId);
      this.work = new Work(this.connection, {
        durables,
        keepsOrder: hostId !== undefined,
        concurrency,
        log: this.logger,
        handle: (message, delivery) => this.handleMessage(message, { ...delivery, signal: this.stopping.signal }),
      });
      this.desk = new AskDesk(this.connection, { address, log: this.logger, answer: (type, data, cause) => this.invoke(askPattern(type), data, cause) });
      this.desk.open([...this.messageHandlers.keys()].flatMap((pattern) => askTypeOf(pattern) ?? []));
      if (durables[0]) this.desk.serve(resendSubject(durables[0]), app, (message) => resent(message, this.work!));
      this.work.start();
      await this.connection.flush(); // who is told that this app runs can ask it at once
      callback();
    } catch (error) {
      callback(error);
    }
  }

  override async close(): Promise<void> {
    if (!this.connection) return;
    const drained = Promise.all([this.desk?.close(), this.work?.stop()]);
    const inTime = await Promise.race([drained.then(() => true), sleep(this.options.drainMs ?? 20_000, false, { ref: false })]);
    if (!inTime) {
      this.logger.warn(`${this.options.app}: what is being worked on takes too long to stop; aborting it.`);
      this.stopping.abort();
      await Promise.race([drained, sleep(ABORT_GRACE_MS, undefined, { ref: false })]);
    }
    if (!this.connection.isClosed()) await this.connection.drain();
    this.connection = undefined;
  }

  on(): never {
    throw new Error('The bus has no events of its own to listen to; see `connected`.');
  }

  unwrap<T>(): T {
    return this.connection as T;
  }

  private async handleMessage(message: StoredMessage, context: HandlerContext): Promise<void> {
    const pattern = message.kind === 'command' ? commandPattern(message.type) : eventPattern(message.type);
    if (!this.getHandlerByPattern(pattern)) {
      if (message.kind === 'event') return;
      throw new Error(`${this.options.app} has no handler for the command ${message.type}: is an older version running?`);
    }
    reached(`handler:${message.type}:received`);
    const began = performance.now();
    const tell = (outcome: { error?: unknown }): void => this.options.onHandled?.({ message, deliveryCount: context.deliveryCount, elapsedMs: Math.round(performance.now() - began), ...outcome });
    try {
      await this.invoke(pattern, message, context);
    } catch (error) {
      tell({ error });
      throw error;
    }
    tell({});
  }

  private async invoke(pattern: string, data: unknown, context: unknown): Promise<unknown> {
    const result: unknown = await this.getHandlerByPattern(pattern)!(data, context);
    return lastValueFrom(this.transformToObservable(result), { defaultValue: undefined });
  }
}
