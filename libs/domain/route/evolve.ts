import type { MessageOf } from '#contracts/registry.js';
import type { CustomDomain } from './custom-domains.js';
import type { RouteEventType, RouteState } from './route.js';
import { evolveRules } from './rules.js';

/** Folds one event into the route. */
export function evolveRoute(route: RouteState, event: MessageOf<RouteEventType>): RouteState {
  switch (event.type) {
    case 'RouteDefined': {
      const { siteId, hostId, hostnames, target, state, domains } = event.data;
      const ownHostnames = hostnames.filter((name) => !domains.includes(name));
      const rules = evolveRules(route.rules, event, route);
      return { ...route, rules, status: 'defined', siteId, hostId, ownHostnames, target, state, domains: each(route, (one) => routed(one, domains.includes(one.name))) };
    }
    case 'RouteRemoved':
      return { ...route, status: 'absent', domains: each(route, (one) => routed(one, false)) };
    case 'DomainAttached': {
      const { name, claimId, redirectTo, redirectStatus } = event.data;
      return { ...route, domains: new Map(route.domains).set(name, { name, claimId, redirectTo, redirectStatus, isRouted: false, isServed: false }) };
    }
    case 'DomainServed':
      return { ...route, domains: each(route, (one) => (one.name === event.data.name ? { ...one, isServed: true } : one)) };
    case 'DomainDetached':
      return {
        ...route,
        domains: new Map([...route.domains].filter(([name]) => name !== event.data.name)),
        primary: route.primary === event.data.name ? '' : route.primary,
      };
    case 'PrimaryDomainChosen':
      return { ...route, primary: event.data.name };
    case 'EdgeRulesChanged':
    case 'EdgeRulesServed':
    case 'EdgeRulesRefused':
      return { ...route, siteId: event.data.siteId, rules: evolveRules(route.rules, event, route) };
    case 'EnsureEdge':
      return route;
  }
}

const routed = (domain: CustomDomain, isRouted: boolean): CustomDomain => ({ ...domain, isRouted, isServed: domain.isServed && isRouted });

function each(route: RouteState, change: (domain: CustomDomain) => CustomDomain): Map<string, CustomDomain> {
  return new Map([...route.domains].map(([name, domain]) => [name, change(domain)]));
}
