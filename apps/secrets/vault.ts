import { randomInt } from 'node:crypto';
import type { OpenedSecrets } from '#contracts/gen/hostplane/v1/ask.js';
import type { OpenSecrets, SealedValue, SecretWish } from '#contracts/gen/hostplane/v1/secret.js';
import type { Cause } from '#contracts/message.js';
import { isHostKeyring, secretIdOf } from '#domain/naming/naming.js';
import { Refusal } from '#domain/refusal.js';
import { keyringDecider } from '#domain/secret/keyring.js';
import { secretDecider, type SecretState } from '#domain/secret/secret.js';
import { checkWish, generated } from '#domain/secret/wish.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { isPublicKey, seal } from '#messaging/sealed-box.js';
import { InTurn } from '#providers/in-turn.js';
import { ProviderError } from '#providers/provider-error.js';
import type { Keyring } from './keyring.js';
import type { KeyringFiles } from './keyring-files.js';
import { founderOf } from './members.js';

const ACTOR = 'system:secrets';

/**
 * The projects' keys and secrets. Keys are in the vault's folder, what is encrypted with them in the log; neither says anything without the
 * other. The file comes before the fact and goes before the fact, so that whoever dies in between is set right by doing the same again.
 */
export class Vault {
  private readonly turns = new InTurn();

  constructor(
    private readonly store: EventStore,
    private readonly files: KeyringFiles,
  ) {}

  /** The project has keys of its own; answers with the public one. */
  async ensureKeyring(projectId: string, cause: Cause): Promise<string> {
    return (await this.keyring(projectId, cause)).publicKey;
  }

  /** The same for a project that somebody asks about: it must be there, and not deleted before there were keys. */
  async showPublicKey(projectId: string, cause: Cause): Promise<string> {
    await founderOf(this.store, projectId);
    return this.ensureKeyring(projectId, cause);
  }

  /** Everything that was encrypted or sealed with the project's keys is unreadable for good. */
  async destroyKeyring(projectId: string, cause: Cause): Promise<void> {
    await this.turns.run(projectId, async () => {
      await this.files.destroy(projectId);
      await handle(this.store, ownedBy(projectId, cause), [on(keyringDecider, projectId, { type: 'DestroyKeyring', projectId })], { actor: ACTOR });
    });
  }

  /** The secrets exist; those that did are as they were. */
  async ensureSecrets({ projectId, siteId, wishes }: { projectId: string; siteId: string; wishes: readonly SecretWish[] }, cause: Cause): Promise<void> {
    for (const wish of wishes) checkWish(wish);
    const keyring = await this.keyring(projectId, cause);
    for (const wish of wishes) {
      const place = { secretId: secretIdOf(projectId, wish.name), version: 1 };
      const ciphertext = keyring.encrypt(generated(wish, randomInt), place);
      const secret = { ...place, projectId, siteId, name: wish.name, ciphertext, isGenerated: true };
      await handle(this.store, ownedBy(projectId, cause), [on(secretDecider, place.secretId, { type: 'GenerateSecret', secret })], { actor: ACTOR });
    }
  }

  /** Values for who asks, sealed to its one-time key. That a secret was opened is recorded before it is given. */
  async open({ projectId, names, sealed, publicKey, purpose }: OpenSecrets, cause: Cause): Promise<OpenedSecrets> {
    if (!isPublicKey(publicKey)) throw new Refusal('invalid', 'The answer cannot be sealed: this is not a public key.', 'publicKey');
    const keyring = await this.existing(projectId);
    const [secrets, versions]: [SealedValue[], number[]] = [[], []];
    for (const name of names) {
      const { value, version } = await this.reveal(keyring, name, purpose, ownedBy(projectId, cause));
      secrets.push({ name, box: seal(value, publicKey) });
      versions.push(version);
    }
    return { secrets, versions, sealed: sealed.map(({ name, box }) => ({ name, box: seal(unboxed(keyring, name, box), publicKey) })) };
  }

  /** The value of a secret that is made in a way of its own when there is none. That it was needed here, inside of the vault, is not recorded. */
  async obtain({ projectId, siteId, name }: { projectId: string; siteId: string; name: string }, make: () => string, cause: Cause): Promise<string> {
    const keyring = await this.keyring(projectId, cause);
    const place = { secretId: secretIdOf(projectId, name), version: 1 };
    const secret = { ...place, projectId, siteId, name, ciphertext: keyring.encrypt(make(), place), isGenerated: true };
    const { states: [state] } = await handle(this.store, ownedBy(projectId, cause), [on(secretDecider, place.secretId, { type: 'GenerateSecret', secret })], { actor: ACTOR });
    const { secret: kept } = state as Extract<SecretState, { status: 'stored' }>;
    return keyring.decrypt(kept.ciphertext, kept);
  }

