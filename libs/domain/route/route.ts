import type { EnsureRoute, RemoveRoute } from '#contracts/gen/hostplane/v1/route.js';
import type { Decider } from '../decider.js';

export type RouteCommand = { type: 'EnsureRoute'; data: EnsureRoute } | { type: 'RemoveRoute'; data: RemoveRoute };
export type RouteState = { readonly status: 'absent' } | { readonly status: 'defined' };

/**
 * Which hostnames of a site lead where. Each command has the host's edge follow: EnsureEdge comes after the route in the same
 * append, so its own position tells which version has to be served. Also when nothing changed, since whoever asked waits for the answer.
 */
export const routeDecider: Decider<RouteState, RouteCommand, 'RouteDefined' | 'RouteRemoved' | 'EnsureEdge'> = {
  category: 'route',
  initial: { status: 'absent' },
  decide(command, state) {
    const { operationId, siteId, hostId, turn } = command.data;
    const ensureEdge = { type: 'EnsureEdge', data: { operationId, siteId, hostId, turn } } as const;
    if (command.type === 'EnsureRoute') {
      const { hostnames, target, state: routeState } = command.data;
      return [{ type: 'RouteDefined', data: { operationId, siteId, hostId, hostnames, target, state: routeState } }, ensureEdge];
    }
    return state.status === 'absent' ? [ensureEdge] : [{ type: 'RouteRemoved', data: { operationId, siteId, hostId } }, ensureEdge];
  },
  evolve(state, { type }) {
    if (type === 'EnsureEdge') return state;
    return { status: type === 'RouteDefined' ? 'defined' : 'absent' };
  },
};
