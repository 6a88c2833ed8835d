import { randomInt } from 'node:crypto';
import type { Accepted, RevealedSecret } from '#contracts/gen/hostplane/v1/ask.js';
import type { RevealSecret, RevokeSecret, RotateSecret, SecretStored, StoreSecret } from '#contracts/gen/hostplane/v1/secret.js';
import { streamId, type Cause } from '#contracts/message.js';
import { secretIdOf } from '#domain/naming/naming.js';
import { Refusal } from '#domain/refusal.js';
import { heirOf, lifeOf, mustBeFree, mustFollow, type SiteLife } from '#domain/secret/need.js';
import { mustBeStored, nextVersion, secretDecider, type SecretCommand, type SecretState } from '#domain/secret/secret.js';
import { checkOwnName, checkWish, generated } from '#domain/secret/wish.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on, type Part } from '#eventstore/handle.js';
import { isPublicKey, seal } from '#messaging/sealed-box.js';
import { InTurn } from '#providers/in-turn.js';
import type { Keyring } from './keyring.js';
import { asMember } from './members.js';
import { unusedBySites } from './users.js';
import { unboxed, type Vault } from './vault.js';

const ALPHABET = 'letters-digits';

/** What members of a project do with its secrets. Who asks, and their right, is looked up in the log before anything is done, and once more by the append. */
export class OwnSecrets {
  private readonly turns = new InTurn();

  constructor(
    private readonly store: EventStore,
    private readonly vault: Vault,
  ) {}

  /** The secret has this value, or one that is made here; the one before is opened no more. */
  async put({ projectId, name, box, length }: StoreSecret, cause: Cause): Promise<Accepted> {
    const allowed = await asMember(this.store, projectId, 'secrets:write', cause);
    checkOwnName(name);
    if (box === '') checkWish({ name, length, alphabet: ALPHABET });
    await this.vault.ensureKeyring(projectId, cause);
    return this.next({ projectId, name, cause, allowed }, (keyring) => {
      const value = box === '' ? generated({ name, length, alphabet: ALPHABET }, randomInt) : unboxed(keyring, name, box);
      return { type: 'StoreSecret', value, isGenerated: box === '', siteId: '' };
    });
  }

  /** What the vault made gets another value of the same length; refused where what uses it would not follow. */
  async rotate({ projectId, name }: RotateSecret, cause: Cause): Promise<Accepted> {
    const allowed = await asMember(this.store, projectId, 'secrets:write', cause);
    return this.next({ projectId, name, cause, allowed }, async (keyring, state) => {
      mustBeStored(state, name);
      mustFollow(state.secret, await this.lifeOf(state.secret));
      const { length } = keyring.decrypt(state.secret.ciphertext, state.secret);
      return { type: 'RotateSecret', value: generated({ name, length, alphabet: ALPHABET }, randomInt), isGenerated: state.secret.isGenerated, siteId: state.secret.siteId };
    });
  }

  /** The secret is opened for nobody any more; refused while something needs it. */
  async revoke({ projectId, name }: RevokeSecret, cause: Cause): Promise<Accepted> {
    const allowed = await asMember(this.store, projectId, 'secrets:write', cause);
    const secretId = secretIdOf(projectId, name);
    const { state } = await loadState(this.store, secretDecider, secretId);
    if (state.status === 'stored') mustBeFree(state.secret, await this.lifeOf(state.secret));
    const { position } = await handle(this.store, cause, [on(secretDecider, secretId, { type: 'RevokeSecret', name })], {
      then: async (_, log) => [allowed, await unusedBySites(log, projectId, name)],
      ahead: [streamId('project', projectId)],
    });
    return { resourceId: secretId, operationId: '', position };
  }

  /** The value, sealed to the asker's one-time key. That it was opened, by whom, is recorded before it is given. */
  async reveal({ projectId, name, publicKey }: RevealSecret, cause: Cause): Promise<RevealedSecret> {
    const allowed = await asMember(this.store, projectId, 'secrets:read', cause);
    if (!isPublicKey(publicKey)) throw new Refusal('invalid', 'The answer cannot be sealed: this is not a public key.', 'publicKey');
    const secretId = secretIdOf(projectId, name);
    const { position, states: [state] } = await handle(this.store, cause, [on(secretDecider, secretId, { type: 'OpenSecret', name, purpose: 'reveal' })], { then: () => [allowed] });
    mustBeStored(state as SecretState, name);
    const { secret } = state as Extract<SecretState, { status: 'stored' }>;
    const keyring = await this.vault.existing(projectId);
    return { version: secret.version, box: seal(keyring.decrypt(secret.ciphertext, secret), publicKey), position };
  }

  /** Stores the next version, one after the other for each project. */
  private next({ projectId, name, cause, allowed }: Asked, make: (keyring: Keyring, state: SecretState) => Promise<Next> | Next): Promise<Accepted> {
    return this.turns.run(projectId, async () => {
      const secretId = secretIdOf(projectId, name);
      const { state } = await loadState(this.store, secretDecider, secretId);
      const keyring = await this.vault.existing(projectId);
      const { type, value, isGenerated, siteId } = await make(keyring, state);
      const place = { secretId, version: nextVersion(state) };
      const secret: SecretStored = { ...place, projectId, siteId, name, isGenerated, ciphertext: keyring.encrypt(value, place) };
      return this.decide(secretId, { type, secret }, cause, allowed);
    });
  }

  private async decide(secretId: string, command: SecretCommand, cause: Cause, allowed: Part): Promise<Accepted> {
    const { position } = await handle(this.store, cause, [on(secretDecider, secretId, command)], { then: () => [allowed] });
    return { resourceId: secretId, operationId: '', position };
  }

  private async lifeOf({ siteId }: SecretStored): Promise<SiteLife> {
    if (siteId === '') return 'none';
    for (let id = siteId; ; ) {
      const history = await this.store.readStream(streamId('site', id));
      const heir = heirOf(history);
      if (heir === undefined) return lifeOf(history);
      id = heir;
    }
  }
}

interface Asked {
  readonly projectId: string;
  readonly name: string;
  readonly cause: Cause;
  /** Holds the append to the member's right. */
  readonly allowed: Part;
}

interface Next {
  readonly type: 'StoreSecret' | 'RotateSecret';
  readonly value: string;
  readonly isGenerated: boolean;
  readonly siteId: string;
}
