import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { StoredMessage } from '#contracts/message.js';
import type { EventStore } from '#eventstore/event-store.js';
import { follow } from '#eventstore/follow.js';
import type { EdgeRoute, RouteTable } from '#providers/edge.js';
import type { RouteSource } from './host-edge.js';

/** The routes of one host, folded from the log: what its edge has to serve. */
export class HostRoutes {
  static readonly categories = ['route'] as const;

  private readonly routes = new Map<string, EdgeRoute>();
  /** Of every site, also before it has a route. */
  private readonly rules = new Map<string, EdgeRules>();
  private position = 0;

  constructor(private readonly hostId: string) {}

  /** Takes the next messages of the log, in order; `position` is how far the log has been read. */
  apply(messages: readonly StoredMessage[], position: number): void {
    for (const message of messages) this.take(message);
    this.position = position;
  }

  /** The whole table as of the position that was read last. */
  table(): RouteTable {
    return { revision: this.position, routes: [...this.routes.values()].map((route) => this.withRules(route)) };
  }

  private withRules(route: EdgeRoute): EdgeRoute {
    const rules = this.rules.get(route.siteId);
    return rules ? { ...route, rules } : route;
  }

  private take(message: StoredMessage): void {
    if ((message.type === 'EdgeRulesChanged' || message.type === 'EdgeRulesRefused') && message.data.rules) this.rules.set(message.data.siteId, message.data.rules);
    if (message.type === 'RouteRemoved') this.routes.delete(message.data.siteId);
    if (message.type !== 'RouteDefined') return;
    const { siteId, hostId, hostnames, target, state, redirects } = message.data;
    if (hostId !== this.hostId || !target) this.routes.delete(siteId);
    else this.routes.set(siteId, { siteId, hostnames, target, state: state === 'stopped' ? 'stopped' : 'up', redirects });
  }
}

/** Follows the log for the routes of a host. */
export function followRoutes(store: EventStore, hostId: string): RouteSource {
  const routes = new HostRoutes(hostId);
  const follower = follow(store, { categories: [...HostRoutes.categories], apply: (messages, position) => routes.apply(messages, position) });
  return { routes, waitFor: (position, timeoutMs) => follower.waitFor(position, timeoutMs) };
}
