import type { StoredMessage } from '#contracts/message.js';
import type { EventStore } from './event-store.js';

export interface FollowOptions {
  /** Only streams of these categories. */
  readonly categories: readonly string[];
  /** Takes the next messages, in order; `position` is how far the log has been read. */
  apply(messages: readonly StoredMessage[], position: number): void;
  /** How often the log is looked at when nobody calls. Milliseconds. */
  readonly pollMs?: number;
  /** Told when the log cannot be read; it is tried again until it can. */
  readonly onError?: (error: unknown) => void;
}

export interface Follower {
  /** How far the log has been read. */
  readonly position: number;
  /** Looks at the log now; for a doorbell. */
  wake(): void;
  /** Whether everything up to this position was taken in, within the time. Looks at the log at once. */
  waitFor(position: number, timeoutMs: number): Promise<boolean>;
  stop(): Promise<void>;
}

const BATCH = 1_000;
/** Whoever needs more wakes it by waiting; this is for a follower that nobody waits for. */
const POLL_MS = 5_000;

/** Folds some categories of the log into memory: from its beginning, then as it grows, until it is stopped. */
export function follow(store: Pick<EventStore, 'head' | 'read'>, options: FollowOptions): Follower {
  return new LogFollower(store, options);
}

class LogFollower implements Follower {
  position = 0;
  private stopped = false;
  private rung = false;
  private rest: (() => void) | undefined;
  private readonly waiters = new Set<() => void>();
  private readonly running: Promise<void>;

  constructor(
    private readonly store: Pick<EventStore, 'head' | 'read'>,
    private readonly options: FollowOptions,
  ) {
    this.running = this.run();
  }

  wake(): void {
    this.rung = true;
    this.rest?.();
  }

  async waitFor(position: number, timeoutMs: number): Promise<boolean> {
    const end = Date.now() + timeoutMs;
    while (this.position < position && !this.stopped) {
      const left = end - Date.now();
      if (left <= 0) return false;
      this.wake();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, left);
        const { waiters } = this;
        function done(): void {
          clearTimeout(timer);
          waiters.delete(done);
          resolve();
        }
        waiters.add(done);
      });
    }
    return this.position >= position;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.rest?.();
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.rung = false;
      const more = await this.step().catch((error: unknown) => {
        this.options.onError?.(error);
        return false;
      });
      if (!more && !this.rung) await this.pause();
    }
  }

  /** Reads one batch; whether there may be another. The head is read first, so that nothing up to it is missed. */
  private async step(): Promise<boolean> {
    const head = await this.store.head();
    if (head <= this.position) return false;
    const messages = await this.store.read({ after: this.position, limit: BATCH, categories: this.options.categories });
    const isFull = messages.length === BATCH;
    const position = isFull ? messages[BATCH - 1]!.position : Math.max(head, messages.at(-1)?.position ?? 0);
    this.options.apply(messages, position);
    this.position = position;
    for (const done of [...this.waiters]) done();
    return isFull;
  }

  private async pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.options.pollMs ?? POLL_MS);
      this.rest = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.rest = undefined;
  }
}