  /** Secrets that nothing needs any more are opened for nobody. Those that are not there are fine. */
  async forget(projectId: string, names: readonly string[], cause: Cause): Promise<void> {
    for (const name of names) {
      const secretId = secretIdOf(projectId, name);
      const { state } = await loadState(this.store, secretDecider, secretId);
      if (state.status === 'stored') await handle(this.store, ownedBy(projectId, cause), [on(secretDecider, secretId, { type: 'RevokeSecret', name })], { actor: ACTOR });
    }
  }

  /** Projects that have keys. */
  projects(): Promise<string[]> {
    return this.files.list();
  }

  /** Wraps the keys of a project with the current master key; answers which one they took before, or undefined when nothing was to be done. */
  rewrap(projectId: string): Promise<string | undefined> {
    return this.turns.run(projectId, async () => {
      const before = await this.files.rewrap(projectId);
      // Another vault may have destroyed them in the meantime, and they would be back.
      if ((await loadState(this.store, keyringDecider, projectId)).state.status === 'destroyed') await this.files.destroy(projectId);
      return before;
    });
  }

  /** Takes away what is left of keys that the log says are destroyed; answers whose. An old copy of the folder may have brought them back. */
  async sweep(): Promise<readonly string[]> {
    await this.files.removeStaged();
    const swept: string[] = [];
    for (const projectId of await this.files.list()) {
      if ((await loadState(this.store, keyringDecider, projectId)).state.status !== 'destroyed') continue;
      await this.files.destroy(projectId);
      swept.push(projectId);
    }
    return swept;
  }

  private async reveal(keyring: Keyring, name: string, purpose: string, cause: Cause): Promise<{ value: string; version: number }> {
    const secretId = secretIdOf(keyring.projectId, name);
    const { states: [state] } = await handle(this.store, cause, [on(secretDecider, secretId, { type: 'OpenSecret', name, purpose })]);
    const { secret } = state as Extract<SecretState, { status: 'stored' }>;
    return { value: keyring.decrypt(secret.ciphertext, secret), version: secret.version };
  }

  /** The keys of a project, made when it has none: also for one that is older than the vault. */
  private async keyring(projectId: string, cause: Cause): Promise<Keyring> {
    return this.turns.run(projectId, async () => {
      const { state } = await loadState(this.store, keyringDecider, projectId);
      if (state.status !== 'absent') return this.existing(projectId);
      const keyring = await this.files.make(projectId);
      const create = { type: 'CreateKeyring', projectId, publicKey: keyring.publicKey } as const;
      await handle(this.store, ownedBy(projectId, cause), [on(keyringDecider, projectId, create)], { actor: ACTOR });
      return keyring;
    });
  }

  /** The keys of a project that has some. */
  async existing(projectId: string): Promise<Keyring> {
    const { state } = await loadState(this.store, keyringDecider, projectId);
    if (state.status === 'absent') throw new Refusal('not-found', `The project ${projectId} has no keys, so nothing was ever sealed with them.`);
    if (state.status === 'destroyed') throw new Refusal('conflict', `The keys of the project ${projectId} were destroyed with it, for good.`);
    const keyring = await this.files.open(projectId);
    if (keyring.publicKey === state.publicKey) return keyring;
    throw new ProviderError(`The keys of the project ${projectId} in the vault's folder are not those that the log knows: the folder is another plane's, or an older copy.`, false);
  }
}

/** What is in a box that was sealed to these keys. */
export function unboxed(keyring: Keyring, name: string, box: string): string {
  const value = keyring.openBox(box);
  if (value !== undefined) return value;
  throw new Refusal('invalid', `The value of ${name} cannot be opened: it was not sealed for the project ${keyring.projectId}, or was changed.`, name);
}

/** A host's own secrets are no tenant's to see, whoever needed them first. */
function ownedBy(projectId: string, cause: Cause): Cause {
  return isHostKeyring(projectId) ? { ...cause, meta: { ...cause.meta, owner: 'system' } } : cause;
}
