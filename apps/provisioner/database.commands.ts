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
import { SiteDatabases } from './site-databases.js';

/** Makes and removes the databases of this host's sites. */
@Controller()
export class DatabaseCommands {
  constructor(
    private readonly store: EventStore,
    private readonly databases: Databases,
    private readonly opened: SiteDatabases,
  ) {}

  @OnCommand('EnsureDatabase')
  async ensure(command: StoredMessage<'EnsureDatabase'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, hostId, turn, spec } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: databaseDecider,
      key: siteId,
      act: async () => {
        const database = await this.opened.open(specOf(spec), hostId, command);
        await database.ensure(context.signal);
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
          await this.databases.get(database.runtime).remove(database, keepData, () => this.opened.secret(rootPasswordOf(database, hostId), command), context.signal);
        }
        return { type: 'DatabaseRemoved', data: ids };
      },
      failed: (error) => ({ type: 'DatabaseFailed', data: { ...ids, error } }),
    });
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
