import type { SecretStored } from '#contracts/gen/hostplane/v1/secret.js';
import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';

export type SecretCommand =
  /** A value that was made for it, in case there is none yet. */
  | { type: 'GenerateSecret'; secret: SecretStored }
  /** Somebody is to be given the value. */
  | { type: 'OpenSecret'; name: string; purpose: string };

export type SecretState =
  | { readonly status: 'absent' }
  | { readonly status: 'stored'; readonly secret: SecretStored }
  | { readonly status: 'revoked'; readonly secret: SecretStored };

export type SecretEventType = 'SecretStored' | 'SecretRevoked' | 'SecretOpened';

/** A secret of a project: generated once, kept as it is whoever asks for it again, and each opening of it recorded. */
export const secretDecider: Decider<SecretState, SecretCommand, SecretEventType> = {
  category: 'secret',
  initial: { status: 'absent' },
  decide(command, state) {
    const name = command.type === 'OpenSecret' ? command.name : command.secret.name;
    if (state.status === 'revoked') throw new Refusal('conflict', `The secret "${name}" was revoked.`);
    if (command.type === 'GenerateSecret') return state.status === 'absent' ? [{ type: 'SecretStored', data: command.secret }] : [];
    if (state.status === 'absent') throw new Refusal('not-found', `There is no secret "${name}" in the project.`);
    const { secretId, projectId, version } = state.secret;
    return [{ type: 'SecretOpened', data: { secretId, projectId, name, version, purpose: command.purpose } }];
  },
  evolve(state, message) {
    if (message.type === 'SecretStored') return { status: 'stored', secret: message.data };
    return message.type === 'SecretRevoked' && state.status === 'stored' ? { ...state, status: 'revoked' } : state;
  },
};
