import ipaddr from 'ipaddr.js';
import type { EdgeRules, ErrorPage, Hsts } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { EdgeRoute } from '../edge.js';
import { maintenancePage } from './pages.js';
import { refused, shown, siteName } from './refused.js';

/** How a site's visitors are treated: rules that were checked, as an edge carries them out. */
export interface SiteRules {
  readonly httpsOnly: boolean;
  /** Value of the header Strict-Transport-Security; undefined: it is not sent. */
  readonly hsts: string | undefined;
  readonly maxBodyBytes: number | undefined;
  readonly targetTimeoutMs: number | undefined;
  /** Who may come in, in the order of their names; empty: everybody. */
  readonly users: readonly { readonly name: string; readonly passwordHash: string }[];
  readonly access: Access | undefined;
  readonly maintenance: { readonly html: string; readonly retryAfterSeconds: number } | undefined;
  readonly pages: OwnPages;
}

export interface Access {
  /** The narrowest first, so that the first that holds an address decides; of two equal ones the one that denies. */
  readonly ranges: readonly { readonly range: string; readonly isAllowed: boolean }[];
  readonly allowsOthers: boolean;
}

/** By status; a file lies below the site's folder. */
export interface OwnPages {
  readonly 404?: { readonly html: string } | { readonly file: string };
  readonly 502?: { readonly html: string };
  readonly 503?: { readonly html: string };
}

export const REALM = 'Restricted';
const MOST_PAGE_BYTES = 65_536;
const MOST_HSTS_SECONDS = 10 * 366 * 86_400;
const MOST_TIMEOUT_SECONDS = 86_400;
const MOST_RETRY_SECONDS = 366 * 86_400;

const USER = /^[A-Za-z0-9._@-]{1,64}$/;
/** bcrypt, which both edges can check. Each step of the cost doubles the time that a request keeps a worker from others. */
const PASSWORD_HASH = /^\$2[aby]\$(0[4-9]|1[0-2])\$[./A-Za-z0-9]{53}$/;
const FILE = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}(\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}){0,10}$/;

/** The rules of a route, checked; undefined when it has none. Throws a ProviderError, not retryable, that names the site. */
export function siteRulesOf(route: EdgeRoute): SiteRules | undefined {
  const { rules } = route;
  if (!rules || asksNothing(rules)) return undefined;
  const wrong = (what: string, value: unknown): Error => refused(`${siteName(route)} has ${what} ${shown(value)}`);
  return {
    httpsOnly: rules.httpsOnly,
    hsts: rules.hsts && hstsOf(rules.hsts, wrong),
    maxBodyBytes: count(rules.maxBodyBytes, Number.MAX_SAFE_INTEGER, 'a greatest body of', wrong),
    targetTimeoutMs: thousandfold(count(rules.targetTimeoutSeconds, MOST_TIMEOUT_SECONDS, 'a time-out of', wrong)),
    users: usersOf(rules, wrong),
    access: accessOf(rules, wrong),
    maintenance: rules.maintenance && {
      html: maintenancePage(sized(rules.maintenance.text, wrong)),
      retryAfterSeconds: count(rules.maintenance.retryAfterSeconds, MOST_RETRY_SECONDS, 'a maintenance to be tried again after', wrong) ?? 300,
    },
    pages: Object.fromEntries(rules.errorPages.map((page) => [page.status, pageOf(page, wrong)])),
  };
}

type Wrong = (what: string, value: unknown) => Error;

function asksNothing(rules: EdgeRules): boolean {
  return Object.values(rules).every((value: unknown) => !value || (Array.isArray(value) && value.length === 0));
}

function hstsOf({ maxAgeSeconds, includeSubdomains, preload }: Hsts, wrong: Wrong): string {
  if (!Number.isSafeInteger(maxAgeSeconds) || maxAgeSeconds < 0 || maxAgeSeconds > MOST_HSTS_SECONDS) throw wrong('a HSTS of the seconds', maxAgeSeconds);
  return `max-age=${maxAgeSeconds}${includeSubdomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`;
}

/** A number that may be left at 0. */
function count(value: number, most: number, what: string, wrong: Wrong): number | undefined {
  if (!Number.isSafeInteger(value) || value < 0 || value > most) throw wrong(what, value);
  return value === 0 ? undefined : value;
}

const thousandfold = (value: number | undefined): number | undefined => value && value * 1000;

function usersOf({ users }: EdgeRules, wrong: Wrong): SiteRules['users'] {
  const byName = new Map(users.map((user) => [user.name, user]));
  if (byName.size !== users.length) throw wrong('a user twice among', [...byName.keys()]);
  for (const { name, passwordHash } of users) {
    if (typeof name !== 'string' || !USER.test(name)) throw wrong('the user', name);
    if (typeof passwordHash !== 'string' || !PASSWORD_HASH.test(passwordHash)) throw wrong('no bcrypt hash of the password of', name);
  }
  return [...byName.keys()].sort().map((name) => ({ name, passwordHash: byName.get(name)!.passwordHash }));
}

function accessOf({ allow, deny }: EdgeRules, wrong: Wrong): Access | undefined {
  if (allow.length === 0 && deny.length === 0) return undefined;
  const ranges = [...deny.map((given) => ({ ...rangeOf(given, wrong), isAllowed: false })), ...allow.map((given) => ({ ...rangeOf(given, wrong), isAllowed: true }))];
  const order = (one: (typeof ranges)[number]): string => `${String(128 - one.bits).padStart(3, '0')} ${one.range} ${Number(one.isAllowed)}`;
  const sorted = [...ranges].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  const distinct = sorted.filter(({ range }, at) => range !== sorted[at - 1]?.range);
  return { ranges: distinct.map(({ range, isAllowed }) => ({ range, isAllowed })), allowsOthers: allow.length === 0 };
}

/** A range as the RFCs write it: its first address and the length of its prefix; a single address is one too. */
function rangeOf(given: string, wrong: Wrong): { range: string; bits: number } {
  try {
    const [address, prefix] = given.includes('/') ? ipaddr.parseCIDR(given) : [ipaddr.parse(given), given.includes(':') ? 128 : 32];
    if (given.includes('%') || !(ipaddr.isValidCIDR(given) || ipaddr.IPv4.isValidFourPartDecimal(given) || ipaddr.IPv6.isValid(given))) throw new Error('no range');
    const kind = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
    const first = kind.networkAddressFromCIDR(`${address.toString()}/${prefix}`);
    return { range: `${first.toString()}/${prefix}`, bits: prefix + (address.kind() === 'ipv4' ? 96 : 0) };
  } catch {
    throw wrong('the IP range', given);
  }
}

function sized(text: string, wrong: Wrong): string {
  if (typeof text !== 'string' || Buffer.byteLength(text) > MOST_PAGE_BYTES || !text.isWellFormed()) throw wrong('a page that is too long or no text:', text);
  return text;
}

function pageOf({ status, html, file }: ErrorPage, wrong: Wrong): { html: string } | { file: string } {
  if (status !== 404 && status !== 502 && status !== 503) throw wrong('a page for the status', status);
  if (html !== '') return { html: sized(html, wrong) };
  if (status !== 404 || typeof file !== 'string' || !FILE.test(file)) throw wrong(`a page for ${status} in the file`, file);
  return { file };
}
