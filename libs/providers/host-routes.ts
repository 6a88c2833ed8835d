import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { StoredMessage } from '#contracts/message.js';
import type { EdgeRoute, RouteTable } from './edge.js';

/** The routes of one host, folded from the log: what its edge has to serve. */
export class HostRoutes {
  static readonly categories = ['route'] as const;

  private readonly routes = new Map<string, EdgeRoute>();
  /** Of every site, also before it has a route. */
  private readonly rules = new Map<string, EdgeRules>();
  private position = 0;
  private lastChange = 0;

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

  /** The same as of the last position that changed anything of this host: it stays as it is while others' events come. */
  settledTable(): RouteTable {
    return { ...this.table(), revision: this.lastChange };
  }

  private withRules(route: EdgeRoute): EdgeRoute {
    const rules = this.rules.get(route.siteId);
    return rules ? { ...route, rules } : route;
  }

  private take(message: StoredMessage): void {
    if (this.changes(message)) this.lastChange = message.position;
  }

  /** Folds a message in; whether the table is another one by it. */
  private changes(message: StoredMessage): boolean {
    switch (message.type) {
      case 'EdgeRulesChanged':
      case 'EdgeRulesRefused':
        if (message.data.rules) this.rules.set(message.data.siteId, message.data.rules);
        return this.routes.has(message.data.siteId);
      case 'RouteRemoved':
        return this.routes.delete(message.data.siteId);
      case 'RouteDefined': {
        const { siteId, hostId, hostnames, target, state, redirects } = message.data;
        if (hostId !== this.hostId || !target) return this.routes.delete(siteId);
        this.routes.set(siteId, { siteId, hostnames, target, state: state === 'stopped' ? 'stopped' : 'up', redirects });
        return true;
      }
      default:
        return false;
    }
  }
}
