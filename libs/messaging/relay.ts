import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { connectBus, isConnected, whileConnected, type BusLog } from './connection.js';
import type { RawMessage } from './envelope.js';
import { reasonOf, backOffMs } from './fate.js';
import { publishBatch } from './publish.js';
import { missingOnBus, setupBus, type BusSetup } from './setup.js';
import { DOORBELL, LOG_STREAM } from './subjects.js';

/** The log as the relay reads it. */
export interface LogSource {
  /** Messages after a position, dense and in order; only what is on disk for good, since what was published cannot be taken back. */
  readRaw(options: { after: number; limit: number }): Promise<readonly RawMessage[]>;
  /** Position of the last message, 0 when there is none. */
  head(): Promise<number>;
}

export interface RelayOptions {
  readonly url: string;
  readonly source: LogSource;
  readonly setup: BusSetup;
  readonly log?: BusLog;
  /** How often the log is looked at when no doorbell rings. */
  readonly pollMs?: number;
}

/** The stream holds what the log does not: nothing may be published before a person has decided. */
export class StreamAheadError extends Error {
  override readonly name = 'StreamAheadError';
}

const BATCH = 1_024;
const BATCHES_UNCONFIRMED = 3;
const POLL_MS = 1_000;
const API_TIMEOUT_MS = 1_000;

/**
 * Publishes the log to the stream LOG, position for position, from where the stream ends. Killed, doubled or cut off at any moment
 * it leaves the stream equal to the log's beginning: each message is stored only as the next after the one before it. A stream that
 * was lost is made again and filled from the log.
 */
export class Relay {
  private readonly log: BusLog;
  private connection: NatsConnection | undefined;
  private manager: JetStreamManager | undefined;
  private stopped = false;
  private position_ = 0;
  private working: Promise<void> | undefined;
  private wake: () => void = () => undefined;
  private rung = false;

  constructor(private readonly options: RelayOptions) {
    this.log = options.log ?? console;
  }

  /** Last position that is known to be in the stream. */
  get position(): number {
    return this.position_;
  }

  get connected(): boolean {
    return this.connection !== undefined && isConnected(this.connection);
  }

  /** Relays until it is stopped. Rejects only when the stream and the log do not belong together (StreamAheadError). */
  async run(): Promise<void> {
    this.connection = await connectBus({ url: this.options.url, name: 'relay' }, this.log);
    this.manager = await jetstreamManager(this.connection, { checkAPI: false, timeout: API_TIMEOUT_MS });
    this.connection.subscribe(DOORBELL, { callback: () => this.ring() });
    void this.goOnOnceBack(this.connection);
    this.working = this.work();
    return this.working;
  }

  /** To be called by whoever appends in the same process; others ring the bus' doorbell. */
  ring(): void {
    this.rung = true;
    this.wake();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wake();
    await this.working?.catch(() => undefined);
    await this.connection?.close();
  }

  private async work(): Promise<void> {
    for (let failures = 0; !this.stopped; ) {
      try {
        await whileConnected(this.connection!, () => this.resume());
        if (failures > 0) this.log.log(`The relay goes on from position ${this.position_}.`);
        failures = 0;
        await this.follow();
      } catch (error) {
        if (error instanceof StreamAheadError) throw error;
        if (this.stopped) return;
        if (this.connection!.isClosed()) throw error;
        failures += 1;
        if (failures === 1) this.log.warn(`The relay stands still at position ${this.position_} and tries again. ${reasonOf(error)}`);
        await this.sleep(Math.min(backOffMs(failures, Math.random()), 2_000));
      }
    }
  }

  /** A bus that is back is not kept waiting until the rest of a failure is over. */
  private async goOnOnceBack(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) if (type === 'reconnect') this.ring();
  }

  /** Finds where the stream ends, and makes sure that it is the same log. */
  private async resume(): Promise<void> {
    const last = await this.lastInStream();
    const head = await this.options.source.head();
    if (head < last) {
      throw new StreamAheadError(
        `The log ends at position ${head}, but the stream ${LOG_STREAM} already holds ${last}: the log was restored from an older backup, or this is the bus of another log. ` +
          `Restore the newer log, or delete the stream ${LOG_STREAM} to have it filled again from this log.`,
      );
    }
    if (last > 0) await this.compare(last);
    this.position_ = last;
  }

  private async compare(position: number): Promise<void> {
    const stored = await this.manager!.streams.getMessage(LOG_STREAM, { seq: position });
    const [logged] = await this.options.source.readRaw({ after: position - 1, limit: 1 });
    const [inStream, inLog] = [stored?.header.get('ce-hash'), logged?.hash];
    if (inStream === inLog) return;
    throw new StreamAheadError(
      `Position ${position} is another message in the stream ${LOG_STREAM} (${inStream}) than in the log (${inLog}): they do not belong together. ` +
        `Delete the stream ${LOG_STREAM} to have it filled again from this log, or point to the right bus.`,
    );
  }

  /** Makes what is missing of the bus. */
  private async lastInStream(): Promise<number> {
    const missing = await missingOnBus(this.manager!, this.options.setup);
    if (missing.length > 0) {
      this.log.warn(`Not there on the bus, and made now: ${missing.join(', ')}.`);
      await setupBus(this.connection!, this.options.setup);
    }
    return (await this.manager!.streams.info(LOG_STREAM)).state.last_seq;
  }

  /** Reads and publishes on while earlier batches wait for their acknowledgement. */
  private async follow(): Promise<void> {
    const unconfirmed: Promise<number>[] = [];
    let sent = this.position_;
    try {
      while (!this.stopped) {
        this.rung = false;
        const batch = await this.options.source.readRaw({ after: sent, limit: BATCH });
        if (batch.length > 0) {
          sent = batch.at(-1)!.position;
          const confirmed = publishBatch(this.connection!, batch);
          // It may fail while the log is read, before it is waited for: what nobody waits for would end the process.
          confirmed.catch(() => undefined);
          unconfirmed.push(confirmed);
        }
        const nothingNew = batch.length === 0;
        if (unconfirmed.length > (nothingNew ? 0 : BATCHES_UNCONFIRMED)) this.position_ = await unconfirmed.shift()!;
        else if (nothingNew && !this.rung) await this.sleep(this.options.pollMs ?? POLL_MS);
      }
    } finally {
      const outcomes = await Promise.allSettled(unconfirmed);
      for (const outcome of outcomes) if (outcome.status === 'fulfilled') this.position_ = outcome.value;
    }
  }

  private async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => (clearTimeout(timer), resolve());
    });
    this.wake = () => undefined;
  }
}
