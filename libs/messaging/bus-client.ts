import { errors, type NatsConnection } from '@nats-io/transport-node';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { Cause } from '#contracts/message.js';
import { encodeData, type Messages, type MessageType } from '#contracts/registry.js';
import { Refusal, type RefusalCode } from '#domain/refusal.js';
import { connectBus, isConnected, whileConnected, type BusLog } from './connection.js';
import { causeHeaders } from './envelope.js';
import { askSubject, calledBy, DOORBELL } from './subjects.js';
import { Unavailable } from './unavailable.js';

/** What travels back from an ask. */
export type Answer =
  | { readonly value: unknown }
  | { readonly refusal: { readonly code: RefusalCode; readonly message: string; readonly field?: string } }
  | { readonly failure: { readonly message: string; readonly retryable: boolean } };

const BUS_AWAY_RETRY_MS = 100;

/** Asks other apps and hears the doorbell. */
export class BusClient {
  private constructor(private readonly connection: NatsConnection) {}

  /** Waits until the bus is there. `app` is the name in log lines; the user is in the url. */
  static async connect(options: { url: string; app: string; log?: BusLog }): Promise<BusClient> {
    return new BusClient(await connectBus({ url: options.url, name: options.app }, options.log ?? console));
  }

  /** Whether the bus is there right now. */
  get connected(): boolean {
    return isConnected(this.connection);
  }

  /**
   * Asks an app, or a host's provisioner by its hostAddress, and waits for the answer. Throws the Refusal of whoever was asked, or
   * Unavailable (retryable) when nobody answers in time: then it is not known whether the ask was taken, so ask again with the same cause id.
   */
  async ask<K extends MessageType, R = Accepted>(asked: string, type: K, data: Messages[K], cause: Cause, timeoutMs = 5_000): Promise<R> {
    const answer = await this.request(asked, type, encodeData(type, data), cause, timeoutMs);
    if ('refusal' in answer) throw new Refusal(answer.refusal.code, answer.refusal.message, answer.refusal.field);
    if ('failure' in answer) {
      if (answer.failure.retryable) throw new Unavailable(answer.failure.message);
      throw new Error(answer.failure.message);
    }
    return answer.value as R;
  }

  /** Tells whoever follows the log that it has grown. Lost when the bus is away: followers poll as well. */
  ring(position: number): void {
    if (!this.connection.isClosed()) this.connection.publish(DOORBELL, String(position));
  }

  /** Calls back with the position of each append that was rung; returns what ends it. */
  onDoorbell(callback: (position: number) => void): () => void {
    const subscription = this.connection.subscribe(DOORBELL, {
      callback: (error, message) => {
        if (!error) callback(Number(message.string()));
      },
    });
    return () => subscription.unsubscribe();
  }

  async close(): Promise<void> {
    await this.connection.drain();
  }

  private async request(asked: string, type: MessageType, payload: string, cause: Cause, timeoutMs: number): Promise<Answer> {
    const end = performance.now() + timeoutMs;
    for (let wasAway = false; ; ) {
      try {
        const options = { timeout: Math.max(1, end - performance.now()), headers: causeHeaders(cause) };
        return (await whileConnected(this.connection, () => this.connection.request(askSubject(asked, type), payload, options))).json<Answer>();
      } catch (error) {
        wasAway ||= error instanceof Unavailable;
        const mayPass = error instanceof Unavailable || (wasAway && isNobodyThere(error)); // the other may come back later than we do
        if (!mayPass || performance.now() + BUS_AWAY_RETRY_MS > end) throw notAnswered(error, calledBy(asked), type, timeoutMs);
        await sleep(BUS_AWAY_RETRY_MS);
      }
    }
  }
}

/** Whether a request reached nobody. */
export function isNobodyThere(error: unknown): boolean {
  return error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders());
}

function notAnswered(error: unknown, asked: string, type: string, timeoutMs: number): unknown {
  if (isNobodyThere(error)) return new Unavailable(`No ${asked} answers ${type} right now: it is not running, or not connected to the bus. Try again.`, { cause: error });
  if (error instanceof errors.TimeoutError) return new Unavailable(`${asked} did not answer ${type} within ${timeoutMs} ms. Try again.`, { cause: error });
  return new Unavailable(`${asked} could not be asked for ${type}: ${(error as Error).message}`, { cause: error });
}
