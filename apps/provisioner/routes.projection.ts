import type { EventStore } from '#eventstore/event-store.js';
import { follow } from '#eventstore/follow.js';
import { HostRoutes } from '#providers/host-routes.js';
import type { RouteSource } from './host-edge.js';

/** Follows the log for the routes of a host. */
export function followRoutes(store: EventStore, hostId: string): RouteSource {
  const routes = new HostRoutes(hostId);
  const follower = follow(store, { categories: [...HostRoutes.categories], apply: (messages, position) => routes.apply(messages, position) });
  return { routes, waitFor: (position, timeoutMs) => follower.waitFor(position, timeoutMs) };
}
