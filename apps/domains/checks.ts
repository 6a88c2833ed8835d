import { reached } from '#contracts/probe.js';
import type { CheckPolicy } from '#domain/domain-name/back-off.js';
import type { CheckResult, DomainName } from '#domain/domain-name/domain-name.js';
import { challengeName, expectedRecords, judge, type Place } from '#domain/domain-name/proof.js';
import { routeDecider } from '#domain/route/route.js';
import type { EventStore } from '#eventstore/event-store.js';
import { loadState } from '#eventstore/handle.js';
import type { DnsLookup } from '#providers/dns-lookup.js';
import { readDomainName } from './domain-syntax.js';
import { checkPolicy, placeFor } from './policy.js';
import type { DomainsSettings } from './domains.config.js';

/** Looks at a domain's records as this plane is configured. */
export class Checks {
  readonly policy: CheckPolicy;
  readonly baseDomain: string;

  constructor(
    private readonly store: EventStore,
    private readonly lookup: DnsLookup,
    private readonly settings: DomainsSettings,
    /** Ranges of a proxy that visitors may come through, unless the settings name others. */
    private readonly proxyRanges: readonly string[],
  ) {
    this.policy = checkPolicy(settings);
    this.baseDomain = settings.HOSTPLANE_BASE_DOMAIN;
  }

  /** Where visitors of a site have to be led. */
  async placeOf(siteId: string): Promise<Place> {
    const { state: route } = await loadState(this.store, routeDecider, siteId);
    return placeFor(this.settings, this.proxyRanges, route.ownHostnames[0] ?? '');
  }

  async look({ claim: { name, siteId, challenge } }: DomainName): Promise<CheckResult> {
    const place = await this.placeOf(siteId);
    reached('domains:look');
    const found = await this.lookup.ask([
      { type: 'TXT', name: challengeName(name) },
      { type: 'A', name },
      { type: 'AAAA', name },
      { type: 'CNAME', name },
    ]);
    reached('domains:judge');
    const expected = expectedRecords(name, challenge, place, readDomainName(name, this.baseDomain).isZoneTop);
    return judge(name, challenge, expected, found, place);
  }
}
