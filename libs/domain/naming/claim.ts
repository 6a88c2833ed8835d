import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';

export type ClaimCommand = { type: 'ClaimName'; name: string; holderId: string } | { type: 'ReleaseName'; holderId: string };
export type ClaimState = { status: 'free' } | { status: 'held'; name: string; holderId: string };

/** Who holds a name. One stream a name, so that of two who want it at once exactly one gets it. */
function claimDecider(category: 'name' | 'hostname'): Decider<ClaimState, ClaimCommand, 'NameClaimed' | 'NameReleased'> {
  return {
    category,
    initial: { status: 'free' },
    decide(command, state) {
      if (command.type === 'ClaimName') {
        if (state.status === 'free') return [{ type: 'NameClaimed', data: { name: command.name, holderId: command.holderId } }];
        if (state.holderId === command.holderId) return [];
        throw new Refusal('conflict', `The name "${command.name}" is in use already. Choose another one, or delete what holds it.`, category);
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
/** Labels under the base domain: key is the label. */
export const hostnameDecider = claimDecider('hostname');
