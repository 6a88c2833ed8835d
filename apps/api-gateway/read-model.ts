import type { Pool } from 'pg';
import type { Logger } from '#boot/logger.js';
import type { EventStore } from '#eventstore/event-store.js';
import { Projection } from '#eventstore/projection.js';
import { gatewayProjection } from './gateway.projection.js';

/** Longest that an answer waits for the read model to show what was just done: a member whose own change is missing asks twice. */
const SHOWN_WITHIN_MS = 2_000;

/** A batch that fails is tried again each second: after this time without a failure it has passed. */
const FAILING_FOR_MS = 5_000;

/** What the gateway shows, kept equal to the log. */
export class ReadModel {
  private readonly projection: Projection;
  private readonly ending = new AbortController();
  private failure: { readonly atMs: number; readonly position: number; readonly reason: string } | undefined;

  constructor(
    private readonly store: EventStore,
    db: Pool,
    schema: string,
    log: Logger,
  ) {
    this.projection = new Projection({
      store, db, schema, definition: gatewayProjection,
      onProgress: (progress) => log.info(progress, 'Building the read model from the log'),
      onError: (err) => {
        this.failure = { atMs: Date.now(), position: this.position, reason: (err as Error).message };
        log.warn({ err }, 'The read model cannot follow the log; trying again');
      },
    });
  }

  /** Last log position that can be read here. */
  get position(): number {
    return this.projection.position;
  }

  /** Why it does not follow the log just now; undefined: it does. */
  get problem(): string | undefined {
    const { failure } = this;
    return failure && failure.position === this.position && failure.atMs > Date.now() - FAILING_FOR_MS ? failure.reason : undefined;
  }

  /** Resolves when everything that is in the log now can be read. */
  async start(): Promise<void> {
    await this.projection.start();
    await this.catchUp(600_000);
  }

  /** Says that the log has grown: up to this position it is on disk. */
  wake(position: number): void {
    this.store.heard(position);
    this.projection.wake();
  }

  /** Whether everything up to this position, which somebody answered with or read, and which so is on disk, can be read here within the time. */
  waitFor(position: number, timeoutMs: number): Promise<boolean> {
    this.store.heard(position);
    return this.projection.waitFor(position, timeoutMs);
  }

  /** Resolves once what was just done at this position can be read, or when that takes too long to keep somebody waiting. */
  async shown(position: number): Promise<void> {
    await this.waitFor(position, SHOWN_WITHIN_MS);
  }

  /** Resolves when more than this can be read, or when the signal says that nobody waits any more. */
  async passed(position: number, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      await this.projection.reached(position + 1, waiting.signal);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async catchUp(timeoutMs = 2_000): Promise<void> {
    await this.waitFor(await this.store.head(), timeoutMs);
  }

  /** Aborted when the process stops: whoever waits for something answers with what there is. */
  get stopping(): AbortSignal {
    return this.ending.signal;
  }

  announceStop(): void {
    this.ending.abort();
  }

  stop(): Promise<void> {
    return this.projection.stop();
  }
}
