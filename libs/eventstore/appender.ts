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
 * Gathers the appends that wait into one round trip, and answers them after one shared flush. While a flush is under way the
 * next batch is appended. An append that is alone commits and flushes in one statement.
 */
export class Appender {
  readonly #session: () => Promise<Session>;
  readonly #onAppended: (lastPosition: number) => void;
  #waiting: Request[] = [];
  #isRunning = false;
  #crowded = 0;
  #last = { position: 0, atMs: 0 };
  #inFlight = 0;
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
    if (this.#isRunning || this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await Promise.resolve();
    while (this.#waiting.length > 0) await this.#send(this.#take());
    this.#isRunning = false;
    this.#signalIdle();
  }

  #take(): Request[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && count < MAX_REQUESTS && (count === 0 || bytes < MAX_BYTES)) bytes += this.#waiting[count++]!.bytes;
    return this.#waiting.splice(0, count);
  }

  async #send(batch: Request[]): Promise<void> {
    let session: Session;
    let verdict: Verdict | undefined;
    let isFlushed = false;
    try {
      session = await this.#session();
      reached('log:before-append');
      const isAlone = batch.length === 1 && this.#inFlight === 0 && this.#crowded === 0;
      if (isAlone) verdict = await session.appendOne(batch[0]!);
      isFlushed = verdict !== undefined;
      verdict ??= await session.append(batch);
      this.#watchForOthers(batch, verdict);
    } catch (error) {
      if (batch.length === 1 || error instanceof LogUnavailable) return fail(batch, error);
      // The server refused the batch as a whole: alone, only the request that it refuses fails.
      for (const request of batch) await this.#send([request]);
      return;
    }
    this.#inFlight++;
    const answered = this.#answer(batch, verdict, isFlushed ? undefined : session).finally(() => {
      this.#inFlight--;
      this.#signalIdle();
    });
    if (isFlushed) await answered;
  }

  async #answer(batch: readonly Request[], verdict: Verdict, session: Session | undefined): Promise<void> {
    try {
      await session?.flush();
    } catch (error) {
      return fail(batch, error);
    }
    reached('log:after-append');
    let isAppended = false;
    outcomesOf(batch, verdict).forEach((outcome, i) => {
      if (outcome instanceof Error) return batch[i]!.reject(outcome);
      isAppended = true;
      batch[i]!.resolve(outcome);
    });
    if (isAppended) this.#onAppended(Number(verdict.last_seq));
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
    if (this.#isRunning || this.#inFlight > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function fail(batch: readonly Request[], error: unknown): void {
  for (const request of batch) request.reject(error);
}
