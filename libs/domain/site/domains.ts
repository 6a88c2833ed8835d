import type { NotedDomain, Site, SiteCommand, SiteEvent } from './site.js';
import { allowsCustomDomain, canMove, siteStatuses, type SiteStatus } from './status.js';

/** The status of a site whose furthest domain has this one, what is under way before what has come to rest. */
const composition: readonly (readonly [domain: string, site: SiteStatus])[] = [
  ['routing', 'DOMAIN_ROUTING'],
  ['validating', 'DOMAIN_VALIDATING'],
  ['pending', 'DOMAIN_PENDING'],
  ['removing', 'DOMAIN_REMOVING'],
  ['active', 'DOMAIN_ACTIVE'],
];

/** The status of a live site that follows from its domains. One that failed or is gone counts for nothing: the site serves as if it had never been. */
export function composedStatus(domains: Site['domains']): SiteStatus {
  const present = new Set([...domains.values()].map(({ status }) => status));
  return composition.find(([domain]) => present.has(domain))?.[1] ?? 'ACTIVE';
}

/** Takes note of how a domain is, unless something newer is known of it, and moves along the table to the status that follows. */
export function noteDomain({ name, status, version }: Extract<SiteCommand, { type: 'NoteDomain' }>, site: Site): readonly SiteEvent[] {
  const known = site.domains.get(name);
  if (known && (known.version >= version || known.status === status)) return [];
  const domains = new Map(site.domains).set(name, { status, version });
  const noted: SiteEvent = { type: 'SiteDomainNoted', data: { siteId: site.request.siteId, name, status, version } };
  return [noted, ...(allowsCustomDomain(site.status) ? composedMoves(site, site.status, domains) : [])];
}

/** One event for each move along the table from a live status to the composed one. */
export function composedMoves(site: Site, from: SiteStatus, domains: ReadonlyMap<string, NotedDomain>): SiteEvent[] {
  return shortestWay(from, composedStatus(domains)).map((status) => ({ type: 'SiteDomainStatusChanged', data: { siteId: site.request.siteId, status } }));
}

/** The shortest way along the table among statuses in which the site serves, without its start. */
function shortestWay(from: SiteStatus, to: SiteStatus): readonly SiteStatus[] {
  const ways = new Map<SiteStatus, readonly SiteStatus[]>([[from, []]]);
  for (const [at, way] of ways) {
    if (at === to) return way;
    for (const next of siteStatuses) if (allowsCustomDomain(next) && canMove(at, next) && !ways.has(next)) ways.set(next, [...way, next]);
  }
  throw new Error(`No way leads from ${from} to ${to}.`);
}
