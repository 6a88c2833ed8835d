import { checkName } from '../naming/names.js';
import { Refusal } from '../refusal.js';
import { decideData } from './data.js';
import { leavesData } from './data-status.js';
import { composedMoves, noteDomain } from './domains.js';
import { decideLeftData } from './left-data.js';
import { forgetPasswords } from './passwords.js';
import { checkRequest } from './request.js';
import { isSwitchAction, powerAfter, switchActions } from './switch.js';
import type { LeftDataCommand, Release, Site, SiteCommand, SiteEvent, SiteState } from './site.js';
import { allowsDestroy, canMove, isLive } from './status.js';

/** Answers a command with what follows; late and repeated ones with nothing. */
export function decideSite(command: SiteCommand, state: SiteState): readonly SiteEvent[] {
  if (command.type === 'RequestSite') return requestSite(command.site, state);
  if (state.status === 'ABSENT') throw new Refusal('not-found', 'There is no such site.');
  const site: Site = state;
  if (command.type === 'NoteDomain') return noteDomain(command, site);
  if (isAboutLeftData(command)) return decideLeftData(command, site);
  const ids = { siteId: site.request.siteId, operationId: command.operationId };
  switch (command.type) {
    case 'BeginProvisioning':
      if (!isDoing(site, 'launch', command.operationId) || !canMove(site.status, 'PROVISIONING')) return [];
      return [{ type: 'SiteProvisioningStarted', data: ids }];
    case 'ActivateSite':
      if (!isDoing(site, 'launch', command.operationId) || !canMove(site.status, 'ACTIVE')) return [];
      return [{ type: 'SiteActivated', data: { ...ids, target: command.target } }, ...composedMoves(site, 'ACTIVE', site.domains), ...next(site)];
    case 'FailSite':
      if (site.operation?.id !== command.operationId || !canMove(site.status, 'FAILED')) return [];
      return [{ type: 'SiteFailed', data: { ...ids, step: command.step, error: command.error, undone: [...command.undone] } }];
    case 'RetrySite':
      return retry(site, ids);
    case 'PublishRelease':
      return publish(site, { operationId: command.operationId, releaseId: command.releaseId, content: command.content });
    case 'FinishRelease':
      if (site.operation?.kind !== 'release' || site.operation.id !== command.operationId) return [];
      return [{ type: 'SiteReleasePublished', data: { ...ids, releaseId: site.operation.release.releaseId, target: command.target } }, ...next(site)];
    case 'FailRelease':
      if (site.operation?.kind !== 'release' || site.operation.id !== command.operationId) return [];
      return [{ type: 'SiteReleaseFailed', data: { ...ids, releaseId: site.operation.release.releaseId, step: command.step, error: command.error } }, ...next(site)];
    case 'SwitchSite':
      return switchSite(site, ids, command.action);
    case 'FinishSwitch':
      if (site.operation?.kind !== 'switch' || site.operation.id !== command.operationId) return [];
      return [{ type: 'SiteSwitched', data: { ...ids, action: site.operation.action, power: powerAfter(site.operation.action, site.power), target: command.target } }, ...next(site)];
    case 'FailSwitch':
      if (site.operation?.kind !== 'switch' || site.operation.id !== command.operationId) return [];
      return [{ type: 'SiteSwitchFailed', data: { ...ids, action: site.operation.action, step: command.step, error: command.error } }, ...next(site)];
    case 'UpdateSite':
      return update(site, ids, command.phpVersion);
    case 'FinishUpdate':
      return isDoing(site, 'update', command.operationId) ? [{ type: 'SiteUpdated', data: { ...ids, target: command.target } }, ...next(site)] : [];
    case 'FailUpdate':
      return isDoing(site, 'update', command.operationId) ? [{ type: 'SiteUpdateFailed', data: { ...ids, step: command.step, error: command.error } }, ...next(site)] : [];
    case 'DestroySite':
      return destroy(site, { ...ids, keepData: command.keepData });
    case 'FinishDestroy':
      return isDoing(site, 'remove', command.operationId) ? [{ type: 'SiteDestroyed', data: ids }, ...(leavesData(site) ? [] : forgetPasswords(site, site.dataId))] : [];
    default:
      return decideData(command, site, { refuseBusy: () => refuseBusy(site), next: () => next(site), drop: (reason) => drop(site, reason) });
  }
}

function isAboutLeftData(command: SiteCommand): command is LeftDataCommand {
  return ['HandOverData', 'DiscardData', 'FinishDiscard', 'FailDiscard'].includes(command.type);
}

interface Ids {
  readonly siteId: string;
  readonly operationId: string;
}

