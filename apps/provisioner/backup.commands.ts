import { Controller } from '@nestjs/common';
import type { ListVolumes, ShowProgress } from '#contracts/gen/hostplane/v1/backup.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import type { StoredMessage } from '#contracts/message.js';
import { archiveDecider } from '#domain/answers.js';
import { databaseOf } from '#domain/operation/wordpress-steps.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnAsk, OnCommand, type HandlerContext } from '#messaging/handlers.js';
import { ProviderError } from '#providers/provider-error.js';
import { answer } from './answer.js';
import { Backups, type SiteData } from './backups.js';
import { ProgressBoard } from './progress.js';
import { Runtimes } from './runtimes.js';
import { SiteDatabases } from './site-databases.js';
import { Usage, type Listed } from './usage.js';

type BackupCommand = StoredMessage<'TakeBackup' | 'RestoreBackup' | 'RemoveBackup' | 'RemoveData'>;
interface Ids {
  readonly operationId: string;
  readonly hostId: string;
  readonly siteId: string;
  readonly turn: number;
  readonly revision: number;
}

/** Takes and restores backups of this host's sites, and says what is in their volumes. */
@Controller()
export class BackupCommands {
  constructor(
    private readonly store: EventStore,
    private readonly runtimes: Runtimes,
    private readonly backups: Backups,
    private readonly progress: ProgressBoard,
    private readonly databases: SiteDatabases,
    private readonly usage: Usage,
  ) {}

  @OnCommand('TakeBackup')
  async take(command: StoredMessage<'TakeBackup'>, context: HandlerContext): Promise<void> {
    const { backupId, operationId } = command.data;
    await this.answer(command, context, async (ids) => {
      const site = await this.dataOf(command);
      const taken = await this.progress.during(operationId, (progress) => this.backups.take(site, backupId, progress, context.signal));
      return { type: 'BackupTaken', data: { ...ids, ...taken } };
    });
  }

  @OnCommand('RestoreBackup')
  async restore(command: StoredMessage<'RestoreBackup'>, context: HandlerContext): Promise<void> {
    const { ref, operationId } = command.data;
    await this.answer(command, context, async (ids) => {
      const site = await this.dataOf(command);
      if (!ref) throw new ProviderError('The command names no backup.', false);
      await this.progress.during(operationId, (progress) => this.backups.restore(site, ref, progress, context.signal));
      return { type: 'BackupRestored', data: { ...ids, backupId: ref.backupId } };
    });
  }

  @OnCommand('RemoveBackup')
  async remove(command: StoredMessage<'RemoveBackup'>, context: HandlerContext): Promise<void> {
    const { backupId, target } = command.data;
    await this.answer(command, context, async (ids) => {
      await this.backups.remove(command.data, backupId, target, context.signal);
      return { type: 'BackupRemoved', data: { ...ids, backupId } };
    });
  }

  @OnCommand('RemoveData')
  async removeData(command: StoredMessage<'RemoveData'>, context: HandlerContext): Promise<void> {
    const { dataId, runtime } = command.data;
    await this.answer(command, context, async (ids) => {
      if (dataId !== '' && this.runtimes.has(runtime)) await this.runtimes.get(runtime).storage?.removeData(dataId, context.signal);
      return { type: 'DataRemoved', data: ids };
    });
  }

  @OnAsk('ListVolumes')
  async volumes({ projectId }: ListVolumes): Promise<{ volumes: readonly Listed[] }> {
    return { volumes: await this.usage.list(projectId) };
  }

  @OnAsk('ShowProgress')
  async show({ operationId }: ShowProgress): Promise<{ phase: string; bytes: number } | undefined> {
    return this.progress.of(operationId);
  }

  /** A site's runtime, and its database if it has one. */
  private async dataOf(command: StoredMessage<'TakeBackup' | 'RestoreBackup'>): Promise<SiteData> {
    const spec = specOf(command.data.spec);
    const runtime = this.runtimes.get(spec.runtime);
    return { spec, runtime, ...(spec.kind === 'wordpress' && { database: await this.databases.open(databaseOf(spec), command.data.hostId, command) }) };
  }

  private answer(command: BackupCommand, context: HandlerContext, act: (ids: Ids) => ReturnType<Parameters<typeof answer<AnswerType>>[3]['act']>): Promise<void> {
    const { operationId, hostId, siteId, turn } = command.data;
    const ids = { operationId, hostId, siteId, turn, revision: command.position };
    return answer(this.store, command, context, {
      decider: archiveDecider,
      key: siteId,
      act: () => act(ids),
      failed: (error) => ({ type: 'BackupFailed', data: { ...ids, error } }),
    });
  }
}

type AnswerType = 'BackupTaken' | 'BackupRestored' | 'BackupRemoved' | 'DataRemoved' | 'BackupFailed';

function specOf(spec: WorkloadSpec | undefined): WorkloadSpec {
  if (!spec) throw new ProviderError('The command holds no spec of the workload.', false);
  return spec;
}
