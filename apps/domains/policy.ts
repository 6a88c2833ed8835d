import ipaddr from 'ipaddr.js';
import type { CertificatePolicy } from '#domain/certificate/policy.js';
import type { CheckPolicy } from '#domain/domain-name/back-off.js';
import type { Place } from '#domain/domain-name/proof.js';
import type { DnsGrant } from '#boot/fields.js';
import type { DomainsSettings } from './domains.config.js';

/** An edge answers within seconds; one that was killed or restarted meanwhile is asked again. */
const EDGE_DELAY_MS = 30_000;

export function checkPolicy(settings: DomainsSettings): CheckPolicy {
  return {
    firstDelayMs: settings.HOSTPLANE_DOMAIN_CHECK_SECONDS * 1000,
    longestDelayMs: settings.HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS * 1000,
    deadlineMs: settings.HOSTPLANE_DOMAIN_DEADLINE_SECONDS * 1000,
    edgeDelayMs: EDGE_DELAY_MS,
  };
}

/** Days before a certificate's end on which it is warned of. */
const WARN_DAYS = [14, 7, 1];

export function certificatePolicy(settings: DomainsSettings): CertificatePolicy {
  return {
    firstRetryMs: settings.HOSTPLANE_CERTIFICATE_RETRY_SECONDS * 1000,
    longestRetryMs: settings.HOSTPLANE_CERTIFICATE_LONGEST_RETRY_SECONDS * 1000,
    hostDelayMs: EDGE_DELAY_MS,
    proofDelayMs: settings.HOSTPLANE_DOMAIN_CHECK_SECONDS * 1000,
    longestProofDelayMs: settings.HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS * 1000,
    proofDeadlineMs: settings.HOSTPLANE_CERTIFICATE_PROOF_DEADLINE_SECONDS * 1000,
    warnDays: WARN_DAYS,
  };
}

/** Where a domain has to lead for one site. An address that stands for every one of the machine cannot be named in a record. */
export function placeFor(settings: DomainsSettings, proxyRanges: readonly string[], siteHostname: string): Place {
  const bound = ['0.0.0.0', '::'].includes(settings.HOSTPLANE_BIND) ? [] : [settings.HOSTPLANE_BIND];
  const addresses = settings.HOSTPLANE_PUBLIC_ADDRESSES ?? bound;
  const own = new Set(addresses.map(normal));
  const ranges = (settings.HOSTPLANE_PROXY_RANGES ?? proxyRanges).map((range) => ipaddr.parseCIDR(range));
  return {
    addresses,
    siteHostname,
    ...(settings.HOSTPLANE_TUNNEL !== 'off' && { tunnelHostname: `${settings.HOSTPLANE_TUNNEL_ID}.cfargotunnel.com` }),
    isOurs: (address) => own.has(normal(address)),
    isProxy: (address) => {
      const parsed = ipaddr.process(address);
      return ranges.some(([first, bits]) => parsed.kind() === first.kind() && parsed.match(first, bits));
    },
  };
}

const normal = (address: string): string => ipaddr.process(address).toNormalizedString();

/**
 * Whether the plane may prove a name itself. That it keeps the zone says nothing about whose the name is: only whoever runs the plane may take any name of
 * its zones, and a project those that are granted to it, with all below them. Everybody else proves a name as in any other zone.
 */
export function mayBeManaged(name: string, projectId: string, byOperator: boolean, grants: readonly DnsGrant[]): boolean {
  return byOperator || grants.some((grant) => grant.projectId === projectId && (name === grant.name || name.endsWith(`.${grant.name}`)));
}
