import type { Project, ProjectSwitched, SwitchedSite } from '#api/project.js';
import type { Site } from '#api/site.js';
import { leftOutOf, type SwitchAction } from '#domain/site/switch.js';
import type { Call } from './call.js';
import type { Lifecycle } from './lifecycle.js';
import { problemFor } from './problem.filter.js';
import type { SiteQueries } from './sites.queries.js';

/** So many sites are asked for at once: the others of a large project wait, and other people's requests do not. */
const AT_ONCE = 8;
const PAGE = 200;

type Found = Pick<Project, 'id' | 'name' | 'status' | 'owner'>;

/** Does the same with every site of a project, each in an operation of its own; one that refuses does not keep the others from it. */
export class ProjectSwitch {
  constructor(
    private readonly sites: SiteQueries,
    private readonly lifecycle: Lifecycle,
  ) {}

  async all(call: Call, project: Found, action: SwitchAction): Promise<ProjectSwitched> {
    const own = action === 'repair' && project.status === 'failed' ? await this.retry(call, project) : {};
    const sites = await this.sitesOf(project.id);
    const switched: SwitchedSite[] = [];
    const next = sites.entries();
    const work = async () => {
      for (const [n, site] of next) switched[n] = await this.one(call, project, site, action);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return { projectId: project.id, name: project.name, action, ...own, sites: switched };
  }

  private async one(call: Call, { owner }: Found, site: Site, action: SwitchAction): Promise<SwitchedSite> {
    const named = { siteId: site.id, name: site.name };
    const leftOut = leftOutOf(action, site);
    if (leftOut !== undefined) return { ...named, status: 'left-out', reason: leftOut };
    const operationId = call.id(`operation ${site.id}`);
    const [asked] = await Promise.allSettled([this.lifecycle.ask('SwitchSite', { siteId: site.id, operationId, action }, call.causeFor(owner))]);
    if (asked.status === 'rejected') return { ...named, status: 'refused', reason: problemFor(asked.reason).message };
    return { ...named, status: 'accepted', operationId: asked.value.operationId };
  }

  private async retry(call: Call, { id, owner }: Found): Promise<{ operationId: string }> {
    const { operationId } = await this.lifecycle.ask('RetryProject', { projectId: id, operationId: call.id('operation') }, call.causeFor(owner));
    return { operationId };
  }

  private async sitesOf(projectId: string): Promise<Site[]> {
    const found: Site[] = [];
    for (let cursor: string | undefined, isMore = true; isMore; isMore = cursor !== undefined) {
      const page = await this.sites.page(undefined, { projectId, limit: PAGE, cursor });
      found.push(...page.items);
      cursor = page.nextCursor;
    }
    return found;
  }
}
