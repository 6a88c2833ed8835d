import type { DataBytes, ProjectRequested } from '#contracts/gen/hostplane/v1/project.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import { checkName } from '../naming/names.js';
import { leasable } from '../network/ipv4.js';
import { Refusal } from '../refusal.js';
import { discardFrom, join, leave, serverNeeds, serverUse, type OwnServer, type ServerLimits } from './database-server.js';
import { evolveProject, foldProject } from './evolve.js';
import { mustBeEmpty } from './kept.js';
import { mustFit, nothing, plus, quotaOf, sameWish, wishToProto, type Amounts, type Quota, type QuotaWish, type Use } from './quota.js';
import { canProjectMove, type ProjectStatus } from './status.js';
import { expectData, free, freeKept, grownBy, settleExpected, takeOn, writtenBytes, type Written } from './written.js';

/** A site's place in its project. */
export interface Place extends Amounts {
  /** Empty for a site without a container. */
  readonly address: string;
}

export interface Project {
  readonly status: ProjectStatus;
  readonly request: ProjectRequested;
  readonly operationId?: string;
  /** What each site holds, from its admission until it is destroyed. */
  readonly sites: ReadonlyMap<string, Place>;
  /** Each runtime that a site was ever admitted for: there something may be left of the project. Empty for one that was not recorded. */
  readonly runtimes: ReadonlySet<string>;
  /** What was set of the quota. */
  readonly quota: QuotaWish;
  /** The address that was leased last. */
  readonly lastAddress: string;
  /** What the sites have written, beside their uploads. */
  readonly written: Written;
  /** Ids of the data that destroyed sites left in it. */
  readonly kept: ReadonlySet<string>;
  /** The database server that it has for itself. */
  readonly server?: OwnServer | undefined;
}

/** What a site keeps itself, in volumes or a database. */
export interface KeptData {
  /** Whose data it takes over, which is there already; empty: nobody's. */
  readonly takenOver: string;
  /** How much it begins with; 0: it has still to write it. */
  readonly bytes: number;
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
  /** `usual` is the quota where the project has none of its own. `data`: the site writes. `server`: of a site with its database on the project's own. */
  | { type: 'AdmitSite'; siteId: string; runtime: string; needsAddress: boolean; needs: Amounts; usual: Quota; data?: KeptData | undefined; server?: ServerLimits | undefined }
  /** Without `usual` nothing is asked for: it is there already. */
  | { type: 'MeasureSite'; siteId: string; diskBytes: number; usual?: Quota }
  /** So much is to take the place of a site's data, under another id: it must fit. */
  | { type: 'ReplaceData'; siteId: string; dataId: string; newDataId: string; bytes: number; usual: Quota }
  /** What a site was to have of a backup is there, or is not going to be. */
  | { type: 'SettleData'; siteId: string; isThere: boolean }
  | { type: 'MeasureProject'; data: readonly DataBytes[]; revision: number }
  | { type: 'SetQuota'; quota: QuotaWish }
  /** `dataId`: whose data the site had. */
  | { type: 'ReleaseSite'; siteId: string; dataId: string; isDataKept: boolean }
  /** What a destroyed site left is gone. */
  | { type: 'DiscardData'; siteId: string; dataId: string };

export type ProjectEventType =
  | 'ProjectRequested' | 'ProjectProvisioningStarted' | 'ProjectStarted' | 'ProjectFailed' | 'ProjectRetryRequested'
  | 'ProjectDeletionRequested' | 'ProjectDeletionFailed' | 'ProjectDeleted' | 'SiteAdmitted' | 'SiteReleased' | 'SiteMeasured' | 'ProjectQuotaSet'
  | 'ProjectMeasured' | 'DataExpected' | 'DataArrived' | 'DataFreed' | 'DatabaseServerJoined' | 'DatabaseServerLeft';
export type ProjectEvent = MessageOf<ProjectEventType>;

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
    switch (command.type) {
      case 'AdmitSite':
        return admit(state, command);
      case 'MeasureSite':
        return measure(state, command);
      case 'ReplaceData':
        return replace(state, command);
      case 'SettleData':
        return settleExpected(state, command.siteId, command.isThere);
      case 'MeasureProject':
        return takeOn(state, command.data, command.revision);
      case 'ReleaseSite':
        return release(state, command);
      case 'DiscardData':
        return discard(state, command);
      case 'SetQuota':
        return sameWish(state.quota, command.quota) ? [] : [{ type: 'ProjectQuotaSet', data: { projectId: state.request.projectId, quota: wishToProto(command.quota) } }];
      default:
        return advance(state, command);
    }
  },
  evolve: evolveProject,
  fold: foldProject,
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
  const { siteId, runtime, needs, data, server } = command;
  const asked = [{ ...nothing, diskBytes: data?.bytes ?? 0 }, serverNeeds(project.server, server)].reduce(plus, needs);
  mustFit(quotaOf(project.quota, command.usual), useOf(project), asked, data !== undefined && data.takenOver === '');
  const address = command.needsAddress ? freeAddress(project) : '';
  const { memoryBytes, cpuMillis, diskBytes } = needs;
  const ids = { projectId: project.request.projectId, siteId };
  return [
    { type: 'SiteAdmitted', data: { ...ids, runtime, address, memoryBytes, cpuMillis, ...(data?.takenOver && { dataId: data.takenOver }) } },
    ...(diskBytes === 0 ? [] : [{ type: 'SiteMeasured', data: { ...ids, diskBytes, grownBy: diskBytes } } as const]),
    ...(data ? expectData(project, siteId, { bytes: data.bytes, dataId: siteId, replacedDataId: '' }) : []),
    ...join(project, siteId, data?.takenOver ?? '', server),
  ];
}

