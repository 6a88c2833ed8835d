import { describe, expect, it } from '@jest/globals';
import type { EdgeProvider, EdgeRoute, RouteTable } from '../edge.js';
import { ProviderError } from '../provider-error.js';
import { TunnelTrouble, type TunnelProvider } from '../tunnel.js';
import { TunnelledEdge, tunnelledNames } from './tunnelled-edge.js';

const route = (siteId: string, ...hostnames: string[]): EdgeRoute => ({ siteId, hostnames, target: { address: '10.0.0.2', port: 80, root: '' }, state: 'up' });
const table = (revision: number, ...routes: EdgeRoute[]): RouteTable => ({ revision, routes });

/** An edge and a tunnel that write down what they are given, in order. */
function world({ fails = (_: readonly string[]): boolean => false } = {}) {
  const done: string[] = [];
  let [revision, led]: [number, readonly string[]] = [0, []];
  const edge: EdgeProvider = {
    name: 'edge',
    features: { proxyProtocol: false },
    certificates: { put: async () => undefined, remove: async () => undefined, held: async () => new Map() },
    rendering: async () => ({}),
    proofs: { ensure: async () => undefined },
    start: async () => undefined,
    apply: async (given) => {
      done.push(`edge ${given.routes.flatMap(({ hostnames }) => hostnames).join(' ')}`);
      return { revision: (revision = given.revision), configHash: 'h' };
    },
    served: async () => ({ revision, configHash: 'h' }),
    stop: async () => void done.push('edge stops'),
  };
  const tunnel: TunnelProvider = {
    name: 'tunnel', id: 'f7',
    start: async () => undefined,
    apply: async ({ hostnames }) => {
      if (fails(hostnames)) throw new ProviderError('Cloudflare says no.', true);
      done.push(`tunnel ${hostnames.join(' ')}`);
      return { hostnames: (led = hostnames) };
    },
    served: async () => ({ hostnames: led }),
    stop: async () => void done.push('tunnel stops'),
  };
  return { done, lose: () => void (led = []), tunnelled: new TunnelledEdge(edge, tunnel, 'sites.example.net', (line) => done.push(line)) };
}

describe('an edge behind a tunnel', () => {
  it('is led to by custom names one by one, and by those below the base domain with one star', () => {
    const redirecting = { ...route('b', 'b.sites.example.net'), redirects: [{ hostname: 'www.example.com', to: 'example.com', status: 301 }] };
    expect(tunnelledNames(table(1, route('a', 'a.sites.example.net', 'example.com'), redirecting), 'sites.example.net')).toEqual(['example.com', 'www.example.com', '*.sites.example.net']);
    expect(tunnelledNames(table(1, route('a', 'a.localhost', 'example.com')), 'localhost')).toEqual(['example.com']);
  });
  it('serves a name before visitors are led to it, and lets go of it after they no longer are', async () => {
    const { tunnelled, done } = world();
    await tunnelled.start();
    expect(await tunnelled.apply(table(1, route('a', 'a.example.com')))).toEqual({ revision: 1, configHash: 'h', tunnel: 'f7' });
    await tunnelled.apply(table(2, route('b', 'b.example.com')));
    await tunnelled.stop();
    expect(done).toEqual([
      'edge a.example.com', 'tunnel a.example.com *.sites.example.net',
      'tunnel *.sites.example.net', 'edge b.example.com', 'tunnel b.example.com *.sites.example.net', 'tunnel stops', 'edge stops',
    ]);
  });
  it('does not ask a tunnel that knows every name, until it may have been changed', async () => {
    let isAway = false;
    const { tunnelled, done } = world({ fails: () => isAway });
    await tunnelled.start();
    await tunnelled.apply(table(1, route('a', 'a.example.com')));
    done.length = 0;
    isAway = true;
    const more = [route('a', 'a.example.com'), route('b', 'b.sites.example.net')];
    expect(await tunnelled.apply(table(2, ...more))).toEqual({ revision: 2, configHash: 'h', tunnel: 'f7' });
    await expect(tunnelled.apply(table(3, ...more, route('c', 'c.example.com')))).rejects.toThrow(/could not be changed/);
    await expect(tunnelled.apply(table(4, ...more))).rejects.toThrow(/could not be changed/);
    isAway = false;
    await tunnelled.apply(table(5, ...more));
    expect(done).toEqual(['edge a.example.com b.sites.example.net', 'edge a.example.com b.sites.example.net c.example.com', 'edge a.example.com b.sites.example.net', 'edge a.example.com b.sites.example.net', 'tunnel a.example.com *.sites.example.net']);
  });
  it('says that it was the tunnel that failed, and serves all the same', async () => {
    const { tunnelled, done } = world({ fails: (names) => names.includes('b.example.com') });
    await tunnelled.start();
    await tunnelled.apply(table(1));
    done.length = 0;
    const error = await tunnelled.apply(table(2, route('b', 'b.example.com'))).catch((e: unknown) => e);
    expect([error, error instanceof TunnelTrouble, done]).toMatchObject([{ retryable: true, message: 'The tunnel f7 could not be changed. Cloudflare says no.' }, true, ['edge b.example.com']]);
  });
  it('comes up although its tunnel does not, which is tended to', async () => {
    let isBroken = true;
    const { tunnelled, done } = world({ fails: () => isBroken });
    await tunnelled.start();
    expect(await tunnelled.apply(table(1, route('a', 'a.example.com')))).toEqual({ revision: 1, configHash: 'h' });
    isBroken = false;
    expect([await tunnelled.tend(), done]).toEqual([true, ['edge a.example.com', 'The tunnel f7 could not be changed. Cloudflare says no.', 'tunnel a.example.com *.sites.example.net']]);
  });
  it('has a tunnel that forgot its table brought to it', async () => {
    const { tunnelled, done, lose } = world();
    await tunnelled.start();
    await tunnelled.apply(table(1, route('a', 'a.example.com')));
    expect(await tunnelled.tend()).toBe(false);
    lose();
    expect([await tunnelled.tend(), done.at(-1)]).toEqual([true, 'tunnel a.example.com *.sites.example.net']);
  });
});
