import { jetstream, type ConsumerMessages, type JetStreamClient, type JsMsg } from '@nats-io/jetstream';
import { nanos, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BusLog } from './connection.js';
import { reasonOf } from './fate.js';
import { LOG_STREAM } from './subjects.js';

/** A message that was given out for work, and the ways to say what became of it. */
export interface Letter {
  readonly subject: string;
  readonly headers: MsgHdrs | undefined;
  readonly position: number;
  readonly deliveryCount: number;
  readonly maxDeliveries: number;
  /** Without a sign of life for so long the server gives the message to the next. */
  readonly ackWaitMs: number;
  text(): string;
  working(): void;
  ack(): void;
  /** Hands it back, to come again. */
  nak(delayMs?: number): void;
  /** Gives it up. */
  term(reason: string): void;
}

const RETRY_MS = 500;
const PULL_MS = 30_000;

/** Pulls a durable's messages for as long as it is not stopped, whatever happens to the server, the stream or the durable meanwhile. */
export class Pull {
  private readonly client: JetStreamClient;
  private readonly stopping = new AbortController();
  private messages: ConsumerMessages | undefined;
  private finished: Promise<void> | undefined;
  private complained = false;

  constructor(
    connection: NatsConnection,
    private readonly durable: string,
    private readonly log: BusLog,
    private readonly take: (letter: Letter) => unknown,
  ) {
    this.client = jetstream(connection);
  }

  start(): void {
    this.finished = this.run();
  }

  /** Asks for nothing more; what was pulled is still handed over. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.messages?.stop();
    await this.finished;
  }

  /** How many messages the server has given out and heard nothing final of, whoever has them. */
  async outstanding(): Promise<number> {
    const consumer = await this.client.consumers.get(LOG_STREAM, this.durable);
    return (await consumer.info(true)).num_ack_pending;
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        await this.pull();
      } catch (error) {
        this.complain(error);
      }
      await sleep(RETRY_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  private async pull(): Promise<void> {
    const consumer = await this.client.consumers.get(LOG_STREAM, this.durable);
    const { max_deliver = -1, ack_wait = nanos(30_000), max_ack_pending = 1 } = (await consumer.info(true)).config;
    this.messages = await consumer.consume({ max_messages: Math.min(max_ack_pending, 256), expires: PULL_MS, abort_on_missing_resource: true });
    if (this.stopping.signal.aborted) this.messages.stop();
    if (this.complained) this.log.log(`The durable ${this.durable} is there again.`);
    this.complained = false;
    const limits = { maxDeliveries: max_deliver > 0 ? max_deliver : Infinity, ackWaitMs: ack_wait / nanos(1) };
    for await (const message of this.messages) this.take(letterOf(message, limits));
  }

  private complain(error: unknown): void {
    if (this.complained || this.stopping.signal.aborted) return;
    this.complained = true;
    this.log.warn(`Cannot pull from the durable ${this.durable}; trying again until it is there. ${reasonOf(error)}`);
  }
}

function letterOf(message: JsMsg, limits: Pick<Letter, 'maxDeliveries' | 'ackWaitMs'>): Letter {
  return {
    ...limits,
    subject: message.subject,
    headers: message.headers,
    position: message.seq,
    deliveryCount: message.info.deliveryCount,
    text: () => message.string(),
    working: () => message.working(),
    ack: () => message.ack(),
    nak: (delayMs) => message.nak(delayMs),
    term: (reason) => message.term(reason),
  };
}
