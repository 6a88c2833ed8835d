import { randomUUID } from 'node:crypto';
import type { MasterKeyRotated } from '#contracts/gen/hostplane/v1/secret.js';
import type { Cause } from '#contracts/message.js';
import { reached } from '#contracts/probe.js';
import { Refusal } from '#domain/refusal.js';
import { MASTER_KEY, masterKeyDecider } from '#domain/secret/master-key.js';
import type { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { InTurn } from '#providers/in-turn.js';
import type { KeyProvider } from '#providers/key.js';
import { ProviderError } from '#providers/provider-error.js';
import type { Vault } from './vault.js';

const ACTOR = 'system:secrets';

/**
 * Another master key for all keyrings, one after the other, each file changing as a whole: whoever needs a keyring meanwhile opens it with the old
 * one or the new one. Whoever dies in between leaves some of each, and both keys; `finish` at the next start does the rest.
 */
export class Rotation {
  private readonly turns = new InTurn();

  constructor(
    private readonly store: EventStore,
    private readonly vault: Vault,
    private readonly keys: KeyProvider,
  ) {}

  /** A fresh master key, and everything wrapped with it. */
  rotate(cause: Cause): Promise<MasterKeyRotated> {
    return this.turns.run('', async () => {
      const before = await this.keys.currentKeyId();
      await this.keys.renew().catch((error: unknown) => {
        throw error instanceof ProviderError && !error.retryable ? new Refusal('conflict', error.message) : error;
      });
      reached('vault:master-key-renewed');
      const { rotation, failed } = await this.rewrapAll(before);
      const [first] = failed;
      if (first) throw new ProviderError(`${failed.length} keyrings could not be wrapped anew, and keep their master key until the next start. The first one: ${first}`, true);
      await this.conclude(rotation, cause);
      return rotation;
    });
  }

  /** Does what a death or another configuration has left to do; answers it, with what could not be done. */
  finish(): Promise<{ rotation: MasterKeyRotated; failed: readonly string[] }> {
    return this.turns.run('', async () => {
      const [, previous = ''] = await this.keys.keyIds();
      const done = await this.rewrapAll(previous);
      if (done.failed.length > 0) return done;
      const id = randomUUID();
      await this.conclude(done.rotation, { id, meta: { correlationId: id, causationId: id, actor: ACTOR, owner: 'system' } });
      return done;
    });
  }

  private async rewrapAll(before: string): Promise<{ rotation: MasterKeyRotated; failed: readonly string[] }> {
    const failed: string[] = [];
    let [fromKeyId, rewrapped] = [before, 0];
    for (const projectId of await this.vault.projects()) {
      try {
        const from = await this.vault.rewrap(projectId);
        if (from === undefined) continue;
        fromKeyId = from;
        rewrapped++;
      } catch (error) {
        failed.push(`${projectId}: ${(error as Error).message}`);
      }
    }
    return { rotation: { fromKeyId, toKeyId: await this.keys.currentKeyId(), rewrapped }, failed };
  }

  private async conclude(rotation: MasterKeyRotated, cause: Cause): Promise<void> {
    reached('vault:master-key-rewrapped');
    const { state } = await loadState(this.store, masterKeyDecider, MASTER_KEY);
    // What was never another one was not rotated.
    const isNew = state.keyId !== undefined || rotation.fromKeyId !== '';
    if (isNew) await handle(this.store, cause, [on(masterKeyDecider, MASTER_KEY, { type: 'RecordRotation', rotation: { ...rotation, fromKeyId: rotation.fromKeyId || (state.keyId ?? '') } })]);
    await this.keys.forgetOthers();
  }
}
