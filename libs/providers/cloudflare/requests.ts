import ipaddr from 'ipaddr.js';
import type { DnsRecordWish } from '../dns.js';
import { ProviderError } from '../provider-error.js';
import { readText, textOf } from './txt.js';

/** A record as Cloudflare shows it, as far as it matters here. */
export interface ShownRecord {
  readonly id: string;
  readonly type: string;
  readonly name: string;
  readonly content?: string | undefined;
  readonly ttl?: number | undefined;
  readonly proxied?: boolean | undefined;
  readonly comment?: string | null | undefined;
}

/** What has to be done so that a wish is fulfilled. */
export type Plan = { readonly kind: 'nothing' } | { readonly kind: 'create' } | { readonly kind: 'change'; readonly id: string };

/** What `name` and the rest of a request's body are; Cloudflare's client types each record by itself. */
export interface RecordBody {
  readonly type: DnsRecordWish['type'];
  readonly name: string;
  readonly content: string;
  readonly ttl: number;
  readonly proxied?: boolean;
  readonly comment: string;
  readonly tags?: string[];
}

/** Seconds; 1 stands for Cloudflare's own choice. */
const AUTOMATIC = 1;
const LEADING = new Set(['A', 'AAAA', 'CNAME']);

/** How the comment of a record of ours begins; at most 100 characters are taken on every plan. People see it in Cloudflare's pages. */
export const markOf = (plane: string): string => `Hostplane ${plane}:`;

export const isOurs = ({ comment }: Pick<ShownRecord, 'comment'>, plane: string): boolean => (comment ?? '').startsWith(markOf(plane));

/** `tags`: only the paid plans take them. */
export function bodyOf({ type, name, value, ttlSeconds, proxied }: DnsRecordWish, plane: string, tags: boolean): RecordBody {
  return {
    type,
    name,
    content: type === 'TXT' ? textOf(value) : value,
    ttl: ttlSeconds ?? AUTOMATIC,
    ...(type !== 'TXT' && { proxied: proxied ?? false }),
    comment: `${markOf(plane)} kept by it, do not edit.`,
    ...(tags && { tags: [`hostplane:${plane}`] }),
  };
}

/** Undefined for what no wish could have made. */
export function wishOf({ type, name, content = '', ttl, proxied }: ShownRecord): DnsRecordWish | undefined {
  if (type !== 'TXT' && !LEADING.has(type)) return undefined;
  const wish = { type: type as DnsRecordWish['type'], name, value: type === 'TXT' ? readText(content) : content };
  return { ...wish, ...(ttl !== undefined && ttl !== AUTOMATIC && { ttlSeconds: ttl }), ...(proxied === true && { proxied }) };
}

/** Whether a record is the one that is meant: the same type, name and value, however the value is written. */
export function isSame(record: ShownRecord, wish: DnsRecordWish): boolean {
  const shown = wishOf(record);
  return shown?.type === wish.type && shown.name === wish.name && normal(shown) === normal(wish);
}

/**
 * Compares a wish with all that its name has. Throws a ProviderError, not retryable, for what cannot stand beside each other: nobody's record but our own is
 * changed, and no name leads to two owners' places.
 */
export function planFor(wish: DnsRecordWish, there: readonly ShownRecord[], plane: string): Plan {
  const at = there.filter(({ name }) => name === wish.name);
  const same = at.find((record) => isSame(record, wish));
  if (LEADING.has(wish.type)) {
    const rivals = at.filter((record) => record !== same && LEADING.has(record.type));
    const theirs = rivals.find((record) => !isOurs(record, plane));
    if (theirs) throw conflict(wish, theirs, 'this plane did not make it and does not touch it. Remove it, or set the name by hand');
    const alias = rivals.find(({ type }) => type === 'CNAME');
    if (alias && wish.type === 'CNAME' && rivals.length === 1 && !same) return { kind: 'change', id: alias.id };
    const other = wish.type === 'CNAME' ? rivals[0] : alias;
    if (other) throw conflict(wish, other, 'this plane made it for something else. Remove that first');
  }
  if (!same) return { kind: 'create' };
  return !isOurs(same, plane) || hasWishes(same, wish) ? { kind: 'nothing' } : { kind: 'change', id: same.id };
}

/** What a wish leaves open is as it may be. The TTL of what is proxied is Cloudflare's. */
function hasWishes({ ttl, proxied = false }: ShownRecord, wish: DnsRecordWish): boolean {
  if (wish.type !== 'TXT' && wish.proxied !== undefined && wish.proxied !== proxied) return false;
  return wish.ttlSeconds === undefined || proxied || wish.ttlSeconds === ttl;
}

function normal({ type, value }: DnsRecordWish): string {
  if (type === 'TXT') return value;
  if (type === 'CNAME') return value.toLowerCase().replace(/\.$/, '');
  return ipaddr.isValid(value) ? ipaddr.parse(value).toNormalizedString() : value;
}

function conflict(wish: DnsRecordWish, { type, content = '' }: ShownRecord, why: string): ProviderError {
  return new ProviderError(`The ${wish.type} record ${wish.name} to ${wish.value} cannot be made: there is a record ${type} to ${content.slice(0, 200)}, ${why}.`, false);
}
