import type { Redirect } from '#contracts/gen/hostplane/v1/route.js';

/** A custom domain of a site, as the site's route knows it. */
export interface CustomDomain {
  readonly name: string;
  readonly claimId: string;
  /** Another hostname of the site; empty: the site is served under this name. */
  readonly redirectTo: string;
  readonly redirectStatus: number;
  /** It is in the table that the edge was given last. */
  readonly isRouted: boolean;
  /** The edge has confirmed that it serves it. */
  readonly isServed: boolean;
}

/**
 * The redirects of a route. One whose target is not served under its own name leads nowhere: such a domain serves the site itself, so that no
 * visitor is lost and nothing goes in circles.
 */
export function redirectsOf(ownHostnames: readonly string[], routed: readonly CustomDomain[]): Redirect[] {
  const served = new Set([...ownHostnames, ...routed.flatMap(({ name, redirectTo }) => (redirectTo === '' ? [name] : []))]);
  return routed.flatMap(({ name, redirectTo, redirectStatus }) => (redirectTo !== '' && served.has(redirectTo) ? [{ hostname: name, to: redirectTo, status: redirectStatus }] : []));
}

/** Every hostname that the site is served under, its own first. */
export function hostnamesOf(ownHostnames: readonly string[], routed: readonly CustomDomain[]): string[] {
  const sentOn = new Set(redirectsOf(ownHostnames, routed).map(({ hostname }) => hostname));
  return [...ownHostnames, ...routed.flatMap(({ name }) => (sentOn.has(name) ? [] : [name]))];
}

/** The domain that a site is known by when this one leaves; empty: none is left. */
export function nextPrimary(domains: ReadonlyMap<string, CustomDomain>, leaving: string): string {
  return [...domains.values()].find(({ name, redirectTo, isRouted, isServed }) => name !== leaving && redirectTo === '' && isRouted && isServed)?.name ?? '';
}
