import { siteDomain } from '#domain/naming/naming.js';
import type { ProjectInput } from '#domain/launch-project/launch-project.js';
import type { OperationCommand } from '#domain/operation/operation.js';
import type { SiteInput } from '#domain/operation/site-steps.js';
import type { WorkflowKind } from '#domain/operation/workflow.js';
import type { Project } from '#domain/project/project.js';
import { leavesData } from '#domain/site/data-status.js';
import type { Release, Site } from '#domain/site/site.js';

/** How the plane is set up, and when the operation was asked for. */
interface PlaneSettings {
  readonly baseDomain: string;
  /** Where visitors come in. */
  readonly httpPort: number;
  readonly requestedAt: string;
}

type StartOperation = Extract<OperationCommand, { type: 'StartOperation' }>;

/** Starts a workflow for a project with all that its steps need to know. */
export function startProjectOperation(kind: WorkflowKind, id: string, { request, runtimes }: Project): StartOperation {
  const input: ProjectInput = { projectId: request.projectId, hostId: request.hostId, subnet: request.subnet, runtimes: [...runtimes] };
  return { type: 'StartOperation', id, kind, siteId: '', projectId: request.projectId, input };
}

/** Starts a workflow for a site with all that its steps need to know, as the site is now. */
export function startSiteOperation(kind: WorkflowKind, id: string, site: Site, settings: PlaneSettings): StartOperation {
  const { request } = site;
  const release = site.operation?.kind === 'release' ? site.operation.release : site.release;
  const hostname = siteDomain(request.hostname, settings.baseDomain);
  const input: SiteInput = {
    hostId: request.hostId,
    hostnames: [hostname],
    spec: {
      siteId: request.siteId,
      projectId: request.projectId,
      name: request.name,
      kind: request.kind,
      runtime: request.runtime,
      subnet: request.subnet,
      address: request.address,
      power: site.power,
      app: request.app,
      wordpress: site.operation?.kind === 'update' ? site.operation.wordpress : request.wordpress,
      limits: request.limits,
      dataId: site.dataId,
      // Only what makes links to itself is made anew when its address changes.
      url: request.kind === 'wordpress' ? `http://${hostname}${settings.httpPort === 80 ? '' : `:${settings.httpPort}`}` : '',
      ...contentOf(release),
      restartedAfter: kind === 'restart-site' ? settings.requestedAt : '',
    },
    previous: { ...contentOf(site.release), ...(request.wordpress && { wordpress: request.wordpress }) },
    power: site.power,
    target: site.target,
    keepData: keepsData(site),
  };
  return { type: 'StartOperation', id, kind, siteId: request.siteId, projectId: request.projectId, input };
}

/** Whether a removal, or taking back what the operation does, leaves the site's data. */
function keepsData(site: Site): boolean {
  const { operation, request } = site;
  if (operation?.kind === 'discard') return false;
  return operation?.kind === 'remove' ? leavesData(site) : site.wasActive || (request.dataId !== '' && request.backupId === '');
}

function contentOf(release: Release | undefined): Pick<SiteInput['previous'], 'releaseId' | 'content'> {
  return { releaseId: release?.releaseId ?? '', content: release?.content };
}
