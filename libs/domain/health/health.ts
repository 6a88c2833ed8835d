import type { Decider } from '../decider.js';

/** How a workload is found, beside what it is meant to be. */
export const healthStates = ['healthy', 'stopped', 'missing', 'failing', 'unknown'] as const;
export type HealthState = (typeof healthStates)[number];

/** What was found of a workload that is meant to run. */
export interface Finding {
  readonly state: HealthState;
  readonly detail: string;
}

type Observe = Finding & { readonly type: 'ObserveWorkload'; readonly siteId: string; readonly hostId: string };

/** What a host sees of a workload; recorded when its state becomes another one. One that was just made is healthy: somebody has looked. */
export const healthDecider: Decider<HealthState, Observe, 'WorkloadObserved'> = {
  category: 'health',
  initial: 'healthy',
  decide: ({ siteId, hostId, state, detail }, before) => (state === before ? [] : [{ type: 'WorkloadObserved', data: { siteId, hostId, state, detail } }]),
  evolve: (_, { data }) => data.state as HealthState,
};

/**
 * What a host found, once it can be believed: that all is well at once, anything else when it is found twice in a row, for a container that
 * is being replaced is away for a moment.
 */
export function believed(found: Finding, before: Finding | undefined): Finding | undefined {
  return found.state === 'healthy' || found.state === before?.state ? found : undefined;
}

const FIRST_WAIT_MS = 10_000;
const LONGEST_WAIT_MS = 3_600_000;

/** How long to wait after a repair before the next one, when so many came before it. */
export function waitAfter(repairs: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(repairs, 20));
}

/**
 * Whether a repair may help: what is not there is made or started again. What runs and fails is its owner's to mend, but for WordPress, whose database
 * server may be down.
 */
export function mayBeRepaired(state: string, siteKind: string): boolean {
  return state === 'stopped' || state === 'missing' || (state === 'failing' && siteKind === 'wordpress');
}
