import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';

export type ClaimCommand = { type: 'ClaimName'; name: string; holderId: string } | { type: 'ReleaseName'; holderId: string };
export type ClaimState = { status: 'free' } | { status: 'held'; name: string; holderId: string };

const inUse = (name: string): string => `The name "${name}" is in use already. Choose another one, or delete what holds it.`;

/** Who holds a name. One stream a name, so that of two who want it at once exactly one gets it. */
function claimDecider(category: 'name' | 'hostname', field: string = category, held = inUse): Decider<ClaimState, ClaimCommand, 'NameClaimed' | 'NameReleased'> {
  return {
    category,
    initial: { status: 'free' },
    decide(command, state) {
      if (command.type === 'ClaimName') {
        if (state.status === 'free') return [{ type: 'NameClaimed', data: { name: command.name, holderId: command.holderId } }];
        if (state.holderId === command.holderId) return [];
        throw new Refusal('conflict', held(command.name), field);
      }
      if (state.status === 'free' || state.holderId !== command.holderId) return [];
      return [{ type: 'NameReleased', data: { name: state.name, holderId: command.holderId } }];
    },
    evolve: (_, message) =>
      message.type === 'NameClaimed' ? { status: 'held', name: message.data.name, holderId: message.data.holderId } : { status: 'free' },
  };
}

/** Names of an owner's sites and projects: key `<owner>:site:<name>` or `<owner>:project:<name>`. */
export const nameDecider = claimDecider('name');
/** Data that a destroyed site left: key `data:<data id>`. Held by the site that goes on with it, or by the one that left it when it is discarded. */
export const dataDecider = claimDecider('name', 'restoreFrom', () => 'The data of the site was taken over by another one already, or is being discarded.');
/** Labels under the base domain: key is the label. */
export const hostnameDecider = claimDecider('hostname');
