import { Controller } from '@nestjs/common';
import type { OpenedSecrets, VaultKey } from '#contracts/gen/hostplane/v1/ask.js';
import type { OpenSecrets, ShowPublicKey } from '#contracts/gen/hostplane/v1/secret.js';
import type { Cause, StoredMessage } from '#contracts/message.js';
import { PLANE_KEYRING } from '#domain/naming/naming.js';
import { Refusal } from '#domain/refusal.js';
import { vaultDecider } from '#domain/secret/vault.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnAsk, OnCommand, type HandlerContext } from '#messaging/handlers.js';
import { answerAs } from '#providers/answer.js';
import { Vault } from './vault.js';

const ACTOR = 'system:secrets';

/** Keeps keys and secrets as the workflows command, and opens them for who may ask. */
@Controller()
export class VaultCommands {
  constructor(
    private readonly store: EventStore,
    private readonly vault: Vault,
  ) {}

  @OnCommand('EnsureKeyring')
  async ensureKeyring(command: StoredMessage<'EnsureKeyring'>, context: HandlerContext): Promise<void> {
    const { operationId, projectId, turn } = command.data;
    const ids = { operationId, projectId, siteId: '', turn, revision: command.position };
    await answerAs(ACTOR, this.store, command, context, {
      decider: vaultDecider,
      key: projectId,
      act: async () => {
        await this.vault.ensureKeyring(projectId, command);
        return { type: 'SecretsReady', data: ids };
      },
      failed: (error) => ({ type: 'SecretsFailed', data: { ...ids, error } }),
    });
  }

  @OnCommand('DestroyKeyring')
  async destroyKeyring(command: StoredMessage<'DestroyKeyring'>, context: HandlerContext): Promise<void> {
    const { operationId, projectId, turn } = command.data;
    const ids = { operationId, projectId, turn, revision: command.position };
    await answerAs(ACTOR, this.store, command, context, {
      decider: vaultDecider,
      key: projectId,
      act: async () => {
        await this.vault.destroyKeyring(projectId, command);
        return { type: 'SecretsRemoved', data: ids };
      },
      failed: (error) => ({ type: 'SecretsFailed', data: { ...ids, siteId: '', error } }),
    });
  }

  @OnCommand('EnsureSecrets')
  async ensureSecrets(command: StoredMessage<'EnsureSecrets'>, context: HandlerContext): Promise<void> {
    const { operationId, projectId, siteId, turn } = command.data;
    const ids = { operationId, projectId, siteId, turn, revision: command.position };
    await answerAs(ACTOR, this.store, command, context, {
      decider: vaultDecider,
      key: projectId,
      act: async () => {
        await this.vault.ensureSecrets(command.data, command);
        return { type: 'SecretsReady', data: ids };
      },
      failed: (error) => ({ type: 'SecretsFailed', data: { ...ids, error } }),
    });
  }

  @OnAsk('ShowPublicKey')
  async showPublicKey({ projectId }: ShowPublicKey, cause: Cause): Promise<VaultKey> {
    return { publicKey: await this.vault.showPublicKey(projectId, cause) };
  }

  @OnAsk('OpenSecrets')
  async open(ask: OpenSecrets, cause: Cause): Promise<OpenedSecrets> {
    const own = ask.names.find((name) => !name.startsWith('certificate/'));
    if (ask.projectId === PLANE_KEYRING && own !== undefined) throw new Refusal('forbidden', `"${own.slice(0, 80)}" is the plane's own: hosts are given the keys of its certificates alone.`, 'names');
    return this.vault.open(ask, cause);
  }
}
