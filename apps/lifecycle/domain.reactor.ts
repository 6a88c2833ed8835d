import { Controller } from '@nestjs/common';
import type { StoredMessage } from '#contracts/message.js';
import { siteDecider } from '#domain/site/site.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { OnEvent } from '#messaging/handlers.js';

type DomainEventType =
  | 'DomainRequested' | 'DomainChecked' | 'DomainCheckRequested' | 'DomainRoutingStarted' | 'DomainActivated' | 'DomainFailed' | 'DomainRemovalRequested' | 'DomainRemoved';

/** Tells a site how its custom domains are; what that means to its own status the site decides. */
@Controller()
export class DomainReactor {
  constructor(private readonly store: EventStore) {}

  @OnEvent('DomainRequested', 'DomainChecked', 'DomainCheckRequested', 'DomainRoutingStarted', 'DomainActivated', 'DomainFailed', 'DomainRemovalRequested', 'DomainRemoved')
  async note(event: StoredMessage<DomainEventType>): Promise<void> {
    const { siteId, name, status } = event.data;
    await handle(this.store, event, [on(siteDecider, siteId, { type: 'NoteDomain', name, status, version: event.version })], { actor: 'system:lifecycle' });
  }
}
