import { Controller } from '@nestjs/common';
import type { StoredMessage } from '#contracts/message.js';
import { edgeDecider } from '#domain/answers.js';
import { EventStore } from '#eventstore/event-store.js';
import { OnCommand, type HandlerContext } from '#messaging/handlers.js';
import { TunnelTrouble } from '#providers/tunnel.js';
import { answer } from './answer.js';
import { HostEdge } from './host-edge.js';
import { confirmPage, EdgeDoor } from './visit.js';

/** Makes this host's edge serve what the log says. */
@Controller()
export class EdgeCommands {
  constructor(
    private readonly store: EventStore,
    private readonly edge: HostEdge,
    private readonly door: EdgeDoor,
  ) {}

  @OnCommand('EnsureEdge')
  async ensure(command: StoredMessage<'EnsureEdge'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, hostId, turn } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    let step = '';
    await answer(this.store, command, context, {
      decider: edgeDecider,
      key: siteId,
      act: async () => {
        const { revision, configHash, tunnel = '' } = await this.edge.serve(command.position).catch((error: unknown) => {
          step = error instanceof TunnelTrouble ? 'tunnel' : '';
          throw error;
        });
        return { type: 'EdgeApplied', data: { ...ids, servedRevision: revision, configHash, tunnel } };
      },
      failed: (error) => ({ type: 'EdgeFailed', data: { ...ids, error, step } }),
    });
  }

  @OnCommand('ConfirmPage')
  async confirm(command: StoredMessage<'ConfirmPage'>, context: HandlerContext): Promise<void> {
    const { operationId, siteId, hostId, turn, hostname, expected } = command.data;
    const ids = { operationId, siteId, hostId, turn, revision: command.position };
    await answer(this.store, command, context, {
      decider: edgeDecider,
      key: siteId,
      act: async () => {
        await confirmPage(this.door, hostname, expected, context.signal);
        return { type: 'PageConfirmed', data: ids };
      },
      failed: (error) => ({ type: 'EdgeFailed', data: { ...ids, error, step: '' } }),
    });
  }
}
