import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { BackUpSite, BackupRequested, DeleteBackup, RestoreBackedUp } from '#contracts/gen/hostplane/v1/backup.js';
import type { Cause } from '#contracts/message.js';
import { backupDecider, type Backup, type BackupState } from '#domain/backup/backup.js';
import { Refusal } from '#domain/refusal.js';
import { keepsData } from '#domain/site/needs.js';
import { siteDecider, type Site } from '#domain/site/site.js';
import { authorized, mustBeMember, type Within } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { SiteCommands } from './site.commands.js';
import { restoredDataId } from './start-backup.js';

/** Accepts or refuses what people ask of backups. */
@Controller()
export class BackupCommands {
  constructor(
    private readonly store: EventStore,
    private readonly sites: SiteCommands,
  ) {}

  @OnAsk('BackUpSite')
  async backUp({ siteId, operationId, backupId, destroyOperationId }: BackUpSite, cause: Cause): Promise<Accepted> {
    const { position } = await handle(this.store, cause, [on(siteDecider, siteId, { type: 'BackUpSite', operationId, backupId, destroyOperationId })], {
      then: ([site]) => [
        authorized(cause, withinOf(site as Site), destroyOperationId === '' ? 'backups:create' : 'sites:delete'),
        on(backupDecider, backupId, { type: 'RequestBackup', backup: requestOf(site as Site, backupId, operationId) }),
      ],
    });
    return { resourceId: backupId, operationId, position };
  }

  @OnAsk('RestoreBackedUp')
  async restore(ask: RestoreBackedUp, cause: Cause): Promise<Accepted> {
    const backup = await this.taken(ask.backupId);
    const { operationId, backupId } = ask;
    const { siteId, releaseId, content } = backup.request;
    const bytes = backup.ref?.sizeBytes ?? 0;
    const { state: site } = await loadState(this.store, siteDecider, siteId);
    if (site.status === 'ABSENT') throw new Refusal('not-found', 'There is no such site.');
    if (ask.name !== '') {
      const { operationId: _, ...was } = site.request;
      const projectId = ask.projectId || was.projectId;
      await mustBeMember(this.store, cause, withinOf(site), 'backups:restore');
      if (projectId !== was.projectId) mustBeOpen(site);
      const request = { ...was, projectId, siteId: ask.siteId, operationId, ownerId: ask.ownerId, name: ask.name, dataId: '', backupId, releaseId, content };
      return this.sites.admit(request, cause, { restoredBytes: keepsData(request) ? bytes : 0 });
    }
    const command = { type: 'RestoreSite', operationId, backupId, dataId: restoredDataId(site, ask.dataId), releaseId, content } as const;
    return this.sites.inTurn(site.request.projectId, async () => {
      const { position } = await handle(this.store, cause, [on(siteDecider, siteId, command)], {
        then: ([now]) => [
          authorized(cause, withinOf(site), 'backups:restore'),
          ...(content ? [this.sites.measured(site, content)] : []),
          ...(keepsData(site.request) ? [this.sites.replaced(now as Site, command.dataId, bytes)] : []),
        ],
      });
      return { resourceId: siteId, operationId, position };
    });
  }

  @OnAsk('DeleteBackup')
  async delete({ backupId, operationId }: DeleteBackup, cause: Cause): Promise<Accepted> {
    const { position, states } = await handle(this.store, cause, [on(backupDecider, backupId, { type: 'DeleteBackup', operationId, reason: 'requested' })], {
      then: ([backup]) => [authorized(cause, { projectId: (backup as Backup).request.projectId, founderId: (backup as Backup).request.ownerId }, 'backups:restore')],
    });
    const { removal = operationId } = states[0] as Backup;
    return { resourceId: backupId, operationId: removal, position };
  }

  private async taken(backupId: string): Promise<Backup> {
    const { state } = await loadState(this.store, backupDecider, backupId);
    if (state.status === 'absent') throw new Refusal('not-found', 'There is no such backup.');
    if (state.status !== 'taken') throw new Refusal('conflict', `A backup that is ${said[state.status]} cannot be restored.`);
    return state;
  }
}

const said: Record<Exclude<BackupState['status'], 'absent'>, string> = { requested: 'being taken', taken: 'there', failed: 'failed', removing: 'being deleted', removed: 'deleted' };

/** Another project's keys do not open it. */
function mustBeOpen({ request: { name, app } }: Site): void {
  if (!app || app.sealedEnv.length + app.secretEnv.length === 0) return;
  throw new Refusal('conflict', `The environment of "${name}" is sealed for the project that it was taken in: restore it there, or make a new app in the other project.`, 'projectId');
}

const withinOf = ({ request }: Site): Within => ({ projectId: request.projectId, founderId: request.ownerId });

function requestOf(site: Site, backupId: string, operationId: string): BackupRequested {
  const { siteId, projectId, ownerId, hostId, name, kind } = site.request;
  return { backupId, operationId, siteId, projectId, ownerId, hostId, siteName: name, kind, releaseId: site.release?.releaseId ?? '', content: site.release?.content };
}
