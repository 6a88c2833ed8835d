import { Controller } from '@nestjs/common';
import type { StoredMessage } from '#contracts/message.js';
import { awaitsAnswer } from '#domain/domain-name/awaited.js';
import { domainDecider, type DomainName, type DomainState, type EdgeAsk } from '#domain/domain-name/domain-name.js';
import { routeDecider } from '#domain/route/route.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on, type Part } from '#eventstore/handle.js';
import { OnEvent } from '#messaging/handlers.js';

/** Takes a site's domains and rules on with what its host's edge has done: what waited to be served is active, what waited to be let go of is free. */
@Controller()
export class DomainReactor {
  constructor(private readonly store: EventStore) {}

  @OnEvent('EdgeApplied')
  async applied(event: StoredMessage<'EdgeApplied'>): Promise<void> {
    await this.answer(event, { error: '', tunnel: event.data.tunnel });
  }

  @OnEvent('EdgeFailed')
  async failed(event: StoredMessage<'EdgeFailed'>): Promise<void> {
    await this.answer(event, { error: event.data.error, step: event.data.step });
  }

  private async answer(event: StoredMessage<'EdgeApplied' | 'EdgeFailed'>, said: { error: string; step?: string; tunnel?: string }): Promise<void> {
    const { siteId, operationId, turn } = event.data;
    const ask = { operationId, turn };
    const names = await this.waitingFor(ask, siteId);
    if (names.length === 0) return this.settleRules(event, said.error);
    await handle(this.store, event, names.map((name) => on(domainDecider, name, { type: 'AnswerEdge', ask, ...said })), {
      actor: 'system:domains',
      then: (states) => [settlement(siteId, names, states as readonly DomainState[])],
    });
  }

  private async settleRules(event: StoredMessage<'EdgeApplied' | 'EdgeFailed'>, error: string): Promise<void> {
    const { siteId, operationId } = event.data;
    await handle(this.store, event, [on(routeDecider, siteId, { type: 'SettleRules', operationId, error })], { actor: 'system:domains' });
  }

  private async waitingFor(ask: EdgeAsk, siteId: string): Promise<readonly string[]> {
    const { state: route } = await loadState(this.store, routeDecider, siteId);
    const found = await Promise.all([...route.domains.keys()].map(async (name) => ({ name, domain: (await loadState(this.store, domainDecider, name)).state })));
    return found.flatMap(({ name, domain }) => (domain.status !== 'free' && awaitsAnswer(domain, ask) ? [name] : []));
  }
}

/** What the outcome means to the site's route. A domain that the edge refused asks alone: the route lets go of it again. */
function settlement(siteId: string, names: readonly string[], states: readonly DomainState[]): Part {
  const refused = states.find((domain): domain is DomainName => domain.status === 'failed');
  if (refused) return on(routeDecider, siteId, { type: 'UnrouteDomain', name: refused.claim.name, ask: { operationId: refused.claim.claimId, turn: refused.turn } });
  const now = (status: DomainState['status']) => names.filter((_, i) => states[i]?.status === status);
  return on(routeDecider, siteId, { type: 'SettleDomains', served: now('active'), gone: now('free') });
}
