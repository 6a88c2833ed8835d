import type { ChangeEdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import type { EnsureRoute, RemoveRoute } from '#contracts/gen/hostplane/v1/route.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import { Refusal } from '../refusal.js';
import { hostnamesOf, nextPrimary, redirectsOf, type CustomDomain } from './custom-domains.js';
import { evolveRoute } from './evolve.js';
import { changeRules, initialRules, settleRules, type RulesState } from './rules.js';

/** Names one ask of the edge; its answer bears the same. */
interface EdgeAsk {
  readonly operationId: string;
  readonly turn: number;
}

export type RouteCommand =
  | { type: 'EnsureRoute'; data: EnsureRoute }
  | { type: 'RemoveRoute'; data: RemoveRoute }
  | { type: 'AttachDomain'; name: string; claimId: string; redirectTo: string; redirectStatus: number }
  | { type: 'RouteDomain'; name: string; ask: EdgeAsk }
  | { type: 'UnrouteDomain'; name: string; ask: EdgeAsk }
  | { type: 'AskEdge'; ask: EdgeAsk }
  /** The edge has confirmed that it serves some domains, and no longer serves others. */
  | { type: 'SettleDomains'; served: readonly string[]; gone: readonly string[] }
  | { type: 'ChoosePrimary'; name: string }
  | { type: 'ChangeRules'; change: ChangeEdgeRules }
  /** The edge has answered an ask; an empty error: it serves. */
  | { type: 'SettleRules'; operationId: string; error: string };

export interface RouteState {
  /** absent: the site is not routed, or no longer. */
  readonly status: 'absent' | 'defined';
  readonly siteId: string;
  readonly hostId: string;
  /** The site's own hostnames, below the base domain. */
  readonly ownHostnames: readonly string[];
  readonly target: Target | undefined;
  readonly state: string;
  /** By name, in the order in which they were attached. */
  readonly domains: ReadonlyMap<string, CustomDomain>;
  /** Empty: the site is known by its own hostname. */
  readonly primary: string;
  readonly rules: RulesState;
}

export type RouteEventType =
  | 'RouteDefined' | 'RouteRemoved' | 'DomainAttached' | 'DomainServed' | 'DomainDetached' | 'PrimaryDomainChosen' | 'EdgeRulesChanged' | 'EdgeRulesServed' | 'EdgeRulesRefused' | 'EnsureEdge';
type RouteEvent = MessageOf<RouteEventType>;

/**
 * Which hostnames of a site lead where, which custom domains belong to it, and how its visitors are treated. Each change of the route has the host's edge follow: EnsureEdge comes
 * after the route in the same append, so its own position tells which version has to be served. Also when nothing changed, since whoever asked waits for
 * the answer.
 */
export const routeDecider: Decider<RouteState, RouteCommand, RouteEventType> = {
  category: 'route',
  initial: { status: 'absent', siteId: '', hostId: '', ownHostnames: [], target: undefined, state: '', domains: new Map(), primary: '', rules: initialRules },
  decide(command, route) {
    switch (command.type) {
      case 'EnsureRoute': {
        const { siteId, hostId, hostnames, target, state } = command.data;
        return define({ ...route, siteId, hostId, ownHostnames: hostnames, target, state }, command.data);
      }
      case 'RemoveRoute': {
        const { operationId, siteId, hostId, turn } = command.data;
        const ensureEdge: RouteEvent = { type: 'EnsureEdge', data: { operationId, siteId, hostId, turn } };
        return route.status === 'absent' ? [ensureEdge] : [{ type: 'RouteRemoved', data: { operationId, siteId, hostId } }, ensureEdge];
      }
      case 'AttachDomain':
        return attach(command, route);
      case 'RouteDomain':
        return reroute(route, command.name, true, command.ask);
      case 'UnrouteDomain':
        return [...reroute(route, command.name, false, command.ask), ...withoutPrimary(route, command.name)];
      case 'AskEdge':
        return [ensure(route, command.ask)];
      case 'SettleDomains':
        return settle(route, command);
      case 'ChoosePrimary':
        return choosePrimary(route, command.name);
      case 'ChangeRules':
        return changeRules(route, command.change);
      case 'SettleRules':
        return settleRules(route, command.operationId, command.error);
    }
  },
  evolve: evolveRoute,
};

function define(route: RouteState, ask: EdgeAsk): readonly RouteEvent[] {
  const { siteId, hostId, ownHostnames, target, state, domains } = route;
  const routed = [...domains.values()].filter(({ isRouted }) => isRouted);
  const redirects = redirectsOf(ownHostnames, routed);
  const data = { operationId: ask.operationId, siteId, hostId, hostnames: hostnamesOf(ownHostnames, routed), target, state, redirects, domains: routed.map(({ name }) => name) };
  return [{ type: 'RouteDefined', data }, ensure(route, ask)];
}

function ensure({ siteId, hostId }: RouteState, { operationId, turn }: EdgeAsk): RouteEvent {
  return { type: 'EnsureEdge', data: { operationId, siteId, hostId, turn } };
}

function attach({ name, claimId, redirectTo, redirectStatus }: Extract<RouteCommand, { type: 'AttachDomain' }>, route: RouteState): readonly RouteEvent[] {
  if (route.domains.get(name)?.claimId === claimId) return [];
  if (route.status === 'absent') throw new Refusal('conflict', 'The site is not live: a domain can be added once it is.');
  const wrong = redirectTo === '' ? '' : wrongTarget(name, redirectTo, route);
  if (wrong !== '') throw new Refusal('invalid', wrong, 'redirectTo');
  return [{ type: 'DomainAttached', data: { siteId: route.siteId, name, claimId, redirectTo, redirectStatus } }];
}

/** Why visitors cannot be sent on there; empty: they can. */
function wrongTarget(name: string, redirectTo: string, { ownHostnames, domains }: RouteState): string {
  const further = domains.get(redirectTo)?.redirectTo;
  if (redirectTo === name) return `"${name}" cannot redirect to itself.`;
  if (ownHostnames.includes(redirectTo) || further === '') return '';
  return further === undefined ? `"${redirectTo}" is not a hostname of the site. Add it first.` : `"${redirectTo}" itself redirects, to ${further}: name that.`;
}

function reroute(route: RouteState, name: string, isRouted: boolean, ask: EdgeAsk): readonly RouteEvent[] {
  const domain = route.domains.get(name);
  if (route.status === 'absent' || !domain || domain.isRouted === isRouted) return [ensure(route, ask)];
  return define({ ...route, domains: new Map(route.domains).set(name, { ...domain, isRouted }) }, ask);
}

function settle(route: RouteState, { served, gone }: Extract<RouteCommand, { type: 'SettleDomains' }>): readonly RouteEvent[] {
  const { siteId } = route;
  const now = served.filter((name) => route.domains.get(name)?.isServed === false);
  const first = route.primary === '' ? now.find((name) => route.domains.get(name)?.redirectTo === '') : undefined;
  const left = gone.filter((name) => route.domains.has(name));
  return [
    ...now.map((name): RouteEvent => ({ type: 'DomainServed', data: { siteId, name } })),
    ...(first === undefined ? [] : [{ type: 'PrimaryDomainChosen', data: { siteId, name: first } } as const]),
    ...left.flatMap((name) => withoutPrimary(route, name)),
    ...left.map((name): RouteEvent => ({ type: 'DomainDetached', data: { siteId, name } })),
  ];
}

function choosePrimary(route: RouteState, name: string): readonly RouteEvent[] {
  const domain = route.domains.get(name);
  if (!domain) throw new Refusal('not-found', 'The site has no such domain.');
  if (route.primary === name) return [];
  if (domain.redirectTo !== '') throw new Refusal('conflict', `"${name}" redirects to ${domain.redirectTo}: only a domain that the site is served under can be its primary one.`);
  if (!domain.isServed || !domain.isRouted) throw new Refusal('conflict', `"${name}" is not active yet: only an active domain can be the primary one.`);
  return [{ type: 'PrimaryDomainChosen', data: { siteId: route.siteId, name } }];
}

function withoutPrimary(route: RouteState, name: string): readonly RouteEvent[] {
  return route.primary === name ? [{ type: 'PrimaryDomainChosen', data: { siteId: route.siteId, name: nextPrimary(route.domains, name) } }] : [];
}
