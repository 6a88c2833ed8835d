import { evolveServer } from './database-server.js';
import { evolveKept } from './kept.js';
import { wishOf } from './quota.js';
import type { Place, Project, ProjectEvent, ProjectState } from './project.js';
import { canProjectMove, type ProjectStatus } from './status.js';
import { evolveWritten, unwritten } from './written.js';

type Sites = Project['sites'];

/** Folds one event into the project, and leaves the one it was given as it is. */
export function evolveProject(state: ProjectState, event: ProjectEvent): ProjectState {
  return evolve(state, event, (sites) => new Map(sites));
}

/** What evolveProject comes to, event by event, with one copy of the sites instead of one at each event: nobody else sees it before it is done. */
export function foldProject(state: ProjectState, events: readonly ProjectEvent[]): ProjectState {
  let own: Map<string, Place> | undefined;
  return events.reduce((before, event) => evolve(before, event, (sites) => (own ??= new Map(sites))), state);
}

function evolve(state: ProjectState, event: ProjectEvent, toChange: (sites: Sites) => Map<string, Place>): ProjectState {
  if (state.status === 'absent') {
    if (event.type !== 'ProjectRequested') throw new Error(`${event.type} for a project that was never requested.`);
    return { status: 'pending', request: event.data, operationId: event.data.operationId, sites: new Map(), runtimes: new Set(), quota: {}, lastAddress: '', written: unwritten, kept: new Set() };
  }
  switch (event.type) {
    case 'ProjectProvisioningStarted':
      return { ...state, status: to(state, 'provisioning') };
    case 'ProjectRetryRequested':
      return { ...state, operationId: event.data.operationId };
    case 'ProjectDeletionRequested':
      return { ...state, status: state.status === 'deleting' ? 'deleting' : to(state, 'deleting'), operationId: event.data.operationId };
    case 'ProjectDeletionFailed':
      return released(state);
    case 'ProjectStarted':
      return ended(state, 'running');
    case 'ProjectFailed':
      return ended(state, 'failed');
    case 'ProjectDeleted':
      return ended(state, 'deleted');
    case 'SiteAdmitted': {
      const { siteId, runtime, address, memoryBytes, cpuMillis } = event.data;
      const runtimes = state.runtimes.has(runtime) ? state.runtimes : new Set([...state.runtimes, runtime]);
      return { ...state, runtimes, kept: evolveKept(state.kept, event), sites: toChange(state.sites).set(siteId, { sites: 1, address, memoryBytes, cpuMillis, diskBytes: 0 }), lastAddress: address || state.lastAddress };
    }
    case 'SiteMeasured': {
      const place = state.sites.get(event.data.siteId);
      return place ? { ...state, sites: toChange(state.sites).set(event.data.siteId, { ...place, diskBytes: event.data.diskBytes }) } : state;
    }
    case 'ProjectQuotaSet':
      return { ...state, quota: wishOf(event.data.quota) };
    case 'SiteReleased': {
      const sites = toChange(state.sites);
      sites.delete(event.data.siteId);
      return { ...state, sites, kept: evolveKept(state.kept, event) };
    }
    case 'ProjectMeasured':
    case 'DataExpected':
    case 'DataArrived':
      return { ...state, written: evolveWritten(state.written, event) };
    case 'DataFreed':
      return { ...state, written: evolveWritten(state.written, event), kept: evolveKept(state.kept, event) };
    case 'DatabaseServerJoined':
    case 'DatabaseServerLeft':
      return { ...state, server: evolveServer(state.server, event) };
    default:
      return state;
  }
}

function to(project: Project, status: ProjectStatus): ProjectStatus {
  if (!canProjectMove(project.status, status)) throw new Error(`A project cannot go from ${project.status} to ${status}.`);
  return status;
}

function ended(project: Project, status: ProjectStatus): Project {
  return { ...released(project), status: to(project, status) };
}

function released({ operationId: _, ...project }: Project): Project {
  return project;
}
