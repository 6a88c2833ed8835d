import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { AddDomain, CheckDomain, ChoosePrimaryDomain, RemoveDomain } from '#contracts/gen/hostplane/v1/domain.js';
import { deriveId } from '#contracts/ids.js';
import type { Cause } from '#contracts/message.js';
import { domainDecider, type Claim, type DomainName, type DomainState } from '#domain/domain-name/domain-name.js';
import { expectedRecords } from '#domain/domain-name/proof.js';
import { routeDecider } from '#domain/route/route.js';
import { authorized } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on, type Part } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { Checks } from './checks.js';
import { readDomainName } from './domain-syntax.js';
import { Records } from './records.js';

const REDIRECT_STATUS = 301;
/** As the routes of the API say it: to move a site's names is to run the site. */
const RIGHT = 'sites:run';

/** Accepts or refuses what people ask of custom domains. */
@Controller()
export class DomainCommands {
  constructor(
    private readonly store: EventStore,
    private readonly checks: Checks,
    private readonly records: Records,
  ) {}

  /** A name and its place in the site's route are taken in one append, so that adding it and removing the site cannot cross. */
  @OnAsk('AddDomain')
  async add(ask: AddDomain, cause: Cause): Promise<Accepted> {
    const { baseDomain, policy } = this.checks;
    const { name, isZoneTop } = readDomainName(ask.name, baseDomain);
    const { siteId, projectId, ownerId, claimId } = ask;
    const redirectTo = ask.redirectTo === '' ? '' : this.readTarget(ask.redirectTo);
    const redirectStatus = redirectTo === '' ? 0 : ask.redirectStatus || REDIRECT_STATUS;
    const challenge = deriveId(claimId, 'challenge');
    const claim: Claim = { name, claimId, siteId, projectId, ownerId, challenge, redirectTo, redirectStatus };
    const expected = expectedRecords(name, challenge, await this.checks.placeOf(siteId), isZoneTop);
    const managed = this.records.plan(claim, ask.byOperator, expected);
    const wish = { type: 'RequestDomain', claim, expected, managed, now: new Date().toISOString(), policy } as const;
    const { position } = await handle(this.store, cause, [on(domainDecider, name, wish)], {
      then: async ([domain]) => [authorized(cause, { projectId, founderId: ownerId }, RIGHT), ...(await this.attach(domain as DomainName))],
    });
    return { resourceId: name, operationId: '', position };
  }

  @OnAsk('RemoveDomain')
  async remove({ name, siteId }: RemoveDomain, cause: Cause): Promise<Accepted> {
    const { state, position: last } = await loadState(this.store, domainDecider, name);
    if (state.status === 'removing' && state.claim.siteId === siteId) return { resourceId: name, operationId: '', position: last };
    const wish = { type: 'RemoveDomain', siteId, reason: 'It was asked for.', now: new Date().toISOString(), policy: this.checks.policy } as const;
    const { position } = await handle(this.store, cause, [on(domainDecider, name, wish)], {
      then: ([domain]) => {
        const after = domain as DomainState;
        const gone = { type: 'SettleDomains', served: [], gone: [name] } as const;
        const route = on(routeDecider, siteId, after.status !== 'free' && after.awaits ? { type: 'UnrouteDomain', name, ask: after.awaits } : gone);
        return [...allowed(cause, state), route];
      },
    });
    return { resourceId: name, operationId: '', position };
  }

  @OnAsk('CheckDomain')
  async check({ name, siteId }: CheckDomain, cause: Cause): Promise<Accepted> {
    const { state } = await loadState(this.store, domainDecider, name);
    const look = { type: 'CheckNow', siteId, now: new Date().toISOString(), policy: this.checks.policy } as const;
    const { position } = await handle(this.store, cause, [on(domainDecider, name, look)], { then: () => allowed(cause, state) });
    return { resourceId: name, operationId: '', position };
  }

  @OnAsk('ChoosePrimaryDomain')
  async choosePrimary({ name, siteId }: ChoosePrimaryDomain, cause: Cause): Promise<Accepted> {
    const { state } = await loadState(this.store, domainDecider, name);
    const { position } = await handle(this.store, cause, [on(routeDecider, siteId, { type: 'ChoosePrimary', name })], { then: () => allowed(cause, state) });
    return { resourceId: name, operationId: '', position };
  }

  /** The name joins its site's route; the route of a site whose claim on it has lapsed lets go of it. */
  private async attach({ claim }: DomainName): Promise<readonly Part[]> {
    const { name, claimId, siteId, redirectTo, redirectStatus } = claim;
    const { state: before } = await loadState(this.store, domainDecider, name);
    const joins = on(routeDecider, siteId, { type: 'AttachDomain', name, claimId, redirectTo, redirectStatus });
    if (before.status === 'free' || before.claim.siteId === siteId) return [joins];
    return [joins, on(routeDecider, before.claim.siteId, { type: 'SettleDomains', served: [], gone: [name] })];
  }

  /** A redirect may lead to the site's own hostname, which is no custom domain. */
  private readTarget(typed: string): string {
    const own = typed.toLowerCase().replace(/\.$/, '');
    return own.endsWith(`.${this.checks.baseDomain}`) ? own : readDomainName(typed, this.checks.baseDomain, { what: 'the target of a redirect', field: 'redirectTo' }).name;
  }
}

/** Holds the append to the right of whoever asks, in the project that the name was claimed for. For a name that is free the decider has its own answer. */
function allowed(cause: Cause, domain: DomainState): readonly Part[] {
  if (domain.status === 'free') return [];
  const { projectId, ownerId: founderId } = domain.claim;
  return [authorized(cause, { projectId, founderId }, RIGHT)];
}
