import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { CancelOperation } from '#contracts/gen/hostplane/v1/operation.js';
import type { Cause } from '#contracts/message.js';
import { OnAsk } from '#messaging/handlers.js';
import { OperationReactor } from './operation.reactor.js';

/** Accepts or refuses what people ask of operations. */
@Controller()
export class OperationCommands {
  constructor(private readonly operations: OperationReactor) {}

  @OnAsk('CancelOperation')
  async cancel(ask: CancelOperation, cause: Cause): Promise<Accepted> {
    const reason = `Cancelled: ${ask.reason || `asked for by ${cause.meta.actor}`}`;
    const { position } = await this.operations.move(ask.operationId, { type: 'CancelOperation', reason }, cause);
    return { resourceId: ask.operationId, operationId: ask.operationId, position };
  }
}