/** A site that grows must fit; one that shrinks always does. */
function measure(project: Project, { siteId, diskBytes, usual }: Extract<ProjectCommand, { type: 'MeasureSite' }>): readonly ProjectEvent[] {
  const place = project.sites.get(siteId);
  const grownBy = diskBytes - (place?.diskBytes ?? 0);
  if (!place || grownBy === 0) return [];
  if (usual) mustFit(quotaOf(project.quota, usual), useOf(project), { ...nothing, diskBytes: grownBy });
  return [{ type: 'SiteMeasured', data: { projectId: project.request.projectId, siteId, diskBytes, grownBy } }];
}

/** The room is the site's own from here on, so that nobody else is given it meanwhile. */
function replace(project: Project, { siteId, dataId, newDataId, bytes, usual }: Extract<ProjectCommand, { type: 'ReplaceData' }>): readonly ProjectEvent[] {
  const expected = expectData(project, siteId, { bytes, dataId: newDataId, replacedDataId: dataId });
  const diskBytes = expected.reduce((all, event) => all + grownBy(project.written, event), 0);
  mustFit(quotaOf(project.quota, usual), useOf(project), { ...nothing, diskBytes });
  return expected;
}

function release(project: Project, { siteId, dataId, isDataKept }: Extract<ProjectCommand, { type: 'ReleaseSite' }>): readonly ProjectEvent[] {
  const place = project.sites.get(siteId);
  if (!place) return [];
  const { memoryBytes, cpuMillis, diskBytes } = place;
  return [
    { type: 'SiteReleased', data: { projectId: project.request.projectId, siteId, memoryBytes, cpuMillis, diskBytes, ...(isDataKept && { keptDataId: dataId }) } },
    ...free(project, siteId, isDataKept ? '' : dataId),
    ...leave(project, siteId, isDataKept ? dataId : ''),
  ];
}

function discard(project: Project, { siteId, dataId }: Extract<ProjectCommand, { type: 'DiscardData' }>): readonly ProjectEvent[] {
  return [...freeKept(project, siteId, dataId), ...discardFrom(project, siteId, dataId)];
}

/** What all sites of a project hold, what they have written, and what its own database server may use. */
export function useOf({ sites, written, server }: Project): Use {
  const held = [...sites.values()].reduce(plus, serverUse(server));
  const bytes = writtenBytes(written);
  return { ...held, diskBytes: held.diskBytes + bytes, writtenBytes: bytes };
}

/** Goes round, so that an address that came free rests for as long as it can: a visitor may still be on a slow way to it. */
function freeAddress(project: Project): string {
  const taken = new Set([...project.sites.values()].map(({ address }) => address));
  const { count, at } = leasable(project.request.subnet);
  const all = Array.from({ length: count }, (_, n) => at(n));
  const next = all.indexOf(project.lastAddress) + 1;
  const free = [...all.slice(next), ...all.slice(0, next)].find((address) => !taken.has(address));
  if (free) return free;
  throw new Refusal('conflict', `All ${count} addresses of the project's network ${project.request.subnet} are in use. Delete a site, or use another project.`);
}

type Advance = Exclude<ProjectCommand, { type: 'RequestProject' | 'AdmitSite' | 'MeasureSite' | 'ReplaceData' | 'SettleData' | 'MeasureProject' | 'ReleaseSite' | 'DiscardData' | 'SetQuota' }>;

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
  mustBeEmpty(project);
  return [{ type: 'ProjectDeletionRequested', data }];
}
