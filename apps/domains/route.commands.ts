import { Controller } from '@nestjs/common';
import type { StoredMessage } from '#contracts/message.js';
import { routeDecider } from '#domain/route/route.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { OnCommand } from '#messaging/handlers.js';

/** Records where hostnames lead, and has the host's edge follow. */
@Controller()
export class RouteCommands {
  constructor(private readonly store: EventStore) {}

  @OnCommand('EnsureRoute')
  async ensure(command: StoredMessage<'EnsureRoute'>): Promise<void> {
    await handle(this.store, command, [on(routeDecider, command.data.siteId, command)], { actor: 'system:domains' });
  }

  @OnCommand('RemoveRoute')
  async remove(command: StoredMessage<'RemoveRoute'>): Promise<void> {
    await handle(this.store, command, [on(routeDecider, command.data.siteId, command)], { actor: 'system:domains' });
  }
}
