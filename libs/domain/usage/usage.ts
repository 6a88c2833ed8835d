import type { DataUse } from '#contracts/gen/hostplane/v1/usage.js';
import type { Decider } from '../decider.js';

/** What is in a project's volumes and databases, as it was recorded last. */
export type Uses = readonly DataUse[];

type Measure = { readonly type: 'MeasureUsage'; readonly projectId: string; readonly hostId: string; readonly data: Uses };

const MIB = 1024 ** 2;
const PART = 0.01;

/** What the sites of a project have written; recorded when it has changed notably. */
export const usageDecider: Decider<Uses, Measure, 'UsageMeasured'> = {
  category: 'usage',
  initial: [],
  decide: ({ projectId, hostId, data }, before) => (isNotable(before, data) ? [{ type: 'UsageMeasured', data: { projectId, hostId, data: [...data] } }] : []),
  evolve: (_, { data }) => data.data,
};

/**
 * Whether a change is worth a record: something came or went, or, all differences together, a MiB and a hundredth of what there was. So what is
 * recorded is never further from the truth than that, and data that grows without end is recorded some seventy times until it has doubled, however large it is.
 */
export function isNotable(before: Uses, after: Uses): boolean {
  const was = new Map(before.map(({ name, bytes }) => [name, bytes]));
  if (was.size !== after.length || after.some(({ name }) => !was.has(name))) return true;
  const changed = after.reduce((sum, { name, bytes }) => sum + Math.abs(bytes - (was.get(name) ?? 0)), 0);
  return changed > 0 && changed >= Math.max(MIB, PART * bytesOf(before));
}

export function bytesOf(data: Uses): number {
  return data.reduce((sum, { bytes }) => sum + bytes, 0);
}
