import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { Cause } from '#contracts/message.js';
import { decodeData, isMessageType } from '#contracts/registry.js';
import { Refusal } from '#domain/refusal.js';
import type { Answer } from './bus-client.js';
import type { BusLog } from './connection.js';
import { readCause } from './envelope.js';
import { fateOf, reasonOf } from './fate.js';
import { askSubject, calledBy } from './subjects.js';

export interface AskDeskOptions {
  /** Who is asked: an app, or a host's provisioner by its address. */
  readonly address: string;
  readonly log: BusLog;
  answer(type: string, data: unknown, cause: Cause): Promise<unknown>;
}

/** Answers what other apps ask an app or a host; each ask reaches one instance. */
export class AskDesk {
  private readonly subscriptions: Subscription[] = [];
  private readonly answering = new Set<Promise<void>>();

  constructor(
    private readonly connection: NatsConnection,
    private readonly options: AskDeskOptions,
  ) {}

  /** Only types with a handler are listened to, so that any other is known at once to have nobody who answers it. */
  open(types: readonly string[]): void {
    const { address } = this.options;
    for (const type of types) {
      this.serve(askSubject(address, type), address, (message) => this.answer(type, message));
    }
  }

  /** Answers requests on a subject, one instance each. */
  serve(subject: string, queue: string, answer: (message: Msg) => Promise<Answer>): void {
    const subscription = this.connection.subscribe(subject, {
      queue,
      callback: (error, message) => {
        if (error) return this.options.log.error(`${subject} cannot be answered: ${error.message}`);
        const answering = answer(message).then((reply) => void message.respond(this.written(reply, subject)));
        this.answering.add(answering);
        void answering.catch((why: unknown) => this.options.log.error(reasonOf(why))).finally(() => this.answering.delete(answering));
      },
    });
    this.subscriptions.push(subscription);
  }

  /** Takes no more, and resolves when what was taken is answered. */
  async close(): Promise<void> {
    await Promise.allSettled(this.subscriptions.map(async (subscription) => subscription.drain()));
    await Promise.allSettled(this.answering);
  }

  /** An answer as it travels. The bus takes none above its limit, and whoever asked shall hear of that at once. */
  private written(reply: Answer, subject: string): string {
    const text = JSON.stringify(reply);
    const limit = this.connection.info?.max_payload ?? Infinity;
    const bytes = Buffer.byteLength(text);
    if (bytes <= limit) return text;
    const message = `The answer to ${subject} has ${bytes} bytes, and the bus carries at most ${limit}.`;
    this.options.log.error(message);
    return JSON.stringify({ failure: { message, retryable: false } } satisfies Answer);
  }

  private async answer(type: string, message: Msg): Promise<Answer> {
    const cause = readCause(message.headers);
    try {
      if (!isMessageType(type)) throw new Error(`The message type ${type} is not known here.`);
      return { value: (await this.options.answer(type, decodeData(type, message.string()), cause)) ?? null };
    } catch (error) {
      return this.failure(type, cause, error);
    }
  }

  private failure(type: string, cause: Cause, error: unknown): Answer {
    if (error instanceof Refusal) {
      const { code, message, field } = error;
      return { refusal: { code, message, ...(field !== undefined && { field }) } };
    }
    const { address, log } = this.options;
    const asked = calledBy(address);
    const { correlationId } = cause.meta;
    log.error(`${asked} failed to answer ${type} (correlation id ${correlationId}): ${reasonOf(error)}`);
    if (error instanceof Error && 'retryable' in error) return { failure: { message: error.message, retryable: error.retryable === true } };
    const message = `${asked} could not answer ${type}; its log says why under the correlation id ${correlationId}.`;
    return { failure: { message, retryable: fateOf(error, 1, 1).kind === 'wait' } };
  }
}
