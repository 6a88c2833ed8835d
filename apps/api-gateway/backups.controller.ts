import { Controller } from '@nestjs/common';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { asksForAll } from './access.js';
import { accepted, type Answer } from './answer.js';
import { BackupQueries } from './backups.queries.js';
import { ByCall, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './deciding-apps.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';

@Controller()
export class BackupsController {
  constructor(
    private readonly backups: BackupQueries,
    private readonly sites: SiteQueries,
    private readonly projects: ProjectQueries,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('createBackup')
  create(@Input() { params }: InputOf<Routes['createBackup']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id: siteId, owner } = await this.sites.find(call, params.id);
      const backupId = call.id('backup');
      const { operationId } = await this.lifecycle.ask('BackUpSite', { siteId, backupId, operationId: call.id('operation'), destroyOperationId: '' }, call.causeFor(owner));
      return this.accepted(call, backupId, operationId);
    });
  }

  @Serves('listSiteBackups')
  async listOfSite(@Input() { params, query }: InputOf<Routes['listSiteBackups']>, @ByCall() call: Call): Promise<object> {
    const { id: siteId } = await this.sites.find(call, params.id);
    return this.backups.page(call, { ...query, siteId });
  }

  @Serves('listBackups')
  async list(@Input() { query }: InputOf<Routes['listBackups']>, @ByCall() call: Call): Promise<object> {
    const projectId = query.projectId && (await this.projects.find(call, query.projectId, 'projectId')).id;
    return this.backups.page(asksForAll(call, query.all) ? undefined : call, { ...query, projectId });
  }

  @Serves('showBackup')
  show(@Input() { params }: InputOf<Routes['showBackup']>, @ByCall() call: Call): Promise<object> {
    return this.backups.find(call, params.id);
  }

  @Serves('restoreBackup')
  restore(@Input() { params, body }: InputOf<Routes['restoreBackup']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const backup = await this.backups.ownerOf(call, params.id);
      const project = body?.projectId === undefined ? undefined : await this.projects.find(call, body.projectId, 'projectId');
      const ids = { backupId: backup.id, operationId: call.id('operation'), siteId: call.id('site'), dataId: call.id('data'), projectId: project?.id ?? '' };
      const owner = project?.owner ?? backup.owner;
      const { resourceId, operationId } = await this.lifecycle.ask('RestoreBackedUp', { ...ids, name: body?.name ?? '', ownerId: owner }, call.causeFor(owner));
      return accepted({ ...(await this.sites.find(call, resourceId)), operationId }, operationId);
    });
  }

  @Serves('deleteBackup')
  remove(@Input() { params }: InputOf<Routes['deleteBackup']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id: backupId, owner } = await this.backups.ownerOf(call, params.id);
      const { operationId } = await this.lifecycle.ask('DeleteBackup', { backupId, operationId: call.id('operation') }, call.causeFor(owner));
      return this.accepted(call, backupId, operationId);
    });
  }

  private async accepted(call: Call, id: string, operationId: string): Promise<Answer> {
    return accepted({ ...(await this.backups.find(call, id)), operationId }, operationId);
  }
}