function requestSite(request: Site['request'], state: SiteState): readonly SiteEvent[] {
  if (state.status !== 'ABSENT') {
    if (state.request.operationId === request.operationId) return [];
    throw new Refusal('conflict', `The site "${state.request.name}" exists already and is ${state.status}.`);
  }
  checkName(request.name, 'site');
  checkRequest(request);
  return [{ type: 'SiteRequested', data: request }];
}

function retry(site: Site, ids: Ids): readonly SiteEvent[] {
  if (isDoing(site, 'launch', ids.operationId)) return [];
  refuseBusy(site);
  if (site.status !== 'FAILED') throw new Refusal('conflict', `A site that is ${site.status} cannot be retried: only a FAILED one can.`);
  return [{ type: 'SiteRetryRequested', data: ids }];
}

function publish(site: Site, release: Release): readonly SiteEvent[] {
  if (site.waiting?.operationId === release.operationId || site.operation?.id === release.operationId) return [];
  if (site.request.kind !== 'static') {
    throw new Refusal('unsupported', `A site of the kind ${site.request.kind} takes no uploaded content; only a static site does.`);
  }
  const data = { siteId: site.request.siteId, ...release };
  if (['CREATED', 'PROVISIONING'].includes(site.status) || (isLive(site.status) && site.operation)) {
    return [...drop(site, 'A newer upload took its place.'), { type: 'SiteReleaseRequested', data }];
  }
  if (!isLive(site.status)) throw new Refusal('conflict', `A site that is ${site.status} cannot take content.${site.status === 'FAILED' ? ' Retry it first.' : ''}`);
  return [{ type: 'SiteReleaseRequested', data }, { type: 'SiteReleaseStarted', data }];
}

function switchSite(site: Site, ids: Ids, action: string): readonly SiteEvent[] {
  if (site.operation?.id === ids.operationId) return [];
  if (!isSwitchAction(action)) throw new Refusal('invalid', `"${action}" is not one of ${switchActions.join(', ')}.`, 'action');
  if (action === 'repair' && site.status === 'FAILED') return retry(site, ids);
  refuseBusy(site);
  if (!isLive(site.status)) throw new Refusal('conflict', `A site that is ${site.status} cannot ${action}.${site.status === 'FAILED' ? ' Repair or retry it.' : ''}`);
  if (action === 'restart' && site.power === 'stopped') throw new Refusal('conflict', 'The site is stopped: start it instead.');
  return [{ type: 'SiteSwitchRequested', data: { ...ids, action } }];
}

/** Also without a change: the host may have another image for it by now. */
function update(site: Site, ids: Ids, phpVersion: string): readonly SiteEvent[] {
  if (site.operation?.id === ids.operationId) return [];
  const { wordpress } = site.request;
  if (!wordpress) throw new Refusal('unsupported', `A site of the kind ${site.request.kind} has nothing to update; only WordPress does.`);
  refuseBusy(site);
  if (!isLive(site.status)) throw new Refusal('conflict', `A site that is ${site.status} cannot be updated.${site.status === 'FAILED' ? ' Repair or retry it first.' : ''}`);
  const changed = { ...wordpress, phpVersion: phpVersion || wordpress.phpVersion };
  checkRequest({ ...site.request, wordpress: changed });
  return [{ type: 'SiteUpdateRequested', data: { ...ids, wordpress: changed } }];
}

function destroy(site: Site, data: Ids & { readonly keepData: boolean }): readonly SiteEvent[] {
  if (site.status === 'DESTROYING') return [];
  if (site.status === 'DESTROYED') throw new Refusal('conflict', 'The site was destroyed already.');
  refuseBusy(site);
  if (!allowsDestroy(site.status)) throw new Refusal('conflict', `A site that is ${site.status} cannot be destroyed yet.`);
  return [...drop(site, 'The site is being destroyed.'), { type: 'SiteDestroyRequested', data }];
}

/** What waits gets its turn once the site is free. */
function next(site: Site): readonly SiteEvent[] {
  return site.waiting ? [{ type: 'SiteReleaseStarted', data: { siteId: site.request.siteId, ...release(site.waiting) } }] : [];
}

function drop(site: Site, reason: string): readonly SiteEvent[] {
  if (!site.waiting) return [];
  const { operationId, releaseId } = site.waiting;
  return [{ type: 'SiteReleaseDropped', data: { siteId: site.request.siteId, operationId, releaseId, reason } }];
}

const release = ({ operationId, releaseId, content }: Release): Release => ({ operationId, releaseId, content });

function isDoing(site: Site, kind: 'launch' | 'remove' | 'update', operationId: string): boolean {
  return site.operation?.kind === kind && site.operation.id === operationId;
}

function refuseBusy(site: Site): void {
  if (!site.operation) return;
  throw new Refusal('conflict', `The site is busy with a ${site.operation.kind} (operation ${site.operation.id}). Wait for its end, or cancel it, and try again.`);
}
