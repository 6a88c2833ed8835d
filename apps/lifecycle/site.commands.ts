import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { ContentRef, CreateSite, DestroySite, PublishRelease, RetrySite, SiteRequested, SwitchSite, UpdateSite } from '#contracts/gen/hostplane/v1/site.js';
import type { DiscardSiteData } from '#contracts/gen/hostplane/v1/left_data.js';
import { usualQuota } from '#boot/quota.js';
import { streamId, type Cause } from '#contracts/message.js';
import type { Right } from '#domain/access/rights.js';
import { hostnameDecider, nameDecider } from '#domain/naming/claim.js';
import { checkName, hostLabels } from '#domain/naming/names.js';
import { projectDecider, type KeptData, type Project, type ProjectCommand } from '#domain/project/project.js';
import { secretIdOf } from '#domain/naming/naming.js';
import { Refusal } from '#domain/refusal.js';
import { secretGuard } from '#domain/secret/guard.js';
import { databaseServer, keepsData, needsOf } from '#domain/site/needs.js';
import { bringsDatabase, checkRequest, defaultRuntime, usualDatabase } from '#domain/site/request.js';
import { siteDecider, type Site, type SiteCommand, type SiteState } from '#domain/site/site.js';
import { authorized, type Within } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on, type Part, type StreamReader } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { InTurn } from '#providers/in-turn.js';
import { siteNameKey } from './claims.js';
import { LifecycleConfig } from './lifecycle.config.js';
import { inheritance, takeOver, withhold } from './take-over.js';

/** Accepts or refuses what people ask of sites. */
@Controller()
export class SiteCommands {
  /** What takes room in one project waits for its like here rather than collide on the project's stream. */
  private readonly admissions = new InTurn();

  constructor(
    private readonly store: EventStore,
    private readonly config: LifecycleConfig,
  ) {}

  @OnAsk('CreateSite')
  async create(ask: CreateSite, cause: Cause): Promise<Accepted> {
    const { restoreFrom, ...wish } = ask;
    const inherited = await inheritance(this.store, ask);
    const runtime = inherited.runtime || ask.runtime || defaultRuntime(ask.kind, this.config.HOSTPLANE_APP_RUNTIME);
    const wordpress = inherited.wordpress && { ...inherited.wordpress, database: inherited.wordpress.database || usualDatabase(runtime) };
    return this.admit({ ...wish, ...inherited, wordpress, runtime, backupId: '', releaseId: '', content: undefined, hostId: '', hostname: '', address: '', subnet: '' }, cause, { restoreFrom });
  }

  /** Takes a new site into its project, which gives it its host, names and address. */
  async admit(request: SiteRequested, cause: Cause, beginning: Beginning): Promise<Accepted> {
    const { projectId, siteId, operationId } = request;
    checkName(request.name, 'site');
    checkRequest(request);
    return this.admissions.run(projectId, async () => {
      const { position } = await handle(this.store, cause, [on(projectDecider, projectId, this.admission(request, beginning))], {
        then: async ([project], log) => [...(await this.claim(request, project as Project, cause, log)), ...takeOver(request, beginning.restoreFrom ?? '')],
        ahead: streamsOf(request),
      });
      return { resourceId: siteId, operationId, position };
    });
  }

  @OnAsk('RetrySite')
  async retry(ask: RetrySite, cause: Cause): Promise<Accepted> {
    return this.change(ask.siteId, { type: 'RetrySite', operationId: ask.operationId }, { cause, right: 'sites:run' });
  }

  @OnAsk('DestroySite')
  async destroy(ask: DestroySite, cause: Cause): Promise<Accepted> {
    return this.change(ask.siteId, { type: 'DestroySite', operationId: ask.operationId, keepData: ask.keepData }, { cause, right: 'sites:delete' });
  }

  /** What the site left when it was destroyed goes for good. */
  @OnAsk('DiscardSiteData')
  async discardData(ask: DiscardSiteData, cause: Cause): Promise<Accepted> {
    return this.change(ask.siteId, { type: 'DiscardData', operationId: ask.operationId, name: ask.name }, { cause, right: 'sites:delete' }, withhold);
  }

  /** The upload must fit into the project's quota, which its newest one counts for. */
  @OnAsk('PublishRelease')
  async publish(ask: PublishRelease, cause: Cause): Promise<Accepted> {
    const { siteId, operationId, releaseId, content } = ask;
    const { state: site } = await loadState(this.store, siteDecider, siteId);
    if (site.status === 'ABSENT') throw new Refusal('not-found', 'There is no such site.');
    const command = { type: 'PublishRelease', operationId, releaseId, content } as const;
    return this.admissions.run(site.request.projectId, async () => ({ ...(await this.change(siteId, command, { cause, right: 'sites:deploy' }, () => [this.measured(site, content)])), operationId }));
  }

  /** A part for the append that gives a site this content: the project has room for it. */
  measured({ request: { projectId, siteId } }: Site, content: ContentRef | undefined): Part {
    return on(projectDecider, projectId, { type: 'MeasureSite', siteId, diskBytes: content?.sizeBytes ?? 0, usual: usualQuota(this.config) });
  }

