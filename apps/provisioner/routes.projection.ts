import type { EventStore } from '#eventstore/event-store.js';
import { follow } from '#eventstore/follow.js';
import type { EdgeCertificates } from '#providers/edge.js';
import { HostRoutes } from '#providers/host-routes.js';
import { HostCertificates } from './host-certificates.js';
import type { RouteSource } from './host-edge.js';

/** Follows the log for the routes of a host, and for the certificates that it serves. */
export function followRoutes(store: EventStore, hostId: string, kept: EdgeCertificates): RouteSource {
  const [routes, certificates] = [new HostRoutes(hostId), new HostCertificates(hostId, kept)];
  const follower = follow(store, {
    categories: [...HostRoutes.categories, ...HostCertificates.categories],
    apply: (messages, position) => {
      certificates.apply(messages);
      routes.apply(messages, position);
    },
  });
  return { routes, certificates, waitFor: (position, timeoutMs) => follower.waitFor(position, timeoutMs) };
}
