import { Controller } from '@nestjs/common';
import { movingData, type Operation } from '#api/operation.js';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { accepted, type Answer } from './answer.js';
import { asksForAll } from './access.js';
import { ByCall, type Call } from './call.js';
import { Hosts } from './hosts.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './deciding-apps.js';
import { OperationQueries } from './operations.queries.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';

/** A host that is away or busy keeps nobody waiting for a number that is only nice to know. */
const PROGRESS_WITHIN_MS = 1_000;

@Controller()
export class OperationsController {
  constructor(
    private readonly operations: OperationQueries,
    private readonly sites: SiteQueries,
    private readonly projects: ProjectQueries,
    private readonly hosts: Hosts,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('listOperations')
  async list(@Input() { query }: InputOf<Routes['listOperations']>, @ByCall() call: Call): Promise<object> {
    const siteId = query.siteId && (await this.sites.find(call, query.siteId)).id;
    const projectId = query.projectId && (await this.projects.find(call, query.projectId)).id;
    return this.operations.page(asksForAll(call, query.all) ? undefined : call, { ...query, siteId, projectId });
  }

  @Serves('showOperation')
  async show(@Input() { params }: InputOf<Routes['showOperation']>, @ByCall() call: Call): Promise<Operation> {
    const operation = await this.operations.find(call, params.id);
    if (operation.status !== 'running' || !movingData.includes(operation.kind) || operation.siteId === undefined) return operation;
    const { hostId } = await this.sites.find(call, operation.siteId);
    const asked = this.hosts.ask<'ShowProgress', Operation['progress'] | null>(hostId, 'ShowProgress', { operationId: operation.id }, call.cause, PROGRESS_WITHIN_MS);
    const progress = await asked.catch(() => undefined);
    return progress ? { ...operation, progress } : operation;
  }

  @Serves('cancelOperation')
  cancel(@Input() { params, body }: InputOf<Routes['cancelOperation']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id } = await this.operations.find(call, params.id);
      await this.lifecycle.ask('CancelOperation', { operationId: id, reason: body?.reason ?? 'It was cancelled on request.' }, call.cause);
      return accepted(await this.operations.find(call, id), id);
    });
  }
}
