import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { RecordedUsage } from './recorded-usage.projection.js';
import { Usage } from './usage.js';

const LOG_MS = 5_000;
const TICK_MS = 1_000;
/** An engine reads whole disks when it measures: it has rest for so many times as long as that took. */
const REST = 4;

/** How often it is looked what sites have written; 0: never. */
export abstract class Measuring {
  abstract readonly everyMs: number;
}

/** Has it measured what sites have written: every now and then, and soon after something was installed, restored or removed. */
@Injectable()
export class UsagePoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('usage');
  private readonly ending = new AbortController();
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;
  private dueAt = 0;
  private restUntil = 0;
  private isBusy = false;

  constructor(
    private readonly store: EventStore,
    private readonly usage: Usage,
    private readonly recorded: RecordedUsage,
    private readonly measuring: Measuring,
  ) {}

  onApplicationBootstrap(): void {
    if (this.measuring.everyMs === 0) return;
    this.follower = follow(this.store, { categories: [...RecordedUsage.categories], apply: (messages) => this.recorded.apply(messages) });
    this.timer = setInterval(() => void this.tick(), TICK_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.ending.abort();
    await this.follower?.stop();
  }

  private async tick(): Promise<void> {
    const now = Date.now();
    if (this.isBusy || now < this.restUntil || !(this.recorded.isStale || now >= this.dueAt)) return;
    this.isBusy = true;
    this.dueAt = now + this.measuring.everyMs;
    await this.round().catch((error: unknown) => this.ending.signal.aborted || this.log.warn(`What sites have written could not be measured, it is tried again: ${(error as Error).message}`));
    this.restUntil = Date.now() + REST * (Date.now() - now);
    this.isBusy = false;
  }

  private async round(): Promise<void> {
    if (!(await this.follower?.waitFor(await this.store.head(), LOG_MS))) return;
    // What comes while it is looked may be missed by this look, and has another one.
    this.recorded.isStale = false;
    await this.usage.measureAll(this.ending.signal);
  }
}
