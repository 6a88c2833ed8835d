import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { CancelOperation } from '#contracts/gen/hostplane/v1/operation.js';
import type { Cause } from '#contracts/message.js';
import { operationDecider } from '#domain/operation/operation.js';
import { projectDecider } from '#domain/project/project.js';
import { Refusal } from '#domain/refusal.js';
import { authorized } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { loadState } from '#eventstore/handle.js';
import { OnAsk } from '#messaging/handlers.js';
import { OperationReactor } from './operation.reactor.js';

/** Accepts or refuses what people ask of operations. */
@Controller()
export class OperationCommands {
  constructor(
    private readonly store: EventStore,
    private readonly operations: OperationReactor,
  ) {}

  @OnAsk('CancelOperation')
  async cancel(ask: CancelOperation, cause: Cause): Promise<Accepted> {
    const reason = `Cancelled: ${ask.reason || `asked for by ${cause.meta.actor}`}`;
    const { state: operation } = await loadState(this.store, operationDecider, ask.operationId);
    const { state: project } = operation.status === 'absent' ? { state: operation } : await loadState(this.store, projectDecider, operation.projectId);
    if (operation.status === 'absent' || project.status === 'absent') throw new Refusal('not-found', 'There is no such operation.');
    const within = { projectId: operation.projectId, founderId: project.request.ownerId };
    const allowed = authorized(cause, within, operation.siteId === '' ? 'projects:run' : 'sites:run');
    const { position } = await this.operations.move(ask.operationId, { type: 'CancelOperation', reason }, cause, [allowed]);
    return { resourceId: ask.operationId, operationId: ask.operationId, position };
  }
}
