import { get } from 'node:http';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { InstalledSites } from './installed-sites.projection.js';

/** WordPress' own due times are whole minutes. */
const EVERY_MS = 60_000;
const AT_ONCE = 2;
/** What is due is done within the request; it goes on when nobody listens any more. */
const LISTEN_MS = 30_000;

/**
 * Does WordPress' timed work (posts that are to appear, updates, mails): asks each running site for its wp-cron.php once a minute, straight at its container.
 * Visitors' requests never start it, for on a host that reaches no other they would wait for it.
 */
@Injectable()
export class CronPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('cron');
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;
  private busy = false;

  constructor(
    private readonly store: EventStore,
    private readonly sites: InstalledSites,
  ) {}

  onApplicationBootstrap(): void {
    this.follower = follow(this.store, { categories: [...InstalledSites.categories], apply: (messages) => this.sites.apply(messages) });
    this.timer = setInterval(() => void this.tick(), EVERY_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.follower?.stop();
  }

  private async tick(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    const due = this.sites.running();
    const work = async () => {
      for (let origin = due.shift(); origin; origin = due.shift()) {
        const problem = await ask(`${origin}/wp-cron.php?doing_wp_cron`);
        if (problem) this.log.warn(`The timed work of ${origin} was not done: ${problem}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.busy = false;
  }
}

function ask(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = get(url, { agent: false, timeout: LISTEN_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? undefined : `it answers ${response.statusCode}`);
    });
    sent.on('timeout', () => {
      resolve(undefined);
      sent.destroy();
    });
    sent.on('error', (error) => resolve(error.message));
  });
}
