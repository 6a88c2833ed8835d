import { Controller } from '@nestjs/common';
import { ProblemError } from '#api/problem.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { AppSpec, Limits, WordPressSpec } from '#contracts/gen/hostplane/v1/site.js';
import type { CommandOutput } from '#contracts/gen/hostplane/v1/workload.js';
import type { Cause } from '#contracts/message.js';
import { accepted, type Answer } from './answer.js';
import { asksForAll } from './access.js';
import { ByCall, type Call } from './call.js';
import { ProjectChoice } from './default-project.js';
import { Hosts } from './hosts.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './deciding-apps.js';
import { ProjectQueries } from './projects.queries.js';
import { ReadModel } from './read-model.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';
import { Vault } from './vault.js';

/** Hosts answer before, also for a command that goes on. */
const COMMAND_WITHIN_MS = 300_000;

@Controller()
export class SitesController {
  constructor(
    private readonly sites: SiteQueries,
    private readonly projects: ProjectQueries,
    private readonly choice: ProjectChoice,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
    private readonly vault: Vault,
    private readonly hosts: Hosts,
    private readonly readModel: ReadModel,
  ) {}

  @Serves('createSite')
  create(@Input() { body }: InputOf<Routes['createSite']>, @ByCall() call: Call): Promise<Answer> {
    const ids = { siteId: call.id('site'), operationId: call.id('operation') };
    return this.idempotency.once(call, async () => {
      const old = body.restoreFrom === undefined ? undefined : await this.sites.find(call, body.restoreFrom);
      const { id: projectId, owner } = await this.choice.for(call, body.projectId ?? old?.projectId);
      const site = { ownerId: owner, name: body.name, kind: body.kind, runtime: body.runtime ?? '', app: await this.appOf(body, projectId, call), wordpress: wordpressOf(body), limits: limitsOf(body), restoreFrom: old?.id ?? '' };
      await this.lifecycle.ask('CreateSite', { ...ids, projectId, ...site }, call.causeFor(owner));
      return this.accepted(call, ids.siteId, ids.operationId);
    });
  }

  @Serves('listSites')
  async list(@Input() { query }: InputOf<Routes['listSites']>, @ByCall() call: Call): Promise<object> {
    const projectId = query.projectId && (await this.projects.find(call, query.projectId)).id;
    return this.sites.page(asksForAll(call, query.all) ? undefined : call, { ...query, projectId });
  }

  @Serves('showSite')
  show(@Input() { params }: InputOf<Routes['showSite']>, @ByCall() call: Call): Promise<object> {
    return this.sites.find(call, params.id);
  }

  @Serves('deleteSite')
  remove(@Input() { params, query }: InputOf<Routes['deleteSite']>, @ByCall() call: Call): Promise<Answer> {
    const backup = { backupId: call.id('backup'), destroyOperationId: call.id('destroy') };
    if (query.backup) return this.change(call, params.id, (siteId, operationId, cause) => this.lifecycle.ask('BackUpSite', { siteId, operationId, ...backup }, cause));
    return this.change(call, params.id, (siteId, operationId, cause) => this.lifecycle.ask('DestroySite', { siteId, operationId, keepData: query.keepData ?? false }, cause));
  }

  @Serves('discardSiteData')
  discardData(@Input() { params, query }: InputOf<Routes['discardSiteData']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.id, (siteId, operationId, cause) => this.lifecycle.ask('DiscardSiteData', { siteId, operationId, name: query.name ?? '' }, cause));
  }

  @Serves('retrySite')
  retry(@Input() { params }: InputOf<Routes['retrySite']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.id, (siteId, operationId, cause) => this.lifecycle.ask('RetrySite', { siteId, operationId }, cause));
  }

  @Serves('updateSite')
  update(@Input() { params, body }: InputOf<Routes['updateSite']>, @ByCall() call: Call): Promise<Answer> {
    return this.change(call, params.id, (siteId, operationId, cause) => this.lifecycle.ask('UpdateSite', { siteId, operationId, phpVersion: body.phpVersion ?? '' }, cause));
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

  @Serves('repairSite')
  repair(@Input() { params }: InputOf<Routes['repairSite']>, @ByCall() call: Call): Promise<Answer> {
    return this.switch(call, params.id, 'repair');
  }

  @Serves('runWordPress')
  async runWordPress(@Input() { params, body }: InputOf<Routes['runWordPress']>, @ByCall() call: Call): Promise<object> {
    const site = await this.sites.find(call, params.id);
    if (site.kind !== 'wordpress') throw new ProblemError('unsupported', `A site of the kind ${site.kind} has no wp-cli; only WordPress can have it.`);
    const command = { siteId: site.id, runtime: site.runtime, arguments: body.arguments, input: body.input ?? '' };
    const { position, ...output } = await this.hosts.ask<'RunWordPress', CommandOutput>(site.hostId, 'RunWordPress', command, call.cause, COMMAND_WITHIN_MS);
    await this.readModel.shown(position);
    return output;
  }

  private switch(call: Call, idOrName: string, action: string): Promise<Answer> {
    return this.change(call, idOrName, (siteId, operationId, cause) => this.lifecycle.ask('SwitchSite', { siteId, operationId, action }, cause));
  }

  private change(call: Call, idOrName: string, ask: (siteId: string, operationId: string, cause: Cause) => Promise<{ operationId: string }>): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id, owner } = await this.sites.find(call, idOrName);
      const { operationId } = await ask(id, call.id('operation'), call.causeFor(owner));
      return this.accepted(call, id, operationId);
    });
  }

  /** From here on the values of its environment are readable by the vault alone. */
  private async appOf(body: InputOf<Routes['createSite']>['body'], projectId: string, call: Call): Promise<AppSpec | undefined> {
    if (body.kind !== 'app') return undefined;
    const env = Object.entries(body.env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const values = env.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as const] : []));
    const secretEnv = env.flatMap(([name, value]) => (typeof value === 'string' ? [] : [{ name, secret: value.secret, version: 0 }]));
    const sealedEnv = await this.vault.seal(projectId, Object.fromEntries(values), call.cause);
    return { image: body.image ?? '', port: body.port ?? 0, env: {}, healthPath: body.healthPath ?? '/', sealedEnv, secretEnv };
  }

  private async accepted(call: Call, id: string, operationId: string): Promise<Answer> {
    return accepted({ ...(await this.sites.find(call, id)), operationId }, operationId);
  }
}

function wordpressOf({ kind, name, phpVersion = '', title = name, adminUser = 'admin', adminEmail = '', locale = '', database }: InputOf<Routes['createSite']>['body']): WordPressSpec | undefined {
  return kind === 'wordpress' ? { phpVersion, title, adminUser, adminEmail, locale, database: database ?? '' } : undefined;
}

function limitsOf({ limits }: InputOf<Routes['createSite']>['body']): Limits | undefined {
  return limits && { memoryBytes: limits.memoryBytes ?? 0, cpuMillis: limits.cpuMillis ?? 0, pids: limits.pids ?? 0 };
}
