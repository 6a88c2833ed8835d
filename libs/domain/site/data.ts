import { Refusal } from '../refusal.js';
import { forgetPasswords } from './passwords.js';
import { mustHoldOpenData } from './request.js';
import type { Site, SiteDataCommand, SiteEvent } from './site.js';
import { isLive } from './status.js';

/** What the site's other rules say. */
interface Rules {
  refuseBusy(): void;
  /** What follows when the site comes free. */
  next(): readonly SiteEvent[];
  /** What becomes of a release that waits. */
  drop(reason: string): readonly SiteEvent[];
}

/** What a site answers to commands about its data. */
export function decideData(command: SiteDataCommand, site: Site, { refuseBusy, next, drop }: Rules): readonly SiteEvent[] {
  const ids = { siteId: site.request.siteId, operationId: command.operationId };
  const { operation } = site;
  if (command.type === 'BackUpSite' || command.type === 'RestoreSite') {
    if (operation?.id === command.operationId) return [];
    refuseBusy();
    return command.type === 'BackUpSite' ? backUp(command, site) : restore(command, site);
  }
  if (operation?.id !== command.operationId) return [];
  if (operation.kind === 'backup') {
    const { backupId, destroyOperationId } = operation;
    if (command.type === 'FailBackup') return [{ type: 'SiteBackupFailed', data: { ...ids, backupId, step: command.step, error: command.error } }, ...next()];
    if (command.type !== 'FinishBackup') return [];
    const destroy = (): readonly SiteEvent[] => [...drop('The site is being destroyed.'), { type: 'SiteDestroyRequested', data: { ...ids, operationId: destroyOperationId, keepData: false } }];
    return [{ type: 'SiteBackedUp', data: { ...ids, backupId } }, ...(destroyOperationId === '' ? next() : destroy())];
  }
  if (operation.kind !== 'restore') return [];
  const { backupId, dataId, release } = operation;
  if (command.type === 'FailRestore') return [{ type: 'SiteRestoreFailed', data: { ...ids, backupId, step: command.step, error: command.error } }, ...forgetPasswords(site, dataId, site.dataId), ...next()];
  if (command.type !== 'FinishRestore') return [];
  return [{ type: 'SiteRestored', data: { ...ids, backupId, dataId, releaseId: release?.releaseId ?? '', content: release?.content, target: command.target } }, ...forgetPasswords(site, site.dataId, dataId), ...next()];
}

function backUp({ operationId, backupId, destroyOperationId }: Extract<SiteDataCommand, { type: 'BackUpSite' }>, site: Site): readonly SiteEvent[] {
  mustHoldOpenData(site.request);
  if (!isLive(site.status)) throw new Refusal('conflict', `A site that is ${site.status} cannot be backed up: only one that is live has data that is whole.`);
  return [{ type: 'SiteBackupRequested', data: { siteId: site.request.siteId, operationId, backupId, destroyOperationId } }];
}

function restore({ operationId, backupId, dataId, releaseId, content }: Extract<SiteDataCommand, { type: 'RestoreSite' }>, site: Site): readonly SiteEvent[] {
  mustHoldOpenData(site.request);
  const elsewhere = 'Restore it under a new name instead.';
  if (!isLive(site.status)) throw new Refusal('conflict', `A site that is ${site.status} cannot take a backup's data. ${elsewhere}`);
  if (site.power === 'stopped') throw new Refusal('conflict', `The site is stopped, so that nobody could see whether the restored one is healthy: start it first. ${elsewhere}`);
  return [{ type: 'SiteRestoreRequested', data: { siteId: site.request.siteId, operationId, backupId, dataId, releaseId, content } }];
}
