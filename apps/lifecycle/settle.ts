import { on, type Part } from '#eventstore/handle.js';
import { backupDecider, type BackupCommand } from '#domain/backup/backup.js';
import { hostnameDecider, nameDecider } from '#domain/naming/claim.js';
import { POOL_KEY, poolDecider } from '#domain/network/pool.js';
import { settlementOf, type Operation, type OperationState } from '#domain/operation/operation.js';
import { projectDecider, type ProjectCommand, type ProjectState } from '#domain/project/project.js';
import { leavesData } from '#domain/site/data-status.js';
import { keepsData } from '#domain/site/needs.js';
import { siteDecider, type Site, type SiteCommand, type SiteState } from '#domain/site/site.js';
import { projectNameKey, siteNameKey } from './claims.js';
import { leave } from './take-over.js';

/** What is appended together with the end of a site's operation. Whatever the site held comes free with its end. */
export function settleSite(operation: OperationState, site: SiteState): readonly Part[] {
  const settlement = settlementOf(operation) as SiteCommand | undefined;
  if (!settlement || site.status === 'ABSENT') return [];
  const { siteId, projectId, ownerId, name, hostname } = site.request;
  const dataId = site.dataId || siteId;
  const parts = [on(siteDecider, siteId, settlement), ...settleTaken(settlement, site), ...settleBrought(settlement, site), ...settleContent(settlement, site)];
  if (settlement.type === 'FinishDiscard') return [...parts, on(projectDecider, projectId, { type: 'DiscardData', siteId, dataId })];
  if (settlement.type !== 'FinishDestroy') return parts;
  const release = { type: 'ReleaseName', holderId: siteId } as const;
  return [
    ...parts,
    on(projectDecider, projectId, { type: 'ReleaseSite', siteId, dataId, isDataKept: leavesData(site) }),
    on(nameDecider, siteNameKey(ownerId, name), release),
    on(hostnameDecider, hostname, release),
    ...leave(site),
  ];
}

/** What the end of a site's backup means to the backup. */
function settleTaken(settlement: SiteCommand, { operation }: Site): readonly Part[] {
  if (operation?.kind !== 'backup') return [];
  if (settlement.type === 'FinishBackup') return [on(backupDecider, operation.backupId, { ...settlement, type: 'CompleteBackup' })];
  if (settlement.type === 'FailBackup') return [on(backupDecider, operation.backupId, { ...settlement, type: 'AbandonBackup' })];
  return [];
}

/** What the end of what brings a backup's data to a site means to the room that its project keeps for it. */
function settleBrought(settlement: SiteCommand, { request }: Site): readonly Part[] {
  const isBrought = settlement.type === 'FinishRestore' || settlement.type === 'FailRestore' || (settlement.type === 'ActivateSite' && request.backupId !== '');
  if (!isBrought || !keepsData(request)) return [];
  return [on(projectDecider, request.projectId, { type: 'SettleData', siteId: request.siteId, isThere: settlement.type !== 'FailRestore' })];
}

/** Content that did not go live takes no room: what counts is what is live, or waits for its turn. */
function settleContent({ type }: SiteCommand, { request, release, waiting }: Site): readonly Part[] {
  if ((type !== 'FailRelease' && type !== 'FailRestore') || keepsData(request)) return [];
  return [on(projectDecider, request.projectId, { type: 'MeasureSite', siteId: request.siteId, diskBytes: (waiting ?? release)?.content?.sizeBytes ?? 0 })];
}

/** What is appended together with the end of a backup's removal. */
export function settleBackup(operation: Operation): readonly Part[] {
  const settlement = settlementOf(operation) as BackupCommand | undefined;
  return settlement ? [on(backupDecider, operation.backupId, settlement)] : [];
}

/** What is appended together with the end of a project's operation. */
export function settleProject(operation: OperationState, project: ProjectState): readonly Part[] {
  const settlement = settlementOf(operation) as ProjectCommand | undefined;
  if (!settlement || project.status === 'absent') return [];
  const { projectId, ownerId, name } = project.request;
  const parts = [on(projectDecider, projectId, settlement)];
  if (settlement.type !== 'FinishDelete') return parts;
  return [
    ...parts,
    on(nameDecider, projectNameKey(ownerId, name), { type: 'ReleaseName', holderId: projectId }),
    on(poolDecider, POOL_KEY, { type: 'ReturnSubnet', projectId }),
  ];
}
