import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { deriveId } from '#contracts/ids.js';
import { keyOf, type Cause, type StoredMessage } from '#contracts/message.js';
import { domainDecider, type DomainEvent, type DomainName, type DomainState } from '#domain/domain-name/domain-name.js';
import { mayBeProvenWithout, recordsWork, type RecordsWork } from '#domain/domain-name/records.js';
import { routeDecider } from '#domain/route/route.js';
import type { EventStore } from '#eventstore/event-store.js';
import { follow, type Follower } from '#eventstore/follow.js';
import { handle, on, type Handled } from '#eventstore/handle.js';
import { InTurn } from '#providers/in-turn.js';
import type { Checks } from './checks.js';
import type { Records } from './records.js';

interface Watched {
  readonly domain: DomainState;
  readonly last: StoredMessage;
}

const TICK_MS = 500;
/** So much is under way at once, for lookups, records and edges each: it mostly waits. */
const ABREAST = 32;
const SEEN_WITHIN_MS = 5_000;

/**
 * Does what is due for a domain: sets or removes the records that are the plane's to set, looks at what the DNS says, or asks an edge again that has not answered. What is due and when is in the log, so a restart goes on
 * where it was; the number of each look is part of its id, so two instances, or one that died half-way, record it once.
 */
export class DomainPoller implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('domains');
  private readonly watched = new Map<string, Watched>();
  private readonly busy = new Set<string>();
  private readonly turns = new InTurn(ABREAST);
  private follower: Follower | undefined;
  private timer: NodeJS.Timeout | undefined;
  private unring: (() => void) | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly checks: Checks,
    private readonly records: Records,
    private readonly onDoorbell: (ring: () => void) => () => void,
  ) {}

  onApplicationBootstrap(): void {
    const follower = follow(this.store, { categories: [domainDecider.category], apply: (messages) => this.take(messages) });
    this.follower = follower;
    this.unring = this.onDoorbell(() => follower.wake());
    this.timer = setInterval(() => this.doWhatIsDue(), TICK_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.unring?.();
    await this.follower?.stop();
    this.follower = undefined;
  }

  private take(messages: readonly StoredMessage[]): void {
    for (const message of messages) {
      const name = keyOf(message.streamId);
      const domain = domainDecider.evolve(this.watched.get(name)?.domain ?? domainDecider.initial, message as unknown as DomainEvent);
      if (domain.status === 'free') this.watched.delete(name);
      else this.watched.set(name, { domain, last: message });
    }
    if (messages.length > 0) this.doWhatIsDue();
  }

  private doWhatIsDue(): void {
    const now = new Date().toISOString();
    for (const [name, { domain, last }] of this.watched) {
      if (domain.status === 'free' || !isDue(domain, now) || this.busy.has(name)) continue;
      this.busy.add(name);
      void this.attend(name, domain, last).finally(() => this.busy.delete(name));
    }
  }

  private async attend(name: string, domain: DomainName, last: StoredMessage): Promise<void> {
    try {
      await this.follower?.waitFor(await this.work(name, domain, last), SEEN_WITHIN_MS);
    } catch (error) {
      if (this.follower) this.log.warn(`${name} could not be attended to, it is tried again: ${(error as Error).message}`);
    }
  }

  /** Whoever keeps zones may be slow: lookups wait for nobody's records. */
  private async work(name: string, domain: DomainName, last: StoredMessage): Promise<number> {
    const work = recordsWork(domain);
    if (domain.awaits) return this.turns.run('edges', () => this.askEdgeAgain(name, domain, last));
    if (!work || mayBeProvenWithout(domain)) {
      const { position, messages } = await this.turns.run('lookups', () => this.check(name, domain, last));
      if (!work || messages.length > 0) return position;
    }
    return this.turns.run('records', () => this.tendRecords(name, domain, last, work));
  }

  private async check(name: string, domain: DomainName, last: StoredMessage): Promise<Handled> {
    const { claimId, siteId } = domain.claim;
    const result = await this.checks.look(domain);
    const check = domain.checks + 1;
    const record = { type: 'RecordCheck', claimId, check, result, now: new Date().toISOString(), policy: this.checks.policy } as const;
    return handle(this.store, causeOf(last, claimId, 'check', check), [on(domainDecider, name, record)], {
      actor: 'system:domains',
      then: ([after]) => {
        const { status, awaits: ask } = after as DomainName;
        return status === 'routing' && ask ? [on(routeDecider, siteId, { type: 'RouteDomain', name, ask })] : [];
      },
    });
  }

  private async tendRecords(name: string, domain: DomainName, last: StoredMessage, work: RecordsWork): Promise<number> {
    const { claim: { claimId, siteId }, records } = domain;
    const attempt = records.attempts + 1;
    const outcome = await this.records.tend(work, records.wanted);
    const record = { type: 'RecordRecords', claimId, attempt, work, outcome, now: new Date().toISOString(), policy: this.checks.policy } as const;
    const { position } = await handle(this.store, causeOf(last, claimId, 'records', attempt), [on(domainDecider, name, record)], {
      actor: 'system:domains',
      then: ([after]) => ((after as DomainState).status === 'free' ? [on(routeDecider, siteId, { type: 'SettleDomains', served: [], gone: [name] })] : []),
    });
    return position;
  }

  private async askEdgeAgain(name: string, domain: DomainName, last: StoredMessage): Promise<number> {
    const { claimId, siteId } = domain.claim;
    const again = { type: 'AskEdgeAgain', now: new Date().toISOString(), policy: this.checks.policy } as const;
    const { position } = await handle(this.store, causeOf(last, claimId, 'edge', domain.turn + 1), [on(domainDecider, name, again)], {
      actor: 'system:domains',
      then: ([after]) => {
        const { awaits: ask } = after as Partial<DomainName>;
        return ask ? [on(routeDecider, siteId, { type: 'AskEdge', ask })] : [];
      },
    });
    return position;
  }
}

function isDue(domain: DomainName, now: string): boolean {
  if (recordsWork(domain)) return domain.records.nextAt <= now;
  return domain.nextAt !== '' && domain.nextAt <= now;
}

/** The same look, or the same repeated ask, is the same cause. */
function causeOf(last: StoredMessage, claimId: string, what: string, count: number): Cause {
  return { id: deriveId(claimId, what, count), meta: last.meta };
}
