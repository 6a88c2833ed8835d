import type { Decider } from '../decider.js';

type Move = 'SiteAdmitted' | 'SiteReleased';

/** Which sites a project has: decides nothing, and holds an append to them as they were read. */
export const residents: Decider<ReadonlySet<string>, 'look', Move> = {
  category: 'project',
  initial: new Set(),
  decide: () => [],
  evolve(sites, { type, data }) {
    if (type === 'SiteAdmitted') return new Set([...sites, data.siteId]);
    return type === 'SiteReleased' ? new Set([...sites].filter((one) => one !== data.siteId)) : sites;
  },
};
