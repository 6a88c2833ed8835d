import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { domainDecider, type DomainName } from '#domain/domain-name/domain-name.js';
import { routeDecider } from '#domain/route/route.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import type { LivePlane } from './live-plane.js';

const POLICY = { firstDelayMs: 3_600_000, longestDelayMs: 3_600_000, deadlineMs: 86_400_000, edgeDelayMs: 30_000 };
const SEEN = { isOwned: true, pointsHere: true, expected: [], found: [], missing: '' };
const POLL_MS = 100;

/** Gives a live site a domain, records as the plane's poller would that the DNS proves it, and waits until the edge serves it. */
export async function activateDomain(plane: LivePlane, store: EventStore, { siteId, name }: { siteId: string; name: string }): Promise<void> {
  await plane.call('POST', `/sites/${siteId}/domains`, { name });
  for (;;) {
    const { state } = await loadState(store, domainDecider, name);
    if (state.status === 'active') return;
    if (state.status === 'pending' || state.status === 'validating') await prove(store, state);
    await sleep(POLL_MS);
  }
}

async function prove(store: EventStore, { claim, checks }: DomainName): Promise<void> {
  const id = randomUUID();
  const cause = { id, meta: { correlationId: id, causationId: id, actor: 'system:domains', owner: claim.ownerId } };
  const record = { type: 'RecordCheck', claimId: claim.claimId, check: checks + 1, result: SEEN, now: new Date().toISOString(), policy: POLICY } as const;
  await handle(store, cause, [on(domainDecider, claim.name, record)], {
    then: ([after]) => {
      const { status, awaits: ask } = after as DomainName;
      return status === 'routing' && ask ? [on(routeDecider, claim.siteId, { type: 'RouteDomain', name: claim.name, ask })] : [];
    },
  });
}
