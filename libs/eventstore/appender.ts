import { setImmediate as immediate } from 'node:timers/promises';
import { reached } from '#contracts/probe.js';
import { LogUnavailable, type AppendPart, type Appended } from './append.js';
import { encode, HASH_BYTES, outcomesOf, type Request, type Verdict } from './batch.js';
import type { Session } from './session.js';

/** A batch stays below this, so that it neither holds the head row for long nor grows without end. */
const MAX_REQUESTS = 256;
const MAX_BYTES = 1 << 20;
/** Another process that appended since our last append, and less than this ago, will want the head row again. */
const CROWDED_WITHIN_MS = 50;
/** So many appends then do not hold the head row through a flush. */
const CROWDED_APPENDS = 64;

/**
 * Gathers the appends that wait into one round trip. With nobody else at the log a batch commits and flushes in one statement; else it
 * commits without the disk, and is answered after a flush that all share, while the next is appended.
 */
export class Appender {
  readonly #session: () => Promise<Session>;
  readonly #onAppended: (lastPosition: number) => void;
  #waiting: Request[] = [];
  #isRunning = false;
  #crowded = 0;
  #last = { position: 0, atMs: 0 };
  #unanswered = 0;
  #idle: (() => void)[] = [];

  constructor(session: () => Promise<Session>, onAppended: (lastPosition: number) => void) {
    this.#session = session;
    this.#onAppended = onAppended;
  }

  append(parts: readonly AppendPart[]): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...encode(parts), resolve, reject });
      if (!this.#isRunning) void this.#run();
    });
  }

  /** Resolves when nothing waits any more. */
  async settled(): Promise<void> {
    if (this.#isRunning || this.#unanswered > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      await this.#send(batch);
      if (batch.length > 1) await immediate(); // whoever was answered and appends again is of the next batch
    }
    this.#isRunning = false;
    this.#signalIdle();
  }

  #take(): Request[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < MAX_REQUESTS && (count === 0 || bytes < MAX_BYTES)) bytes += this.#waiting[count++]!.bytes;
    this.#unanswered += count;
    return this.#waiting.splice(0, count);
  }

  /** Resolves when the next batch may be sent. */
  async #send(batch: Request[]): Promise<void> {
    const isCrowded = this.#crowded > 0;
    let session: Session;
    let verdict: Verdict;
    try {
      session = await this.#session();
      reached('log:before-append');
      verdict = await (isCrowded ? session.append(batch) : session.appendDurably(batch));
    } catch (error) {
      if (batch.length === 1 || error instanceof LogUnavailable) return this.#fail(batch, error);
      // The server refused the batch as a whole: alone, only the request that it refuses fails.
      for (const request of batch) await this.#send([request]);
      return;
    }
    this.#watchForOthers(batch, verdict);
    if (!isCrowded) return this.#answer(batch, verdict);
    session.flush().then(() => this.#answer(batch, verdict), (error: unknown) => this.#fail(batch, error));
  }

  #answer(batch: readonly Request[], verdict: Verdict): void {
    reached('log:after-append');
    let isAppended = false;
    outcomesOf(batch, verdict).forEach((outcome, i) => {
      if (outcome instanceof Error) return batch[i]!.reject(outcome);
      isAppended = true;
      batch[i]!.resolve(outcome);
    });
    if (isAppended) this.#onAppended(Number(verdict.last_seq));
    this.#done(batch);
  }

  #fail(batch: readonly Request[], error: unknown): void {
    for (const request of batch) request.reject(error);
    this.#done(batch);
  }

  #done(batch: readonly Request[]): void {
    this.#unanswered -= batch.length;
    this.#signalIdle();
  }

  /** Positions that are not ours, just now: somebody else holds the head row too, and ours would hold them up through a flush. */
  #watchForOthers(batch: readonly Request[], verdict: Verdict): void {
    const now = performance.now();
    const position = Number(verdict.last_seq);
    const appended = verdict.hashes.length / HASH_BYTES;
    const isCrowded = position - appended !== this.#last.position && now - this.#last.atMs < CROWDED_WITHIN_MS;
    this.#crowded = isCrowded ? CROWDED_APPENDS : Math.max(0, this.#crowded - batch.length);
    this.#last = { position, atMs: now };
  }

  #signalIdle(): void {
    if (this.#isRunning || this.#unanswered > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
