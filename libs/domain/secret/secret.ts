import type { SecretStored } from '#contracts/gen/hostplane/v1/secret.js';
import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';

export type SecretCommand =
  /** A value that was made for it, in case there is none yet. */
  | { type: 'GenerateSecret'; secret: SecretStored }
  /** A value that a member gave or had made, in place of the one before. Its version is the next one. */
  | { type: 'StoreSecret'; secret: SecretStored }
  /** Another value for what the vault made itself. Its version is the next one. */
  | { type: 'RotateSecret'; secret: SecretStored }
  | { type: 'RevokeSecret'; name: string }
  /** Somebody is to be given the value. */
  | { type: 'OpenSecret'; name: string; purpose: string };

export type SecretState =
  | { readonly status: 'absent' }
  | { readonly status: 'stored'; readonly secret: SecretStored }
  | { readonly status: 'revoked'; readonly secret: SecretStored };

export type SecretEventType = 'SecretStored' | 'SecretRevoked' | 'SecretOpened';

type Stored = Extract<SecretState, { status: 'stored' }>;

/**
 * A secret of a project: what the vault generates is kept as it is whoever asks for it again, each value has a version of its own, and each opening
 * is recorded. One that was revoked is opened for nobody; only a member who stores a value under its name brings the name back.
 */
export const secretDecider: Decider<SecretState, SecretCommand, SecretEventType> = {
  category: 'secret',
  initial: { status: 'absent' },
  decide(command, state) {
    const name = 'name' in command ? command.name : command.secret.name;
    if (command.type === 'StoreSecret') return store(command.secret, state);
    if (command.type === 'RevokeSecret' && state.status === 'revoked') return [];
    if (state.status === 'revoked') throw new Refusal('conflict', `The secret "${name}" was revoked.`);
    if (command.type === 'GenerateSecret') return state.status === 'absent' ? [{ type: 'SecretStored', data: command.secret }] : [];
    mustBeStored(state, name);
    const { secretId, projectId, version, isGenerated } = state.secret;
    if (command.type === 'RevokeSecret') return [{ type: 'SecretRevoked', data: { secretId, projectId, name } }];
    if (command.type === 'OpenSecret') return [{ type: 'SecretOpened', data: { secretId, projectId, name, version, purpose: command.purpose } }];
    if (!isGenerated) throw new Refusal('conflict', `The value of "${name}" was stored by a member, and nobody else knows another one: store a new value.`, 'name');
    return store(command.secret, state);
  },
  evolve(state, message) {
    if (message.type === 'SecretStored') return { status: 'stored', secret: message.data };
    return message.type === 'SecretRevoked' && state.status === 'stored' ? { ...state, status: 'revoked' } : state;
  },
};

/** The version that the next value of a secret has. No version ever comes twice: a ciphertext is bound to its own. */
export function nextVersion(state: SecretState): number {
  return state.status === 'absent' ? 1 : state.secret.version + 1;
}

export function mustBeStored(state: SecretState, name: string): asserts state is Stored {
  if (state.status === 'stored') return;
  if (state.status === 'revoked') throw new Refusal('conflict', `The secret "${name}" was revoked.`);
  throw new Refusal('not-found', `There is no secret "${name}" in the project.`);
}

function store(secret: SecretStored, state: SecretState): readonly { type: 'SecretStored'; data: SecretStored }[] {
  if (secret.version === nextVersion(state)) return [{ type: 'SecretStored', data: secret }];
  throw new Refusal('conflict', `Somebody else stored a value of "${secret.name}" at the same moment. Try again.`, 'name');
}
