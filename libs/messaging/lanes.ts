export interface Job {
  /** Jobs of one key are worked on one after the other, by position. */
  readonly key: string;
  readonly position: number;
}

/** Finished, or to be worked on again after a rest, before any later job of its key. */
export type Outcome = 'finished' | { readonly againInMs: number };

interface Lane<J> {
  readonly waiting: J[];
  busy: boolean;
  rest?: NodeJS.Timeout;
}

/** Works on many keys at once and on each key in order of position. */
export class Lanes<J extends Job> {
  private readonly lanes = new Map<string, Lane<J>>();
  private readonly waiters: (() => void)[] = [];
  private running = 0;
  private stopped = false;
  private ceiling = Infinity;

  constructor(
    /** How many jobs run at once, and what runs one; it never throws. */
    private readonly options: { readonly concurrency: number; run(job: J): Promise<Outcome> },
  ) {}

  push(job: J): void {
    const lane = this.lanes.get(job.key) ?? { waiting: [], busy: false };
    this.lanes.set(job.key, lane);
    const later = lane.waiting.findIndex((other) => other.position > job.position);
    lane.waiting.splice(later < 0 ? lane.waiting.length : later, 0, job);
    this.start();
  }

  /** Starts nothing later than this position until the limit is raised. */
  limit(ceiling: number): void {
    this.ceiling = ceiling;
    this.start();
  }

  /** Starts nothing more; answers what has not been finished and is not being worked on. */
  stop(): J[] {
    this.stopped = true;
    for (const lane of this.lanes.values()) clearTimeout(lane.rest);
    return [...this.lanes.values()].flatMap((lane) => lane.waiting.splice(0));
  }

  /** Resolves when nothing is being worked on. */
  whenIdle(): Promise<void> {
    return this.running === 0 ? Promise.resolve() : new Promise((resolve) => this.waiters.push(resolve));
  }

  private start(): void {
    if (this.stopped) return;
    for (const [key, lane] of this.lanes) {
      if (this.running >= this.options.concurrency) return;
      const head = lane.waiting[0];
      if (head && !lane.busy && head.position <= this.ceiling) void this.work(key, lane, lane.waiting.shift()!);
    }
  }

  private async work(key: string, lane: Lane<J>, job: J): Promise<void> {
    lane.busy = true;
    this.running += 1;
    const outcome = await this.options.run(job);
    this.running -= 1;
    if (outcome !== 'finished') this.rest(lane, job, outcome.againInMs);
    else if (lane.waiting.length === 0) this.lanes.delete(key);
    else lane.busy = false;
    if (this.running === 0) this.waiters.splice(0).forEach((resolve) => resolve());
    this.start();
  }

  private rest(lane: Lane<J>, job: J, forMs: number): void {
    lane.waiting.unshift(job);
    lane.rest = setTimeout(() => {
      lane.busy = false;
      this.start();
    }, forMs);
    if (this.stopped) clearTimeout(lane.rest);
  }
}
