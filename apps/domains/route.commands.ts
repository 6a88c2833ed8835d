import { Controller } from '@nestjs/common';
import type { Accepted } from '#contracts/gen/hostplane/v1/ask.js';
import type { ChangeEdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { Cause, StoredMessage } from '#contracts/message.js';
import { domainDecider } from '#domain/domain-name/domain-name.js';
import { routeDecider, type RouteState } from '#domain/route/route.js';
import { authorized, projectOf } from '#eventstore/authorized.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, on } from '#eventstore/handle.js';
import { OnAsk, OnCommand } from '#messaging/handlers.js';
import { Checks } from './checks.js';

/** Records where hostnames lead, and has the host's edge follow. */
@Controller()
export class RouteCommands {
  constructor(
    private readonly store: EventStore,
    private readonly checks: Checks,
  ) {}

  @OnCommand('EnsureRoute')
  async ensure(command: StoredMessage<'EnsureRoute'>): Promise<void> {
    await handle(this.store, command, [on(routeDecider, command.data.siteId, command)], { actor: 'system:domains' });
  }

  @OnAsk('ChangeEdgeRules')
  async changeRules(change: ChangeEdgeRules, cause: Cause): Promise<Accepted> {
    const allowed = authorized(cause, await projectOf(this.store, change.siteId), 'sites:run');
    const { position } = await handle(this.store, cause, [on(routeDecider, change.siteId, { type: 'ChangeRules', change })], { then: () => [allowed] });
    return { resourceId: change.siteId, operationId: change.changeId, position };
  }

  /** A site's custom domains go with its route, in the same append: what the edge answers to the one frees the others. */
  @OnCommand('RemoveRoute')
  async remove(command: StoredMessage<'RemoveRoute'>): Promise<void> {
    const { siteId, operationId, turn } = command.data;
    const removal = { type: 'RemoveDomain', siteId, reason: 'Its site is removed.', now: command.recordedAt, policy: this.checks.policy, ask: { operationId, turn } } as const;
    await handle(this.store, command, [on(routeDecider, siteId, command)], {
      actor: 'system:domains',
      then: ([route]) => [...(route as RouteState).domains.keys()].map((name) => on(domainDecider, name, removal)),
    });
  }
}
