import { Controller } from '@nestjs/common';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import { accepted, type Answer } from './answer.js';
import { ByCall, ownerFor, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { Lifecycle } from './lifecycle.js';
import { OperationQueries } from './operations.queries.js';
import { Input, Serves } from './serves.js';
import { SiteQueries } from './sites.queries.js';

@Controller()
export class OperationsController {
  constructor(
    private readonly operations: OperationQueries,
    private readonly sites: SiteQueries,
    private readonly lifecycle: Lifecycle,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('listOperations')
  async list(@Input() { query }: InputOf<Routes['listOperations']>, @ByCall() { caller }: Call): Promise<object> {
    const owner = ownerFor(caller, query.all);
    const siteId = query.siteId && owner ? (await this.sites.find(owner, query.siteId)).id : query.siteId;
    return this.operations.page({ ...query, siteId, owner });
  }

  @Serves('showOperation')
  show(@Input() { params }: InputOf<Routes['showOperation']>, @ByCall() { caller }: Call): Promise<object> {
    return this.operations.find(caller.owner, params.id);
  }

  @Serves('cancelOperation')
  cancel(@Input() { params, body }: InputOf<Routes['cancelOperation']>, @ByCall() call: Call): Promise<Answer> {
    return this.idempotency.once(call, async () => {
      const { id } = await this.operations.find(call.caller.owner, params.id);
      await this.lifecycle.ask('CancelOperation', { operationId: id, reason: body?.reason ?? 'It was cancelled on request.' }, call.cause);
      return accepted(await this.operations.find(call.caller.owner, id), id);
    });
  }
}
