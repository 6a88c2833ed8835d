import type { Quota as StoredQuota } from '#contracts/gen/hostplane/v1/project.js';
import { Refusal } from '../refusal.js';

/** How much of each a project may have, or has. */
export interface Amounts {
  readonly sites: number;
  readonly memoryBytes: number;
  readonly cpuMillis: number;
  readonly diskBytes: number;
}

/** What a project has. */
export interface Use extends Amounts {
  /** What of the disk its sites have written, and did not come as an upload. */
  readonly writtenBytes: number;
}

export type Dimension = keyof Amounts;

/** What a project may have at most. Null: as much as there is. */
export type Quota = Readonly<Record<Dimension, number | null>>;

/** What somebody set of it; what they left out is as the plane's configuration says. */
export type QuotaWish = Partial<Quota>;

export const dimensions = ['sites', 'memoryBytes', 'cpuMillis', 'diskBytes'] as const satisfies readonly Dimension[];

export const nothing: Amounts = { sites: 0, memoryBytes: 0, cpuMillis: 0, diskBytes: 0 };

export function plus(a: Amounts, b: Amounts): Amounts {
  return { sites: a.sites + b.sites, memoryBytes: a.memoryBytes + b.memoryBytes, cpuMillis: a.cpuMillis + b.cpuMillis, diskBytes: a.diskBytes + b.diskBytes };
}

/** What holds for a project: what was set for it, and what is usual for the rest. */
export function quotaOf(wish: QuotaWish, usual: Quota): Quota {
  return { ...usual, ...wish };
}

export function sameWish(a: QuotaWish, b: QuotaWish): boolean {
  return dimensions.every((one) => a[one] === b[one]);
}

/** As it is stored: below zero is as much as there is. */
export function wishToProto(wish: QuotaWish): StoredQuota {
  const stored = (one: Dimension): number | undefined => (wish[one] === null ? -1 : wish[one]);
  return { sites: stored('sites'), memoryBytes: stored('memoryBytes'), cpuMillis: stored('cpuMillis'), diskBytes: stored('diskBytes') };
}

export function wishOf(stored: StoredQuota | undefined): QuotaWish {
  const said = dimensions.flatMap((one): [Dimension, number | null][] => {
    const amount = stored?.[one];
    return amount === undefined ? [] : [[one, amount < 0 ? null : amount]];
  });
  return Object.fromEntries(said);
}

/**
 * Refuses growth beyond the quota, naming each limit, what is used and what was asked. What does not grow is never refused, however far above it is. What
 * `isToWrite` asks for no disk now, and needs some: it is refused where nothing is left.
 */
export function mustFit(quota: Quota, used: Use, asked: Amounts, isToWrite = false): void {
  const over = dimensions.filter((one) => {
    const most = quota[one];
    if (most === null) return false;
    return asked[one] > 0 ? used[one] + asked[one] > most : one === 'diskBytes' && isToWrite && used.diskBytes >= most;
  });
  if (over.length === 0) return;
  const said = over.map((one) => `${names[one]}: ${shown(one, used[one])} of ${shown(one, quota[one] ?? 0)} are used${one === 'diskBytes' ? partsOf(used) : ''}, ${wanted(one, asked[one])}`);
  throw new Refusal('quota-exceeded', `The project's quota does not allow this. ${said.join('; ')}. Free some of it, or raise the quota.`, over[0]);
}

const names: Readonly<Record<Dimension, string>> = { sites: 'sites', memoryBytes: 'memory', cpuMillis: 'cpu', diskBytes: 'disk' };

function partsOf({ diskBytes, writtenBytes }: Use): string {
  return writtenBytes === 0 ? '' : ` (${bytes(diskBytes - writtenBytes)} by uploads, ${bytes(writtenBytes)} written by sites)`;
}

function wanted(dimension: Dimension, amount: number): string {
  return amount > 0 ? `${shown(dimension, amount)} more were asked for` : 'and nothing is left for what the site is going to write';
}

function shown(dimension: Dimension, amount: number): string {
  if (dimension === 'sites') return String(amount);
  return dimension === 'cpuMillis' ? `${amount / 1000} cores` : bytes(amount);
}

/** Whole where it can be; what was measured seldom is, and is rounded to tenths. */
function bytes(amount: number): string {
  const units = [[1024 ** 3, 'GiB'], [1024 ** 2, 'MiB'], [1024, 'KiB']] as const;
  const whole = units.find(([size]) => amount >= size && amount % size === 0);
  if (whole) return `${amount / whole[0]} ${whole[1]}`;
  const [size, unit] = units.find(([one]) => amount >= one && one > 1024) ?? [1, 'bytes'];
  return size === 1 ? `${amount} bytes` : `${(amount / size).toFixed(1)} ${unit}`;
}
