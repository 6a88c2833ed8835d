import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';

export type KeyringCommand =
  | { type: 'CreateKeyring'; projectId: string; publicKey: string }
  | { type: 'DestroyKeyring'; projectId: string };

export type KeyringState =
  | { readonly status: 'absent' }
  | { readonly status: 'present'; readonly publicKey: string }
  | { readonly status: 'destroyed' };

/**
 * A project's keys: made once, destroyed for good. The keys themselves are in the vault's folder alone; this says that they are there, and
 * which public key belongs to them. Keys that were never made can be destroyed too, so that none are made later.
 */
export const keyringDecider: Decider<KeyringState, KeyringCommand, 'KeyringCreated' | 'KeyringDestroyed'> = {
  category: 'keyring',
  initial: { status: 'absent' },
  decide(command, state) {
    const { projectId } = command;
    if (command.type === 'DestroyKeyring') return state.status === 'destroyed' ? [] : [{ type: 'KeyringDestroyed', data: { projectId } }];
    if (state.status === 'destroyed') throw new Refusal('conflict', `The keys of the project ${projectId} were destroyed with it, for good.`);
    if (state.status === 'absent') return [{ type: 'KeyringCreated', data: { projectId, publicKey: command.publicKey } }];
    if (state.publicKey === command.publicKey) return [];
    throw new Refusal('conflict', `The project ${projectId} has other keys already: two vaults with a folder each work on one log.`);
  },
  evolve: (_, message) => (message.type === 'KeyringCreated' ? { status: 'present', publicKey: message.data.publicKey } : { status: 'destroyed' }),
};
