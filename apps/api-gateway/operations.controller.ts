import { Controller } from '@nestjs/common';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { accepted, type Answer } from './answer.js';
import { asksForAll } from './access.js';
import { ByCall, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './lifecycle.js';
import { OperationQueries } from './operations.queries.js';
import { ProjectQueries } from './projects.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';

@Controller()
export class OperationsController {
  constructor(
    private readonly operations: OperationQueries,
    private readonly sites: SiteQueries,
    private readonly projects: ProjectQueries,
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
  show(@Input() { params }: InputOf<Routes['showOperation']>, @ByCall() call: Call): Promise<object> {
    return this.operations.find(call, params.id);
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
