import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import type { StoredMessage } from '#contracts/message.js';
import { isNobodyThere, type Answer } from './bus-client.js';
import { readMessage } from './envelope.js';
import { RESENT_SUBJECT } from './resent.js';
import { DEAD_STREAM, LOG_STREAM, resendSubject } from './subjects.js';
import { Unavailable } from './unavailable.js';

/** A message that an app has given up. */
export interface DeadLetter {
  readonly id: number;
  /** The durable whose work it was, for example lifecycle-3 or provisioner-local. */
  readonly durable: string;
  readonly subject: string;
  readonly position: number;
  readonly deliveries: number;
  readonly reason: string;
  /** RFC 3339, UTC. */
  readonly diedAt: string;
  readonly message: StoredMessage;
}

/** What the server notes of a message that was given up. */
interface Notice {
  readonly timestamp: string;
  readonly consumer: string;
  readonly stream_seq: number;
  readonly deliveries: number;
  /** Only when a worker has said why. */
  readonly reason?: string;
}

const RESEND_TIMEOUT_MS = 300_000;

/** What was given up: an operator lists it, sends it again, or drops it. Needs the bus' admin. */
export class DeadLetters {
  private constructor(
    private readonly connection: NatsConnection,
    private readonly manager: JetStreamManager,
  ) {}

  static async open(connection: NatsConnection): Promise<DeadLetters> {
    return new DeadLetters(connection, await jetstreamManager(connection, { checkAPI: false }));
  }

  /** Oldest first. */
  async list(): Promise<readonly DeadLetter[]> {
    const { state } = await this.manager.streams.info(DEAD_STREAM);
    if (state.messages === 0) return [];
    const consumer = await jetstream(this.connection).consumers.get(DEAD_STREAM, {});
    const letters: DeadLetter[] = [];
    for await (const message of await consumer.fetch({ max_messages: state.messages, expires: 2_000 })) {
      letters.push(await this.letter(message.seq, message.json<Notice>()));
      if (message.info.pending === 0) break;
    }
    return letters;
  }

  /**
   * Hands it to the app whose work it was and waits for the outcome: once, in turn with the other messages of its key. It is no
   * longer a dead letter when the app's handler has returned; otherwise it stays one, and what went wrong is thrown.
   */
  async resend(id: number, timeoutMs = RESEND_TIMEOUT_MS): Promise<void> {
    const letter = await this.get(id);
    const stored = await this.manager.streams.getMessage(LOG_STREAM, { seq: letter.position });
    const { header, data } = stored!;
    header.set(RESENT_SUBJECT, letter.subject);
    const answer = await this.request(resendSubject(letter.durable), data, { timeout: timeoutMs, headers: header });
    if ('failure' in answer) throw new Error(`The dead letter ${id} (${letter.message.type} at ${letter.position}) failed again: ${answer.failure.message}`);
    await this.drop(id);
  }

  /** Forgets it. The log keeps the message itself. */
  async drop(id: number): Promise<void> {
    await this.manager.streams.deleteMessage(DEAD_STREAM, id);
  }

  private async get(id: number): Promise<DeadLetter> {
    const notice = await this.manager.streams.getMessage(DEAD_STREAM, { seq: id }).catch(() => null);
    if (!notice) throw new Error(`There is no dead letter ${id}.`);
    return this.letter(id, notice.json<Notice>());
  }

  private async letter(id: number, notice: Notice): Promise<DeadLetter> {
    const stored = await this.manager.streams.getMessage(LOG_STREAM, { seq: notice.stream_seq });
    if (!stored) throw new Error(`The dead letter ${id} is about position ${notice.stream_seq}, which the stream ${LOG_STREAM} does not hold.`);
    return {
      id,
      durable: notice.consumer,
      subject: stored.subject,
      position: notice.stream_seq,
      deliveries: notice.deliveries,
      reason: notice.reason ?? `never acknowledged, ${notice.deliveries} times: its worker died or hung over it`,
      diedAt: notice.timestamp,
      message: readMessage(stored.header, stored.string()),
    };
  }

  private async request(subject: string, data: Uint8Array, options: { timeout: number; headers: MsgHdrs }): Promise<Answer> {
    try {
      return (await this.connection.request(subject, data, options)).json<Answer>();
    } catch (error) {
      throw new Unavailable(isNobodyThere(error) ? `The app that works on ${subject} is not running: start it and send again.` : `No outcome for ${subject}: ${(error as Error).message}`, { cause: error });
    }
  }
}
