import type { ProjectRequested } from '#contracts/gen/hostplane/v1/project.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import { checkName } from '../naming/names.js';
import { leasable } from '../network/ipv4.js';
import { Refusal } from '../refusal.js';
import { canProjectMove, type ProjectStatus } from './status.js';

export interface Project {
  readonly status: ProjectStatus;
  readonly request: ProjectRequested;
  readonly operationId?: string;
  /** Address by site; empty for a site without a container. Held from admission until the site is destroyed. */
  readonly sites: ReadonlyMap<string, string>;
  /** The address that was leased last. */
  readonly lastAddress: string;
}
export type ProjectState = { readonly status: 'absent' } | Project;

export type ProjectCommand =
  | { type: 'RequestProject'; project: ProjectRequested }
  | { type: 'BeginProvisioning'; operationId: string }
  | { type: 'StartProject'; operationId: string }
  | { type: 'FailProject'; operationId: string; step: string; error: string }
  | { type: 'RetryProject'; operationId: string }
  | { type: 'DeleteProject'; operationId: string }
  | { type: 'FinishDelete'; operationId: string }
  | { type: 'FailDelete'; operationId: string; step: string; error: string }
  | { type: 'AdmitSite'; siteId: string; needsAddress: boolean }
  | { type: 'ReleaseSite'; siteId: string };

export type ProjectEventType =
  | 'ProjectRequested' | 'ProjectProvisioningStarted' | 'ProjectStarted' | 'ProjectFailed' | 'ProjectRetryRequested'
  | 'ProjectDeletionRequested' | 'ProjectDeletionFailed' | 'ProjectDeleted' | 'SiteAdmitted' | 'SiteReleased';
type ProjectEvent = MessageOf<ProjectEventType>;

/**
 * A project's life, and who lives in it. A site's address is leased here and comes free only with SiteReleased, which is recorded
 * together with the site's end: after the edge has let go of the address and the container is gone.
 */
export const projectDecider: Decider<ProjectState, ProjectCommand, ProjectEventType> = {
  category: 'project',
  initial: { status: 'absent' },
  decide(command, state) {
    if (command.type === 'RequestProject') return request(command.project, state);
    if (state.status === 'absent') throw new Refusal('not-found', 'There is no such project.');
    if (command.type === 'AdmitSite') return admit(state, command);
    if (command.type === 'ReleaseSite') {
      return state.sites.has(command.siteId) ? [{ type: 'SiteReleased', data: { projectId: state.request.projectId, siteId: command.siteId } }] : [];
    }
    return advance(state, command);
  },
  evolve,
};

function request(project: ProjectRequested, state: ProjectState): readonly ProjectEvent[] {
  if (state.status !== 'absent') {
    if (state.request.operationId === project.operationId) return [];
    throw new Refusal('conflict', `The project "${state.request.name}" exists already and is ${state.status}.`);
  }
  checkName(project.name, 'project');
  return [{ type: 'ProjectRequested', data: project }];
}

function admit(project: Project, command: Extract<ProjectCommand, { type: 'AdmitSite' }>): readonly ProjectEvent[] {
  if (project.sites.has(command.siteId)) return [];
  if (['failed', 'deleting', 'deleted'].includes(project.status)) {
    throw new Refusal('conflict', `The project "${project.request.name}" is ${project.status} and takes no new sites.${project.status === 'failed' ? ' Retry it first: its lastError says what was wrong.' : ''}`, 'projectId');
  }
  const address = command.needsAddress ? freeAddress(project) : '';
  return [{ type: 'SiteAdmitted', data: { projectId: project.request.projectId, siteId: command.siteId, address } }];
}

/** Goes round, so that an address that came free rests for as long as it can: a visitor may still be on a slow way to it. */
function freeAddress(project: Project): string {
  const taken = new Set(project.sites.values());
  const { count, at } = leasable(project.request.subnet);
  const all = Array.from({ length: count }, (_, n) => at(n));
  const next = all.indexOf(project.lastAddress) + 1;
  const free = [...all.slice(next), ...all.slice(0, next)].find((address) => !taken.has(address));
  if (free) return free;
  throw new Refusal('conflict', `All ${count} addresses of the project's network ${project.request.subnet} are in use. Delete a site, or use another project.`);
}

type Advance = Exclude<ProjectCommand, { type: 'RequestProject' | 'AdmitSite' | 'ReleaseSite' }>;

function advance(project: Project, command: Advance): readonly ProjectEvent[] {
  const data = { projectId: project.request.projectId, operationId: command.operationId };
  const mine = project.operationId === command.operationId;
  switch (command.type) {
    case 'BeginProvisioning':
      return mine && canProjectMove(project.status, 'provisioning') ? [{ type: 'ProjectProvisioningStarted', data }] : [];
    case 'StartProject':
      return mine && project.status === 'provisioning' ? [{ type: 'ProjectStarted', data }] : [];
    case 'FailProject':
      return mine && canProjectMove(project.status, 'failed') ? [{ type: 'ProjectFailed', data: { ...data, step: command.step, error: command.error } }] : [];
    case 'FinishDelete':
      return mine && project.status === 'deleting' ? [{ type: 'ProjectDeleted', data }] : [];
    case 'FailDelete':
      return mine && project.status === 'deleting' ? [{ type: 'ProjectDeletionFailed', data: { ...data, step: command.step, error: command.error } }] : [];
    case 'RetryProject':
      if (mine) return [];
      if (project.status !== 'failed') throw new Refusal('conflict', `A project that is ${project.status} cannot be retried: only a failed one can.`);
      return [{ type: 'ProjectRetryRequested', data }];
    case 'DeleteProject':
      return remove(project, data);
  }
}

function remove(project: Project, data: { projectId: string; operationId: string }): readonly ProjectEvent[] {
  if (project.status === 'deleted' || (project.status === 'deleting' && project.operationId)) return [];
  if (project.status !== 'deleting' && !canProjectMove(project.status, 'deleting')) throw new Refusal('conflict', `A project that is ${project.status} cannot be deleted yet. Wait until it is running.`);
  if (project.sites.size > 0) throw new Refusal('conflict', `The project "${project.request.name}" still has ${project.sites.size} site(s). Delete them first.`);
  return [{ type: 'ProjectDeletionRequested', data }];
}

function evolve(state: ProjectState, event: ProjectEvent): ProjectState {
  if (state.status === 'absent') {
    if (event.type !== 'ProjectRequested') throw new Error(`${event.type} for a project that was never requested.`);
    return { status: 'pending', request: event.data, operationId: event.data.operationId, sites: new Map(), lastAddress: '' };
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
    case 'SiteAdmitted':
      return { ...state, sites: new Map(state.sites).set(event.data.siteId, event.data.address), lastAddress: event.data.address || state.lastAddress };
    case 'SiteReleased':
      return { ...state, sites: new Map([...state.sites].filter(([siteId]) => siteId !== event.data.siteId)) };
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
