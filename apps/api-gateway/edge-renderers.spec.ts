import { describe, expect, it } from '@jest/globals';
import type { TraefikDocument } from '#providers/traefik/document.js';
import { edgeRenderers } from './edge-renderers.module.js';

describe('the document for Traefik', () => {
  const documentOf = (rendering: object, edgeUrl?: string) => {
    const now = { table: { revision: 1, routes: [] }, rendering: { planeId: 'plane-1', bind: '127.0.0.1', httpPort: 8080, ...rendering } };
    return JSON.parse(edgeRenderers.traefik(now, { http: 'web', https: 'websecure', containers: 'through-edge', edgeUrl }).text) as TraefikDocument;
  };
  const edgeOf = (...of: Parameters<typeof documentOf>) => documentOf(...of).http.services['hostplane-edge']!.loadBalancer.servers;

  it('leads to the edge where this listens, or where it is said to be', () => {
    expect([edgeOf({}), edgeOf({ bind: '0.0.0.0' }), edgeOf({ bind: '::' }), edgeOf({}, 'http://edge.internal/')]).toEqual(['http://127.0.0.1:8080', 'http://127.0.0.1:8080', 'http://[::1]:8080', 'http://edge.internal'].map((url) => [{ url }]));
  });

  it('is refused when the edge understands the PROXY protocol alone', () => {
    expect(() => documentOf({ proxyProtocol: true })).toThrow('HOSTPLANE_EDGE_PROXY_PROTOCOL');
    expect(edgeOf({ proxyProtocol: true }, 'http://balancer.internal')).toEqual([{ url: 'http://balancer.internal' }]);
  });
});
