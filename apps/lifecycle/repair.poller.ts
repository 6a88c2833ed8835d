import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { deriveId } from '#contracts/ids.js';
import type { StoredMessage } from '#contracts/message.js';
import { mayBeRepaired, waitAfter } from '#domain/health/health.js';
import { siteDecider } from '#domain/site/site.js';
import { isLive } from '#domain/site/status.js';
import { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { handle, loadState, on } from '#eventstore/handle.js';

type Observed = StoredMessage<'WorkloadObserved'>;

const TICK_MS = 2_000;
/** After so long without one, earlier repairs no longer count. */
const FORGOTTEN_AFTER_MS = 3 * 3_600_000;

/** Has sites repaired whose workload was seen to be away, again and again with growing waits until it is seen to be healthy and stays so. */
@Injectable()
export class RepairPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('repair');
  /** By site, what was seen last of those that are not as they should be. */
  private readonly ailing = new Map<string, Observed>();
  private readonly repairs = new Map<string, { readonly count: number; readonly lastMs: number }>();
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;
  private working = false;

  constructor(private readonly store: EventStore) {}

  onApplicationBootstrap(): void {
    this.follower = follow(this.store, { categories: ['health'], apply: (messages) => messages.forEach((message) => this.take(message)) });
    this.timer = setInterval(() => void this.tick(), TICK_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.follower?.stop();
  }

  private take(message: StoredMessage): void {
    if (message.type !== 'WorkloadObserved') return;
    const { siteId, state } = message.data;
    // What went down with its engine or its host is not what kept going down before: earlier repairs say nothing of it.
    if (state === 'unknown') this.repairs.delete(siteId);
    if (state === 'healthy' || state === 'unknown') this.ailing.delete(siteId);
    else this.ailing.set(siteId, message);
  }

  private async tick(): Promise<void> {
    if (this.working) return;
    this.working = true;
    for (const [siteId, { lastMs }] of this.repairs) if (Date.now() - lastMs > FORGOTTEN_AFTER_MS) this.repairs.delete(siteId);
    for (const [siteId, observed] of this.ailing) {
      await this.attend(siteId, observed).catch((error: unknown) => this.log.warn(`${siteId} could not be repaired, it is tried again: ${(error as Error).message}`));
    }
    this.working = false;
  }

  /** One that is busy, or meant to stand still, gets its turn later. */
  private async attend(siteId: string, observed: Observed): Promise<void> {
    const { count, lastMs } = this.repairs.get(siteId) ?? { count: 0, lastMs: 0 };
    if (Date.now() < lastMs + (count === 0 ? 0 : waitAfter(count - 1))) return;
    const { state: site } = await loadState(this.store, siteDecider, siteId);
    if (site.status === 'ABSENT' || site.status === 'DESTROYED') return void this.ailing.delete(siteId);
    if (!isLive(site.status) || site.power === 'stopped' || site.operation || !mayBeRepaired(observed.data.state, site.request.kind)) return;
    const cause = { id: deriveId(observed.id, 'repair', count), meta: observed.meta };
    const repair = { type: 'SwitchSite', operationId: randomUUID(), action: 'repair' } as const;
    await handle(this.store, cause, [on(siteDecider, siteId, repair)], { actor: 'system:lifecycle' });
    this.repairs.set(siteId, { count: count + 1, lastMs: Date.now() });
  }
}
