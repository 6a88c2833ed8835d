import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';
import { nthSubnet } from './ipv4.js';

export type PoolCommand =
  | { type: 'LeaseSubnet'; projectId: string; pool: string; prefix: number }
  | { type: 'ReturnSubnet'; projectId: string };

/** Subnet by project. */
export type PoolState = ReadonlyMap<string, string>;

/** The one stream of the pool: every host uses the same subnets, so a project can move. */
export const POOL_KEY = 'subnets';

/** Which project holds which subnet of the plane's pool: the lowest free one is given. */
export const poolDecider: Decider<PoolState, PoolCommand, 'SubnetLeased' | 'SubnetReturned'> = {
  category: 'pool',
  initial: new Map(),
  decide(command, state) {
    const held = state.get(command.projectId);
    if (command.type === 'ReturnSubnet') return held ? [{ type: 'SubnetReturned', data: { projectId: command.projectId, subnet: held } }] : [];
    if (held) return [];
    const taken = new Set(state.values());
    for (let n = 0; ; n++) {
      const subnet = nthSubnet(command.pool, command.prefix, n);
      if (!subnet) throw new Refusal('conflict', `All ${n} subnets of the pool ${command.pool} are in use. Delete a project, or set HOSTPLANE_NETWORK_POOL to a larger network.`);
      if (!taken.has(subnet)) return [{ type: 'SubnetLeased', data: { projectId: command.projectId, subnet } }];
    }
  },
  evolve: (state, event) => change(new Map(state), event),
  // The one stream of all projects that there ever were: a copy at each event would cost their square.
  fold: (state, events) => events.reduce(change, new Map(state)),
};

function change(held: Map<string, string>, { type, data }: MessageOf<'SubnetLeased' | 'SubnetReturned'>): Map<string, string> {
  if (type === 'SubnetLeased') held.set(data.projectId, data.subnet);
  else held.delete(data.projectId);
  return held;
}
