import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { believed, healthDecider, type Finding } from '#domain/health/health.js';
import { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { handle, on } from '#eventstore/handle.js';
import { InTurn } from '#providers/in-turn.js';
import type { ObservedWorkload, SiteRuntime } from '#providers/site-runtime.js';
import { MeantWorkloads, type Meant } from './meant-workloads.projection.js';
import { Runtimes } from './runtimes.js';

const LIST_MS = 20_000;
const LOG_MS = 5_000;
/** Workloads that are asked at once whether they answer. */
const ABREAST = 8;
/** How often a workload that runs is asked: a page of WordPress costs what a visitor costs. */
const ASKED_EVERY_MS = 30_000;

/** Whose workloads are looked at, and how often; 0: never. */
export abstract class Watch {
  abstract readonly hostId: string;
  abstract readonly everyMs: number;
}

/** What one look at the runtimes found. */
interface Look {
  readonly found: ReadonlyMap<string, { readonly workload: ObservedWorkload; readonly runtime: SiteRuntime }>;
  /** Why a runtime could not be looked at, by its name. */
  readonly problems: ReadonlyMap<string, string>;
}

/**
 * Looks at what is meant to run on this host, and records when that is found to be otherwise, or right again. It mends nothing: what the
 * plane makes of it is decided elsewhere.
 */
@Injectable()
export class HealthPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('health');
  private readonly turns = new InTurn(ABREAST);
  private readonly before = new Map<string, Finding>();
  private readonly answered = new Map<string, number>();
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(
    private readonly store: EventStore,
    private readonly runtimes: Runtimes,
    private readonly meant: MeantWorkloads,
    private readonly watch: Watch,
  ) {}

  onApplicationBootstrap(): void {
    const { everyMs } = this.watch;
    if (everyMs === 0) return;
    this.follower = follow(this.store, { categories: [...MeantWorkloads.categories], apply: (messages) => this.meant.apply(messages) });
    this.timer = setInterval(() => void this.tick(), everyMs);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.follower?.stop();
  }

  private async tick(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    await this.round().catch((error: unknown) => this.log.warn(`What runs here could not be looked at, it is tried again: ${(error as Error).message}`));
    this.looking = false;
  }

  private async round(): Promise<void> {
    const look = await this.look();
    // What was asked meanwhile is known before it is judged, or a stop that somebody asked for would seem to be an accident.
    if (!(await this.follower?.waitFor(await this.store.head(), LOG_MS))) return;
    const meant = [...this.meant.all];
    for (const siteId of this.before.keys()) if (!this.meant.all.has(siteId)) this.before.delete(siteId);
    await Promise.all(meant.map(([siteId, workload]) => this.turns.run('', () => this.attend(siteId, workload, look))));
  }

  private async look(): Promise<Look> {
    const found = new Map<string, { workload: ObservedWorkload; runtime: SiteRuntime }>();
    const problems = new Map<string, string>();
    for (const runtime of this.runtimes.all) {
      const listed = await runtime.list(AbortSignal.timeout(LIST_MS)).catch((error: Error) => void problems.set(runtime.name, error.message));
      for (const workload of listed ?? []) found.set(workload.siteId, { workload, runtime });
    }
    return { found, problems };
  }

  private async attend(siteId: string, meant: Meant, look: Look): Promise<void> {
    const finding = await this.judge(siteId, meant, look);
    const sure = believed(finding, this.before.get(siteId));
    this.before.set(siteId, finding);
    if (!sure || sure.state === this.meant.stateOf(siteId)) return;
    const cause = { id: randomUUID(), meta: meant.meta };
    const observe = { type: 'ObserveWorkload', siteId, hostId: this.watch.hostId, ...sure } as const;
    await handle(this.store, cause, [on(healthDecider, siteId, observe)], { actor: 'system:provisioner' });
  }

  private async judge(siteId: string, { power, runtime: name }: Meant, { found, problems }: Look): Promise<Finding> {
    const there = found.get(siteId);
    const problem = problems.get(name) ?? (name === '' ? [...problems.values()][0] : undefined);
    if (!there && problem !== undefined) return { state: 'unknown', detail: problem };
    if (!there && name !== '' && !this.runtimes.has(name)) return { state: 'unknown', detail: `This host has no "${name}" now.` };
    if (!there) return { state: 'missing', detail: 'Nothing of it is there.' };
    if (power === 'stopped') return { state: 'healthy', detail: '' };
    if (there.workload.power === 'stopped') return { state: 'stopped', detail: 'It stands still.' };
    return this.ask(siteId, there);
  }

  /** Asks a workload with an address of its own whether it answers; of others the runtime has said so. */
  private async ask(siteId: string, { workload, runtime }: { workload: ObservedWorkload; runtime: SiteRuntime }): Promise<Finding> {
    const failing = { state: 'failing', detail: 'It runs, and does not answer as it should.' } as const;
    if (!runtime.features.addresses) return workload.healthy ? { state: 'healthy', detail: '' } : failing;
    const [now, last] = [Date.now(), this.answered.get(siteId) ?? 0];
    if (now - last < ASKED_EVERY_MS) return { state: 'healthy', detail: '' };
    const seen = await runtime.observe(siteId, AbortSignal.timeout(LIST_MS)).catch((error: Error) => error);
    if (seen instanceof Error) return { state: 'unknown', detail: seen.message };
    if (!seen?.healthy) {
      this.answered.delete(siteId);
      return failing;
    }
    this.answered.set(siteId, now);
    return { state: 'healthy', detail: '' };
  }
}
