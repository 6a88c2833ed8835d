import { describe, expect, it } from '@jest/globals';
import type { StoredMessage } from '#contracts/message.js';
import { HostRoutes } from './host-routes.js';

const none = { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };
const target = { address: '10.77.0.2', port: 80, root: '' };
const rules = { ...none, httpsOnly: true };
const at = (position: number, type: string, data: object) => ({ position, type, data }) as unknown as StoredMessage;
const defined = (position: number, siteId: string, hostId = 'one') => at(position, 'RouteDefined', { siteId, hostId, hostnames: [`${siteId}.localhost`], target, state: 'up', redirects: [] });

function folded(...messages: StoredMessage[]): HostRoutes {
  const routes = new HostRoutes('one');
  for (const message of messages) routes.apply([message], message.position);
  return routes;
}

describe('the routes of a host', () => {
  it('are those of its sites, with their rules, whichever came first', () => {
    const route = { siteId: 'a', hostnames: ['a.localhost'], target, state: 'up', redirects: [], rules };
    expect(folded(defined(1, 'a'), at(2, 'EdgeRulesChanged', { siteId: 'a', rules })).table()).toEqual({ revision: 2, routes: [route] });
    expect(folded(at(1, 'EdgeRulesChanged', { siteId: 'a', rules }), defined(2, 'a')).table()).toEqual({ revision: 2, routes: [route] });
    expect(folded(defined(1, 'b', 'two')).table().routes).toEqual([]);
  });
  it('let a site go that is removed or moves, and know its rules when it comes back', () => {
    const rule = at(1, 'EdgeRulesChanged', { siteId: 'a', rules });
    expect(folded(defined(1, 'a'), at(2, 'RouteRemoved', { siteId: 'a' })).table().routes).toEqual([]);
    expect(folded(defined(1, 'a'), defined(2, 'a', 'two')).table().routes).toEqual([]);
    expect(folded(rule, defined(2, 'a'), at(3, 'RouteRemoved', { siteId: 'a' }), defined(4, 'a')).table().routes).toMatchObject([{ siteId: 'a', rules }]);
  });
  it('have the rules back that stood before those that were refused', () => {
    expect(folded(defined(1, 'a'), at(2, 'EdgeRulesChanged', { siteId: 'a', rules }), at(3, 'EdgeRulesRefused', { siteId: 'a', rules: none })).table().routes).toMatchObject([{ rules: none }]);
  });
  it('have a version that stays while nothing of this host changes', () => {
    const later = [at(5, 'DomainServed', { siteId: 'a', name: 'x' }), defined(6, 'b', 'two'), at(7, 'RouteRemoved', { siteId: 'b' }), at(8, 'EdgeRulesChanged', { siteId: 'b', rules })];
    expect([folded(defined(4, 'a'), ...later).settledTable().revision, folded(defined(4, 'a'), ...later).table().revision]).toEqual([4, 8]);
    expect(folded(defined(4, 'a'), at(9, 'EdgeRulesChanged', { siteId: 'a', rules })).settledTable().revision).toBe(9);
  });
});
