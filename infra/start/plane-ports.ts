import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assertFree, holderOf, type WantedPort } from './ports.js';
import type { Settings } from './settings.js';

/** Looks at every port before anything starts; throws with all that are taken. An edge of an earlier run may still serve: its provisioner takes it over. */
export async function assertPlanePorts(settings: Settings): Promise<void> {
  const hasServed = existsSync(join(settings.HOSTPLANE_DATA, 'edge'));
  const isOwnEdge = ({ port, purpose }: WantedPort) => purpose.startsWith('the edge') && hasServed && /nginx|docker-proxy|^$/.test(holderOf(port) ?? '');
  await assertFree(settings.HOSTPLANE_BIND, wanted(settings).filter((port) => !isOwnEdge(port)));
  // The embedded servers always listen on loopback.
  await assertFree('127.0.0.1', embedded(settings));
}

function wanted(settings: Settings): WantedPort[] {
  return [
    { port: settings.HOSTPLANE_API_PORT, purpose: 'the API', variable: 'HOSTPLANE_API_PORT' },
    { port: settings.HOSTPLANE_EDGE_HTTP_PORT, purpose: 'the edge, HTTP', variable: 'HOSTPLANE_EDGE_HTTP_PORT' },
    { port: settings.HOSTPLANE_EDGE_HTTPS_PORT, purpose: 'the edge, HTTPS', variable: 'HOSTPLANE_EDGE_HTTPS_PORT' },
  ];
}

function embedded(settings: Settings): WantedPort[] {
  const { HOSTPLANE_POSTGRES_PORT: postgres, HOSTPLANE_NATS_PORT: nats } = settings;
  return [
    ...(postgres && !settings.DATABASE_URL ? [{ port: postgres, purpose: 'PostgreSQL', variable: 'HOSTPLANE_POSTGRES_PORT' }] : []),
    ...(nats && !settings.NATS_URL ? [{ port: nats, purpose: 'NATS', variable: 'HOSTPLANE_NATS_PORT' }] : []),
  ];
}