  /** A part for the append that brings a backup's data back to its site, under a new id: the project keeps room for it. */
  replaced(site: Site, newDataId: string, bytes: number): Part {
    const { projectId, siteId } = site.request;
    return on(projectDecider, projectId, { type: 'ReplaceData', siteId, dataId: site.dataId || siteId, newDataId, bytes, usual: usualQuota(this.config) });
  }

  /** One after the other with whatever else takes room in the project. */
  inTurn<T>(projectId: string, work: () => Promise<T>): Promise<T> {
    return this.admissions.run(projectId, work);
  }

  @OnAsk('SwitchSite')
  async switch(ask: SwitchSite, cause: Cause): Promise<Accepted> {
    return this.change(ask.siteId, { type: 'SwitchSite', operationId: ask.operationId, action: ask.action }, { cause, right: 'sites:run' });
  }

  @OnAsk('UpdateSite')
  async update(ask: UpdateSite, cause: Cause): Promise<Accepted> {
    return this.change(ask.siteId, { type: 'UpdateSite', operationId: ask.operationId, phpVersion: ask.phpVersion }, { cause, right: 'sites:deploy' });
  }

  /** The site with the address that its project leased to it, and its names in the namespace of the project's founder; all in the append that admits it. */
  private async claim(request: SiteRequested, project: Project, cause: Cause, log: StreamReader): Promise<readonly Part[]> {
    const { siteId, name } = request;
    const { projectId, ownerId, hostId, subnet } = project.request;
    const hostname = await this.freeLabel(name, siteId, log);
    const site = { ...request, ownerId, hostId, hostname, subnet, address: project.sites.get(siteId)?.address ?? '' };
    return [
      authorized(cause, { projectId, founderId: ownerId }, 'sites:create'),
      on(siteDecider, siteId, { type: 'RequestSite', site }),
      ...(site.app?.secretEnv ?? []).map(({ name: variable, secret }) => on(secretGuard, secretIdOf(projectId, secret), { variable, secret })),
      on(nameDecider, siteNameKey(ownerId, name), { type: 'ClaimName', name, holderId: siteId }),
      on(hostnameDecider, hostname, { type: 'ClaimName', name: hostname, holderId: siteId }),
    ];
  }

  private admission(request: SiteRequested, { restoredBytes = 0 }: Beginning): ProjectCommand {
    const { siteId, runtime, dataId, wordpress } = request;
    const data: KeptData | undefined = keepsData(request) ? { takenOver: dataId, bytes: restoredBytes } : undefined;
    const one = { memoryBytes: this.config.HOSTPLANE_DATABASE_MEMORY_LIMIT, cpuMillis: databaseServer.cpuMillis };
    const server = wordpress?.database === 'own' && !bringsDatabase(runtime) ? one : undefined;
    const needs = needsOf(request, { memoryBytes: this.config.HOSTPLANE_MEMORY_LIMIT, cpuMillis: this.config.HOSTPLANE_CPU_LIMIT_MILLIS }, one);
    return { type: 'AdmitSite', siteId, runtime, needsAddress: runtime === 'docker', needs, usual: usualQuota(this.config), data, server };
  }

  private async freeLabel(name: string, siteId: string, log: StreamReader): Promise<string> {
    const labels = hostLabels(name, siteId);
    for (const label of labels) {
      const { state: claim } = await loadState(log, hostnameDecider, label);
      if (claim.status === 'free' || claim.holderId === siteId) return label;
    }
    return labels.at(-1) ?? name;
  }

  private async change(siteId: string, command: SiteCommand & { operationId: string }, { cause, right }: { cause: Cause; right: Right }, more: More = () => []): Promise<Accepted> {
    const { position, states } = await handle(this.store, cause, [on(siteDecider, siteId, command)], {
      then: async ([site], log) => [authorized(cause, withinOf(site as Site), right), ...(await more(log, site as Site))],
    });
    const site = states[0] as SiteState;
    const running = site.status === 'ABSENT' ? undefined : site.operation?.id;
    return { resourceId: siteId, operationId: running ?? command.operationId, position };
  }
}

/** What a new site begins with. */
interface Beginning {
  /** How much data, of a backup. */
  readonly restoredBytes?: number;
  /** Id of the destroyed site whose data it takes over. */
  readonly restoreFrom?: string;
}

/** Further parts of an append, from the site as it is then. */
type More = (log: StreamReader, site: Site) => readonly Part[] | Promise<readonly Part[]>;

const withinOf = ({ request }: Site): Within => ({ projectId: request.projectId, founderId: request.ownerId });

/** What a new site is decided from, as long as nobody else has its name for a label. */
function streamsOf({ siteId, ownerId, name }: SiteRequested): string[] {
  return [streamId(siteDecider.category, siteId), streamId(nameDecider.category, siteNameKey(ownerId, name)), streamId(hostnameDecider.category, hostLabels(name, siteId)[0] ?? name)];
}
