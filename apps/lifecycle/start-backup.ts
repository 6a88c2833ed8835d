import type { Backup } from '#domain/backup/backup.js';
import type { BackupInput } from '#domain/backup-site/backup-site.js';
import type { OperationCommand } from '#domain/operation/operation.js';
import type { SiteInput } from '#domain/operation/site-steps.js';
import { siteWorkflows } from '#domain/operation/workflows.js';
import type { RemovalInput } from '#domain/remove-backup/remove-backup.js';
import { Refusal } from '#domain/refusal.js';
import type { RestoreInput } from '#domain/restore-site/restore-site.js';
import type { Site } from '#domain/site/site.js';

type StartOperation = Extract<OperationCommand, { type: 'StartOperation' }>;

/** Kinds of site that have volumes; what a static site serves are its releases. */
const hasVolumes = (kind: string): boolean => kind !== 'static';

/** The backup that a site's operation is about; undefined: none. A site that was live once has data of its own. */
export function backupOf({ operation, request, wasActive }: Site): string | undefined {
  if (operation?.kind === 'backup' || operation?.kind === 'restore') return operation.backupId;
  return operation?.kind === 'launch' && !wasActive ? request.backupId || undefined : undefined;
}

/** The start of a site's operation, with what it has to know of the backup that it is about. */
export function withBackup(start: StartOperation, site: Site, backup: Backup): StartOperation {
  const input = start.input as SiteInput;
  const { operation, request } = site;
  if (operation?.kind === 'backup') return { ...start, input: { ...input, backupId: operation.backupId } satisfies BackupInput };
  const { ref } = backup;
  if (!ref) throw new Refusal('conflict', 'The backup is not there.');
  const own = request.dataId || request.siteId;
  if (operation?.kind !== 'restore') {
    const { dataId, releaseId, content } = input.spec;
    return { ...start, kind: siteWorkflows(request.kind).launchFromBackup, input: { ...input, ref, restored: { dataId, releaseId, content }, newDataId: own, oldDataId: '' } satisfies RestoreInput };
  }
  const { dataId, release } = operation;
  const volumes = hasVolumes(request.kind) ? { newDataId: dataId, oldDataId: site.dataId || request.siteId } : { newDataId: '', oldDataId: '' };
  const restored = { dataId: volumes.newDataId || site.dataId, releaseId: release?.releaseId ?? '', content: release?.content };
  return { ...start, input: { ...input, ref, restored, ...volumes } satisfies RestoreInput };
}

/** The id that a site's restored volumes bear: a fresh one, or the one it has where there are none. */
export function restoredDataId(site: Site, freshId: string): string {
  return hasVolumes(site.request.kind) ? freshId : site.dataId;
}

/** Starts the removal of a backup. */
export function startRemoval(id: string, { request, ref }: Backup): StartOperation {
  const { backupId, siteId, projectId, hostId } = request;
  const input: RemovalInput = { hostId, siteId, projectId, backupId, target: ref?.target ?? '' };
  return { type: 'StartOperation', id, kind: 'remove-backup', siteId: '', projectId, backupId, input };
}
