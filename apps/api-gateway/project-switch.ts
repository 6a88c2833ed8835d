import type { Project, ProjectSwitched, SwitchedSite } from '#api/project.js';
import type { Site } from '#api/site.js';
import { isLive } from '#domain/site/status.js';
import { leftOutOf, type SwitchAction } from '#domain/site/switch.js';
import type { BackupQueries } from './backups.queries.js';
import type { Call } from './call.js';
import type { Lifecycle } from './deciding-apps.js';
import { problemFor } from './problem.filter.js';
import type { SiteQueries } from './sites.queries.js';

/** So many sites are asked for at once: the others of a large project wait, and other people's requests do not. */
const AT_ONCE = 8;
const PAGE = 200;

type Found = Pick<Project, 'id' | 'name' | 'status' | 'owner'>;
/** Begins an operation; a text is the reason why there is none to begin. */
type Begin = (() => Promise<{ readonly operationId: string }>) | string;

/** Does the same with every site of a project, each in an operation of its own; one that refuses does not keep the others from it. */
export class ProjectSwitch {
  constructor(
    private readonly sites: SiteQueries,
    private readonly backups: BackupQueries,
    private readonly lifecycle: Lifecycle,
  ) {}

  async all(call: Call, project: Found, action: SwitchAction): Promise<ProjectSwitched> {
    const own = action === 'repair' && project.status === 'failed' ? await this.retry(call, project) : {};
    const switched = await this.each(project, action, (site) => leftOutOf(action, site) ?? (() => this.lifecycle.ask('SwitchSite', { siteId: site.id, operationId: operationOf(call, site), action }, call.causeFor(project.owner, site.id))));
    return { ...switched, ...own };
  }

  backUp(call: Call, project: Found): Promise<ProjectSwitched> {
    return this.each(project, 'backup', (site) => {
      const ids = { siteId: site.id, operationId: operationOf(call, site), backupId: call.id(`backup ${site.id}`), destroyOperationId: '' };
      return notLive(site) ?? (() => this.lifecycle.ask('BackUpSite', ids, call.causeFor(project.owner, site.id)));
    });
  }

  /** `until`: RFC 3339; only backups that were begun by then. */
  async restore(call: Call, project: Found, until: string | undefined): Promise<ProjectSwitched> {
    const newest = await this.backups.newestOfEach(project.id, until);
    return this.each(project, 'restore', (site) => {
      const backupId = newest.get(site.id);
      if (backupId === undefined) return `There is no backup of it${until === undefined ? '' : ` by ${until}`}.`;
      const ids = { backupId, siteId: site.id, operationId: operationOf(call, site), dataId: call.id(`data ${site.id}`), name: '', ownerId: project.owner, projectId: '' };
      return notLive(site) ?? (() => this.lifecycle.ask('RestoreBackedUp', ids, call.causeFor(project.owner, site.id)));
    });
  }

  private async each({ id, name }: Found, action: string, beginOf: (site: Site) => Begin): Promise<ProjectSwitched> {
    const sites = await this.sitesOf(id);
    const switched: SwitchedSite[] = [];
    const next = sites.entries();
    const work = async () => {
      for (const [n, site] of next) switched[n] = { siteId: site.id, name: site.name, ...(await outcomeOf(beginOf(site))) };
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return { projectId: id, name, action, sites: switched };
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

const operationOf = (call: Call, { id }: Site): string => call.id(`operation ${id}`);

const notLive = ({ status }: Site): string | undefined => (isLive(status) ? undefined : `It is ${status}.`);

async function outcomeOf(begin: Begin): Promise<Pick<SwitchedSite, 'status' | 'operationId' | 'reason'>> {
  if (typeof begin === 'string') return { status: 'left-out', reason: begin };
  const [asked] = await Promise.allSettled([begin()]);
  if (asked.status === 'rejected') return { status: 'refused', reason: problemFor(asked.reason).message };
  return { status: 'accepted', operationId: asked.value.operationId };
}
