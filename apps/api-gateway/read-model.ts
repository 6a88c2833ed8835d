import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Logger } from '#boot/logger.js';
import type { EventStore } from '#eventstore/event-store.js';
import { applyBatch, createTable, tables } from './gateway.projection.js';

const POLL_MS = 1_000;
const BATCH = 1_000;

/** What the gateway shows, folded from the log; follows it from the position that it has reached. */
export class ReadModel {
  position = 0;
  private readonly stopped = new AbortController();
  private waiting: { position: number; resolve: () => void }[] = [];
  private wake = (): void => undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: EventStore,
    private readonly db: Pool,
    private readonly schema: string,
    private readonly log: Logger,
  ) {}

  async start(): Promise<void> {
    await this.db.query(`CREATE TABLE IF NOT EXISTS ${this.schema}.checkpoint (name text PRIMARY KEY, position bigint NOT NULL)`);
    const { rows } = await this.db.query<{ position: number }>(`SELECT position FROM ${this.schema}.checkpoint WHERE name = 'gateway'`);
    if (rows[0]) this.position = rows[0].position;
    else {
      for (const table of tables) await this.db.query(createTable(table, `${this.schema}.${table.table}`));
      await this.db.query(`INSERT INTO ${this.schema}.checkpoint VALUES ('gateway', 0)`);
    }
    this.running = this.follow();
    await this.waitFor(await this.store.head(), 600_000);
  }

  /** Says that the log may have grown. */
  nudge(): void {
    this.wake();
  }

  async waitFor(position: number, timeoutMs: number): Promise<boolean> {
    await this.passed(position - 1, AbortSignal.timeout(timeoutMs));
    return this.position >= position;
  }

  /** Resolves when the position is behind us, or when the signal says that nobody waits any more. */
  async passed(position: number, signal: AbortSignal): Promise<void> {
    if (this.position > position || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const waiter = { position, resolve };
      this.waiting.push(waiter);
      signal.addEventListener('abort', () => {
        this.waiting = this.waiting.filter((one) => one !== waiter);
        resolve();
      }, { once: true });
      this.wake();
    });
  }

  /** Waits until everything that is in the log now can be read here. */
  async catchUp(timeoutMs = 2_000): Promise<void> {
    await this.waitFor(await this.store.head(), timeoutMs);
  }

  async stop(): Promise<void> {
    this.stopped.abort();
    this.wake();
    await this.running;
  }

  private async follow(): Promise<void> {
    while (!this.stopped.signal.aborted) {
      try {
        const batch = await this.store.read({ after: this.position, limit: BATCH });
        if (batch.length === 0) await this.rest();
        else await this.take(batch);
      } catch (err) {
        this.log.warn({ err }, 'The read model cannot follow the log; trying again');
        await sleep(500);
      }
    }
  }

  private async take(batch: Awaited<ReturnType<EventStore['read']>>): Promise<void> {
    const last = batch.at(-1)!.position;
    const tx = await this.db.connect();
    try {
      await tx.query('BEGIN');
      await applyBatch(batch, tx, (table) => `${this.schema}.${table}`);
      await tx.query(`UPDATE ${this.schema}.checkpoint SET position = $1 WHERE name = 'gateway'`, [last]);
      await tx.query('COMMIT');
      tx.release();
    } catch (error) {
      tx.release(true);
      throw error;
    }
    this.position = last;
    const reached = this.waiting.filter((one) => one.position < last);
    this.waiting = this.waiting.filter((one) => one.position >= last);
    for (const one of reached) one.resolve();
  }

  private rest(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
