import type { Operation, Release, Site, SiteEvent, SiteState } from './site.js';
import { canDataMove, leavesData, type DataStatus } from './data-status.js';
import { canMove, type SiteStatus } from './status.js';

/** Folds one event into the site. A status that the table does not allow here is a fault in the log, and says so. */
export function evolveSite(state: SiteState, event: SiteEvent): SiteState {
  if (state.status === 'ABSENT') {
    if (event.type !== 'SiteRequested') throw new Error(`${event.type} for a site that was never requested.`);
    const { operationId, dataId } = event.data;
    return { status: 'CREATED', request: event.data, power: 'running', dataId, ...live(event.data), wasActive: false, keepsData: false, data: 'held', domains: new Map(), operation: launch(operationId) };
  }
  switch (event.type) {
    case 'SiteProvisioningStarted':
      return { ...move(state, 'PROVISIONING'), operation: launch(event.data.operationId) };
    case 'SiteActivated':
      return { ...free(move(state, 'ACTIVE')), wasActive: true, power: 'running', ...known(event.data.target) };
    case 'SiteFailed':
      return free(move(state, 'FAILED'));
    case 'SiteRetryRequested':
      return { ...state, operation: launch(event.data.operationId) };
    case 'SiteDestroyRequested':
      return { ...move(state, 'DESTROYING'), operation: { kind: 'remove', id: event.data.operationId }, keepsData: event.data.keepData };
    case 'SiteDestroyed':
      return moveData(free(move(state, 'DESTROYED')), leavesData(state) ? 'kept' : 'gone');
    case 'SiteReleaseRequested':
      return { ...state, waiting: event.data };
    case 'SiteReleaseDropped':
      return without(state, 'waiting');
    case 'SiteReleaseStarted':
      return { ...without(state, 'waiting'), operation: { kind: 'release', id: event.data.operationId, release: event.data } };
    case 'SiteReleasePublished':
      return { ...free(state), ...released(state.operation), ...known(event.data.target) };
    case 'SiteSwitchRequested':
      return { ...state, operation: { kind: 'switch', id: event.data.operationId, action: event.data.action } };
    case 'SiteSwitched':
      return { ...free(state), power: event.data.power === 'stopped' ? 'stopped' : 'running', ...known(event.data.target) };
    case 'SiteBackupRequested':
      return { ...state, operation: { kind: 'backup', id: event.data.operationId, backupId: event.data.backupId, destroyOperationId: event.data.destroyOperationId } };
    case 'SiteRestoreRequested': {
      const { operationId, backupId, dataId } = event.data;
      return { ...state, operation: { kind: 'restore', id: operationId, backupId, dataId, release: live(event.data).release } };
    }
    case 'SiteRestored':
      return { ...without(free(state), 'release'), dataId: event.data.dataId, ...live(event.data), ...known(event.data.target) };
    case 'SiteUpdateRequested':
      return { ...state, operation: { kind: 'update', id: event.data.operationId, wordpress: event.data.wordpress } };
    case 'SiteUpdated':
      return { ...free(state), ...known(event.data.target), request: updated(state) };
    case 'SiteUpdateFailed':
    case 'SiteReleaseFailed':
    case 'SiteSwitchFailed':
    case 'SiteBackedUp':
    case 'SiteBackupFailed':
    case 'SiteRestoreFailed':
      return free(state);
    case 'SiteDomainNoted': {
      const { name, status, version } = event.data;
      return { ...state, domains: new Map(state.domains).set(name, { status, version }) };
    }
    case 'SiteDomainStatusChanged':
      return move(state, event.data.status as SiteStatus);
    default:
      return evolveLeftData(state, event);
  }
}

function evolveLeftData(site: Site, event: SiteEvent): Site {
  switch (event.type) {
    case 'SiteDataTakenOver':
      return { ...moveData(site, 'taken'), heirId: event.data.heirId };
    case 'SiteDataDiscardRequested':
      return { ...(site.data === 'discarding' ? site : moveData(site, 'discarding')), operation: { kind: 'discard', id: event.data.operationId } };
    case 'SiteDataDiscarded':
      return free(moveData(site, 'gone'));
    case 'SiteDataDiscardFailed':
      return free(site);
    default:
      return site;
  }
}

function move(site: Site, to: SiteStatus): Site {
  if (!canMove(site.status, to)) throw new Error(`A site cannot go from ${site.status} to ${to}.`);
  return { ...site, status: to };
}

function moveData(site: Site, to: DataStatus): Site {
  if (!canDataMove(site.data, to)) throw new Error(`The data of a site cannot go from ${site.data} to ${to}.`);
  return { ...site, data: to };
}

const launch = (id: string): Operation => ({ kind: 'launch', id });
const known = (target: Site['target']): Pick<Site, 'target'> => (target ? { target } : {});
const free = (site: Site): Site => without(site, 'operation');

function updated({ request, operation }: Site): Site['request'] {
  return operation?.kind === 'update' ? { ...request, wordpress: operation.wordpress } : request;
}

function released(operation: Operation | undefined): { release?: Release } {
  return operation?.kind === 'release' ? { release: operation.release } : {};
}

/** The release that came with a backup's data. */
function live({ operationId, releaseId, content }: Release): { release?: Release } {
  return content ? { release: { operationId, releaseId, content } } : {};
}

function without(site: Site, key: 'operation' | 'waiting' | 'release'): Site {
  const { [key]: _, ...rest } = site;
  return rest;
}
