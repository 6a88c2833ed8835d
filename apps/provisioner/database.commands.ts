import { Controller } from '@nestjs/common';
import type { DatabaseSpec } from '#contracts/gen/hostplane/v1/database.js';
import { streamId, type StoredMessage } from '#contracts/message.js';
import { databaseDecider } from '#domain/answers.js';
import { rootPasswordOf } from '#domain/operation/wordpress-steps.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnCommand, type HandlerContext } from '#messaging/handlers.js';
import { ProviderError } from '#providers/provider-error.js';
import { answer } from './answer.js';
import { Databases } from './databases.js';
import { Vault } from './vault.js';

/** Makes and removes the databases of this host's sites. */
@Controller()
export class DatabaseCommands {
  constructor(
    private readonly store: EventStore,
    private readonly databases: Databases,
    private readonly vault: Vault,
  ) {}

  @OnCommand('EnsureDatabase')
  async ensure(command: StoredMessage<'EnsureDatabase'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, hostId, turn, spec } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: databaseDecider,
      key: siteId,
      act: async () => {
        const database = specOf(spec);
        const server = this.databases.get(database.runtime);
        const wish = { projectId: database.projectId, name: database.passwordSecret };
        const [rootPassword, password] = await Promise.all([this.open(rootPasswordOf(database, hostId), command), this.open(wish, command)]);
        await server.ensure(database, { rootPassword, password }, context.signal);
        return { type: 'DatabaseReady', data: ids };
      },
      failed: (error) => ({ type: 'DatabaseFailed', data: { ...ids, error } }),
    });
  }

  @OnCommand('RemoveDatabase')
  async remove(command: StoredMessage<'RemoveDatabase'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, hostId, turn, spec, keepData } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: databaseDecider,
      key: siteId,
      act: async () => {
        const database = specOf(spec);
        if (await this.mayExist(siteId, database.runtime)) {
          await this.databases.get(database.runtime).remove(database, keepData, () => this.open(rootPasswordOf(database, hostId), command), context.signal);
        }
        return { type: 'DatabaseRemoved', data: ids };
      },
      failed: (error) => ({ type: 'DatabaseFailed', data: { ...ids, error } }),
    });
  }

  private async open({ projectId, name }: { projectId: string; name: string }, command: StoredMessage): Promise<string> {
    const { secrets } = await this.vault.open({ projectId, names: [name], purpose: 'database' }, command);
    return secrets[name]!;
  }

  /** On a host without the runtime there can only be a database when it was once made there. */
  private async mayExist(siteId: string, runtime: string): Promise<boolean> {
    if (this.databases.has(runtime)) return true;
    const answers = await this.store.readStream(streamId(databaseDecider.category, siteId));
    return answers.some(({ type }) => type === 'DatabaseReady');
  }
}

function specOf(spec: DatabaseSpec | undefined): DatabaseSpec {
  if (!spec) throw new ProviderError('The command holds no spec of the database.', false);
  return spec;
}
