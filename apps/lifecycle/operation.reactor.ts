import { Controller } from '@nestjs/common';
import { keyOf, type StoredMessage } from '#contracts/message.js';
import { backupDecider, type Backup } from '#domain/backup/backup.js';
import { operationDecider, type Operation, type OperationCommand, type OperationState } from '#domain/operation/operation.js';
import { siteWorkflows } from '#domain/operation/workflows.js';
import { factTypes, isFact, type FactType, type WorkflowKind } from '#domain/operation/workflow.js';
import { projectDecider } from '#domain/project/project.js';
import { siteDecider } from '#domain/site/site.js';
import { switchWorkflow } from '#domain/site/switch.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on, type Part } from '#eventstore/handle.js';
import { OnEvent } from '#messaging/handlers.js';
import { LifecycleConfig } from './lifecycle.config.js';
import { settleBackup, settleProject, settleSite } from './settle.js';
import { backupOf, startRemoval, withBackup } from './start-backup.js';
import { startProjectOperation, startSiteOperation } from './start-operation.js';

const ACTOR = 'system:lifecycle';

/** Runs the workflows: starts an operation for each intent that was recorded, and moves it on with each fact that answers it. */
@Controller()
export class OperationReactor {
  constructor(
    private readonly store: EventStore,
    private readonly config: LifecycleConfig,
  ) {}

  @OnEvent('SiteRequested', 'SiteRetryRequested')
  async launchSite(event: StoredMessage<'SiteRequested' | 'SiteRetryRequested'>): Promise<void> {
    await this.startSite((kind) => siteWorkflows(kind).launch, event);
  }

  @OnEvent('SiteDestroyRequested')
  async removeSite(event: StoredMessage<'SiteDestroyRequested'>): Promise<void> {
    await this.startSite((kind) => siteWorkflows(kind).remove, event);
  }

  @OnEvent('SiteDataDiscardRequested')
  async discardData(event: StoredMessage<'SiteDataDiscardRequested'>): Promise<void> {
    await this.startSite((kind) => siteWorkflows(kind).discard, event);
  }

  @OnEvent('SiteReleaseStarted')
  async publishRelease(event: StoredMessage<'SiteReleaseStarted'>): Promise<void> {
    await this.startSite(() => 'publish-release', event);
  }

  @OnEvent('SiteSwitchRequested')
  async switchSite(event: StoredMessage<'SiteSwitchRequested'>): Promise<void> {
    await this.startSite((kind, power) => switchWorkflow(event.data.action, kind, power), event);
  }

  @OnEvent('SiteBackupRequested')
  async backUpSite(event: StoredMessage<'SiteBackupRequested'>): Promise<void> {
    await this.startSite(() => 'backup-site', event);
  }

  @OnEvent('SiteRestoreRequested')
  async restoreSite(event: StoredMessage<'SiteRestoreRequested'>): Promise<void> {
    await this.startSite((kind) => siteWorkflows(kind).restore, event);
  }

  @OnEvent('BackupRemovalRequested')
  async removeBackup(event: StoredMessage<'BackupRemovalRequested'>): Promise<void> {
    const { state: backup } = await loadState(this.store, backupDecider, event.data.backupId);
    const { operationId } = event.data;
    if (backup.status !== 'removing' || backup.removal !== operationId) return;
    await handle(this.store, event, [on(operationDecider, operationId, startRemoval(operationId, backup))], { actor: ACTOR });
  }

  @OnEvent('SiteUpdateRequested')
  async updateSite(event: StoredMessage<'SiteUpdateRequested'>): Promise<void> {
    await this.startSite(() => 'update-site', event);
  }

  @OnEvent('ProjectRequested', 'ProjectRetryRequested')
  async launchProject(event: StoredMessage<'ProjectRequested' | 'ProjectRetryRequested'>): Promise<void> {
    await this.startProject('launch-project', event);
  }

  @OnEvent('ProjectDeletionRequested')
  async removeProject(event: StoredMessage<'ProjectDeletionRequested'>): Promise<void> {
    await this.startProject('remove-project', event);
  }

  @OnEvent(...factTypes)
  async advance(event: StoredMessage<FactType>): Promise<void> {
    if (isFact(event)) await this.move(event.data.operationId, { type: 'Answer', fact: event }, event);
  }

  /** Moves an operation, and records in the same append what its end means to its site or project; or nothing at all if one of `unless` refuses. */
  async move(
    operationId: string, command: OperationCommand, cause: Pick<StoredMessage, 'id' | 'meta'>, unless: readonly Part[] = [],
  ): Promise<{ position: number; operation: OperationState }> {
    const handled = await handle(this.store, cause, [on(operationDecider, operationId, command)], {
      actor: ACTOR,
      then: async ([operation]) => [...unless, ...(await this.settle(operation as OperationState))],
    });
    return { position: handled.position, operation: handled.states[0] as OperationState };
  }

  private async settle(operation: OperationState): Promise<readonly Part[]> {
    if (operation.status !== 'succeeded' && operation.status !== 'failed') return [];
    if (operation.backupId !== '') return settleBackup(operation);
    return isForSite(operation)
      ? settleSite(operation, (await loadState(this.store, siteDecider, operation.siteId)).state)
      : settleProject(operation, (await loadState(this.store, projectDecider, operation.projectId)).state);
  }

  private async startSite(workflow: (siteKind: string, power: string) => WorkflowKind, event: StoredMessage & { readonly data: { readonly operationId: string } }): Promise<void> {
    const { state: site } = await loadState(this.store, siteDecider, keyOf(event.streamId));
    const { operationId } = event.data;
    if (site.status === 'ABSENT' || site.operation?.id !== operationId) return;
    const kind = workflow(site.request.kind, site.power);
    const plain = startSiteOperation(kind, operationId, site, { baseDomain: this.config.HOSTPLANE_BASE_DOMAIN, httpPort: this.config.HOSTPLANE_EDGE_HTTP_PORT, requestedAt: event.recordedAt });
    const backup = await this.backup(backupOf(site));
    const start = backup ? withBackup(plain, site, backup) : plain;
    const begin = site.operation.kind === 'launch' ? [on(siteDecider, site.request.siteId, { type: 'BeginProvisioning', operationId })] : [];
    await handle(this.store, event, [on(operationDecider, operationId, start), ...begin], { actor: ACTOR });
  }

  private async backup(backupId: string | undefined): Promise<Backup | undefined> {
    if (backupId === undefined) return undefined;
    const { state } = await loadState(this.store, backupDecider, backupId);
    return state.status === 'absent' ? undefined : state;
  }

  private async startProject(kind: WorkflowKind, event: StoredMessage & { readonly data: { readonly operationId: string } }): Promise<void> {
    const projectId = keyOf(event.streamId);
    const { state: project } = await loadState(this.store, projectDecider, projectId);
    const { operationId } = event.data;
    if (project.status === 'absent' || project.operationId !== operationId) return;
    const begin = kind === 'launch-project' ? [on(projectDecider, projectId, { type: 'BeginProvisioning', operationId })] : [];
    await handle(this.store, event, [on(operationDecider, operationId, startProjectOperation(kind, operationId, project)), ...begin], { actor: ACTOR });
  }
}

const isForSite = (operation: Operation): boolean => operation.siteId !== '';
