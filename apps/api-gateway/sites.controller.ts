import { Controller } from '@nestjs/common';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { AppSpec } from '#contracts/gen/hostplane/v1/site.js';
import { accepted, type Answer } from './answer.js';
import { ByCall, ownerFor, type Call } from './call.js';
import { ProjectChoice } from './default-project.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './lifecycle.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';
import { Vault } from './vault.js';

@Controller()
export class SitesController {
  constructor(
    private readonly sites: SiteQueries,
    private readonly projects: ProjectQueries,
    private readonly choice: ProjectChoice,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
    private readonly vault: Vault,
  ) {}

  @Serves('createSite')
  create(@Input() { body }: InputOf<Routes['createSite']>, @ByCall() call: Call): Promise<Answer> {
    const ids = { siteId: call.id('site'), operationId: call.id('operation') };
    return this.idempotency.once(call, async () => {
      const projectId = await this.choice.idFor(call, body.projectId);
      const site = { ownerId: call.caller.owner, name: body.name, kind: body.kind, runtime: body.runtime ?? '', app: await this.appOf(body, projectId, call), wordpress: undefined, limits: undefined, restoreFrom: '' };
      await this.lifecycle.ask('CreateSite', { ...ids, projectId, ...site }, call.cause);
      return this.accepted(call, ids.siteId, ids.operationId);
    });
  }

  @Serves('listSites')
  async list(@Input() { query }: InputOf<Routes['listSites']>, @ByCall() { caller }: Call): Promise<object> {
    const projectId = query.projectId && (await this.projects.lookUp(caller.owner, query.projectId))?.id;
    return this.sites.page({ ...query, projectId: projectId ?? query.projectId, owner: ownerFor(caller, query.all) });
  }

  @Serves('showSite')
  show(@Input() { params }: InputOf<Routes['showSite']>, @ByCall() { caller }: Call): Promise<object> {
    return this.sites.find(caller.owner, params.id);
  }

  @Serves('deleteSite')
  remove(@Input() { params }: InputOf<Routes['deleteSite']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.id, (siteId, operationId) => this.lifecycle.ask('DestroySite', { siteId, operationId, keepData: false }, call.cause));
  }

  @Serves('retrySite')
  retry(@Input() { params }: InputOf<Routes['retrySite']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.id, (siteId, operationId) => this.lifecycle.ask('RetrySite', { siteId, operationId }, call.cause));
  }

  @Serves('startSite')
  start(@Input() { params }: InputOf<Routes['startSite']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch(call, params.id, 'start');
  }

  @Serves('stopSite')
  stop(@Input() { params }: InputOf<Routes['stopSite']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch(call, params.id, 'stop');
  }

  @Serves('restartSite')
  restart(@Input() { params }: InputOf<Routes['restartSite']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch(call, params.id, 'restart');
  }

  private switch(call: Call, idOrName: string, action: string): Promise<Answer> {
    return this.change(call, idOrName, (siteId, operationId) => this.lifecycle.ask('SwitchSite', { siteId, operationId, action }, call.cause));
  }

  private change(call: Call, idOrName: string, ask: (siteId: string, operationId: string) => Promise<{ operationId: string }>): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id } = await this.sites.find(call.caller.owner, idOrName);
      const { operationId } = await ask(id, call.id('operation'));
      return this.accepted(call, id, operationId);
    });
  }

  /** From here on the values of its environment are readable by the vault alone. */
  private async appOf(body: InputOf<Routes['createSite']>['body'], projectId: string, call: Call): Promise<AppSpec | undefined> {
    if (body.kind !== 'app') return undefined;
    const sealedEnv = await this.vault.seal(projectId, body.env ?? {}, call.cause);
    return { image: body.image ?? '', port: body.port ?? 0, env: {}, healthPath: body.healthPath ?? '/', sealedEnv };
  }

  private async accepted(call: Call, id: string, operationId: string): Promise<Answer> {
    return accepted({ ...(await this.sites.find(call.caller.owner, id)), operationId }, operationId);
  }
}
