import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { EdgeRedirect, EdgeRoute, RouteTable } from '../edge.js';
import { refused, shown, siteName } from './refused.js';
import { siteRulesOf, type SiteRules } from './site-rules.js';

/** Where visitors of one hostname go, and how they are treated. The hostnames of a site have the same object as their rules. */
export type Place = Leading & { readonly rules?: SiteRules };

type Leading =
  | { readonly kind: 'container'; readonly address: string; readonly port: number }
  | { readonly kind: 'files'; readonly root: string }
  | { readonly kind: 'redirect'; readonly to: string; readonly status: number }
  | { readonly kind: 'stopped' };

/** A table that has been checked: each hostname once, in the order of the hostnames. */
export type Places = readonly { readonly hostname: string; readonly place: Place }[];

/** Labels of 63 characters at most (RFC 1035); an underscore is allowed, as in names that are looked up but are no hosts. */
const HOSTNAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const LONGEST_HOSTNAME = 253;
const ROOT = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}(?:\/[A-Za-z0-9_][A-Za-z0-9._-]{0,254})*$/;
const LONGEST_ROOT = 1024;

/**
 * Checks every value of a table and orders it by hostname.
 * Throws a ProviderError, not retryable, that names the site whose value no edge can serve.
 */
export function placesOf(table: RouteTable): Places {
  if (!Number.isSafeInteger(table.revision) || table.revision < 0) throw refused(`A route table cannot have the revision ${table.revision}`);
  const claims: Claim[] = [];
  for (const route of table.routes) {
    const rules = siteRulesOf(route);
    const placed = (leading: Leading): Place => (rules ? { ...leading, rules } : leading);
    const place = placed(placeOf(route));
    for (const hostname of route.hostnames) claims.push({ hostname: checkedHostname(route, hostname), place, route });
    for (const redirect of route.redirects ?? []) claims.push({ hostname: checkedHostname(route, redirect.hostname), place: placed(redirectOf(route, redirect)), route });
  }
  claims.sort((a, b) => (a.hostname < b.hostname ? -1 : a.hostname > b.hostname ? 1 : 0));
  const twice = claims.findIndex(({ hostname }, at) => hostname === claims[at + 1]?.hostname);
  if (twice >= 0) throw refused(`The hostname ${claims[twice]!.hostname} is claimed by ${siteName(claims[twice]!.route)} and ${siteName(claims[twice + 1]!.route)}`);
  return claims;
}

interface Claim {
  readonly hostname: string;
  readonly place: Place;
  readonly route: EdgeRoute;
}

/** Hex sha256 of texts by name, in the order of the names. */
export function hashOf(texts: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(texts).sort()) hash.update(`${name}\0${Buffer.byteLength(texts[name]!)}\0`).update(texts[name]!);
  return hash.digest('hex');
}

/** A checked table as text, a line a hostname and a line a hostname with a certificate, and its hash: what an edge serves that has no configuration but the table. */
export function renderPlaces(revision: number, places: Places, certificates: ReadonlyMap<string, string> = new Map()): { readonly text: string; readonly configHash: string } {
  const lines = places.map(({ hostname, place }) => `${JSON.stringify({ hostname, ...place })}\n`);
  const secured = [...certificates].map(([hostname, certificateId]) => `${JSON.stringify({ hostname, certificateId })}\n`);
  const text = `{"revision":${revision}}\n${lines.join('')}${secured.join('')}`;
  return { text, configHash: hashOf({ text }) };
}

/** Whether a value has the shape of a route table; its values are checked by placesOf. */
export function isRouteTable(value: unknown): value is RouteTable {
  const table = value as Partial<RouteTable> | null;
  return typeof table === 'object' && table !== null && typeof table.revision === 'number' && Array.isArray(table.routes);
}

function placeOf(route: EdgeRoute): Leading {
  if (route.state === 'stopped') return { kind: 'stopped' };
  if (route.state !== 'up') throw refused(`${siteName(route)} has the state ${shown(route.state)}; allowed are up and stopped`);
  const { address, port, root } = route.target;
  if (root !== '' && address !== '') throw refused(`${siteName(route)} has both an address and a folder as its target`);
  if (root !== '') return { kind: 'files', root: checkedRoot(route, root) };
  if (!isIPv4(address)) throw refused(`${siteName(route)} has the target address ${shown(address)}, which is not an IPv4 address`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw refused(`${siteName(route)} has the target port ${shown(port)}, which is not within 1–65535`);
  return { kind: 'container', address, port };
}

function redirectOf(route: EdgeRoute, { to, status }: EdgeRedirect): Leading {
  if (!isHostname(to)) throw refused(`${siteName(route)} redirects to ${shown(to)}, which is not a lower-case hostname`);
  if (status !== 301 && status !== 308) throw refused(`${siteName(route)} redirects with the status ${shown(status)}; allowed are 301 and 308`);
  return { kind: 'redirect', to, status };
}

function checkedHostname(route: EdgeRoute, hostname: string): string {
  if (!isHostname(hostname)) throw refused(`${siteName(route)} has the hostname ${shown(hostname)}, which is not a lower-case hostname`);
  return hostname;
}

/** Whether this is a lower-case host name. */
export const isHostname = (name: unknown): name is string => typeof name === 'string' && name.length <= LONGEST_HOSTNAME && HOSTNAME.test(name);

function checkedRoot(route: EdgeRoute, root: string): string {
  if (typeof root !== 'string' || root.length > LONGEST_ROOT || !ROOT.test(root)) {
    throw refused(`${siteName(route)} has the folder ${shown(root)}, which is not a plain path below the sites folder`);
  }
  return root;
}
