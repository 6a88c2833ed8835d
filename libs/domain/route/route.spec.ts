import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { routeDecider, type RouteCommand, type RouteEventType, type RouteState } from './route.js';
import type { MessageOf } from '#contracts/registry.js';

const target = { address: '10.77.0.2', port: 80, root: '' };
const ask = (turn: number) => ({ operationId: `c${turn}`, turn });
const ensure: RouteCommand = { type: 'EnsureRoute', data: { operationId: 'o', siteId: 's', hostId: 'local', hostnames: ['shop.localhost'], target, state: 'up', turn: 1 } };
const attach = (name: string, redirectTo = '', redirectStatus = 0): RouteCommand => ({ type: 'AttachDomain', name, claimId: `claim-${name}`, redirectTo, redirectStatus });
const route = (name: string): RouteCommand => ({ type: 'RouteDomain', name, ask: ask(1) });
const unroute = (name: string): RouteCommand => ({ type: 'UnrouteDomain', name, ask: ask(2) });
const served = (...names: string[]): RouteCommand => ({ type: 'SettleDomains', served: names, gone: [] });

function after(...commands: RouteCommand[]) {
  const events: MessageOf<RouteEventType>[] = [];
  const state = () => events.reduce<RouteState>(routeDecider.evolve, routeDecider.initial);
  for (const command of commands) events.push(...routeDecider.decide(command, state()));
  const table = (command: RouteCommand) => {
    const defined = routeDecider.decide(command, state()).find((event) => event.type === 'RouteDefined');
    return defined && { hostnames: defined.data.hostnames, redirects: defined.data.redirects, domains: defined.data.domains };
  };
  return { ...given(routeDecider, ...events), state, table };
}

describe('a route', () => {
  it('has the edge follow, also when nothing changed', () => {
    expect(routeDecider.decide(ensure, after(ensure).state()).map(({ type }) => type)).toEqual(['RouteDefined', 'EnsureEdge']);
    expect(routeDecider.decide({ type: 'RemoveRoute', data: { operationId: 'o', siteId: 's', hostId: 'local', turn: 1 } }, routeDecider.initial).map(({ type }) => type)).toEqual(['EnsureEdge']);
  });
  it('keeps its custom domains when the site itself changes', () => {
    const www = [attach('example.com'), route('example.com'), attach('www.example.com', 'example.com', 301), route('www.example.com')];
    expect(after(ensure, ...www).table(ensure)).toEqual({
      hostnames: ['shop.localhost', 'example.com'], redirects: [{ hostname: 'www.example.com', to: 'example.com', status: 301 }], domains: ['example.com', 'www.example.com'],
    });
    expect(after(ensure, ...www).state().ownHostnames).toEqual(['shop.localhost']);
  });
  it('takes no domain that is not proven into the table', () => {
    expect(after(ensure, attach('example.com')).table(ensure)).toEqual({ hostnames: ['shop.localhost'], redirects: [], domains: [] });
  });
  it('sends nobody to a hostname that is not served: such a redirect serves the site', () => {
    const redirect = [attach('example.com'), attach('www.example.com', 'example.com', 308)];
    expect(after(ensure, ...redirect).table(route('www.example.com'))).toMatchObject({ hostnames: ['shop.localhost', 'www.example.com'], redirects: [] });
    expect(after(ensure, ...redirect, route('www.example.com'), route('example.com')).table(unroute('example.com'))).toMatchObject({ hostnames: ['shop.localhost', 'www.example.com'], redirects: [] });
  });
  it('takes a redirect only to another hostname that the site is served under', () => {
    after(ensure).when(attach('www.example.com', 'shop.localhost', 301)).thenTypes('DomainAttached');
    after(ensure).when(attach('www.example.com', 'elsewhere.example')).refused('invalid', /"elsewhere\.example" is not a hostname of the site\. Add it first/);
    after(ensure).when(attach('www.example.com', 'www.example.com')).refused('invalid', /to itself/);
    after(ensure, attach('w.example.com', 'shop.localhost', 301)).when(attach('www.example.com', 'w.example.com')).refused('invalid', /"w\.example\.com" itself redirects, to shop\.localhost: name that/);
    after(ensure).when(attach('www.example.com', 'www.example.com')).refused('invalid');
    after(ensure, attach('a.example.com', 'shop.localhost', 301)).when(attach('b.example.com', 'a.example.com', 301)).refused('invalid');
  });
  it('takes domains only while the site is live', () => {
    given(routeDecider).when(attach('example.com')).refused('conflict', /not live/);
    after(ensure, { type: 'RemoveRoute', data: { operationId: 'o', siteId: 's', hostId: 'local', turn: 1 } }).when(attach('example.com')).refused('conflict');
  });
  it('forgets a domain that is gone', () => {
    after(ensure, attach('example.com')).when({ type: 'SettleDomains', served: [], gone: ['example.com'] }).thenTypes('DomainDetached');
    after(ensure).when({ type: 'SettleDomains', served: ['x.example.com'], gone: ['y.example.com'] }).then();
  });
});

describe('the primary domain', () => {
  const two = [ensure, attach('a.example.com'), route('a.example.com'), attach('b.example.com'), route('b.example.com')];
  it('is the first that is served', () => {
    after(...two).when(served('b.example.com')).thenTypes('DomainServed', 'PrimaryDomainChosen');
    after(...two, served('b.example.com')).when(served('a.example.com')).thenTypes('DomainServed');
  });
  it('is chosen among those that the site is served under', () => {
    after(...two, served('a.example.com', 'b.example.com')).when({ type: 'ChoosePrimary', name: 'b.example.com' }).then({ type: 'PrimaryDomainChosen', data: { siteId: 's', name: 'b.example.com' } });
    after(...two, served('a.example.com')).when({ type: 'ChoosePrimary', name: 'b.example.com' }).refused('conflict', /not active yet/);
    after(ensure).when({ type: 'ChoosePrimary', name: 'b.example.com' }).refused('not-found');
    after(ensure, attach('w.example.com', 'shop.localhost', 301), route('w.example.com'), served('w.example.com')).when({ type: 'ChoosePrimary', name: 'w.example.com' }).refused('conflict', /redirects to/);
  });
  it('moves on when it leaves, and a redirect never takes its place', () => {
    const state = after(...two, served('a.example.com', 'b.example.com'), unroute('a.example.com')).state();
    expect(state.primary).toBe('b.example.com');
    expect(after(ensure, attach('a.example.com'), route('a.example.com'), served('a.example.com'), attach('w.example.com', 'a.example.com', 301), route('w.example.com'), served('w.example.com'), unroute('a.example.com')).state().primary).toBe('');
  });
});

describe('the rules of a route', () => {
  const none = { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };
  const change = (changeId: string, rules: object, fields = Object.keys(rules), more: object = {}): RouteCommand => ({ type: 'ChangeRules', change: { siteId: 's', changeId, rules: { ...none, ...rules }, fields, removedUsers: [], removedPages: [], ...more } });
  const settle = (operationId: string, error = ''): RouteCommand => ({ type: 'SettleRules', operationId, error });
  const user = (name: string, passwordHash = 'h') => ({ name, passwordHash });

  it('are recorded whole, the edge follows, and the same again is nothing', () => {
    after(ensure).when(change('c', { httpsOnly: true, allow: ['10.0.0.0/8'] })).then(
      { type: 'EdgeRulesChanged', data: { siteId: 's', changeId: 'c', rules: { ...none, httpsOnly: true, allow: ['10.0.0.0/8'] } } },
      { type: 'EnsureEdge', data: { operationId: 'c', siteId: 's', hostId: 'local', turn: 0 } },
    );
    after(ensure, change('c', { httpsOnly: true })).when(change('d', { httpsOnly: true })).then();
  });
  it('keep what is not named, and lose what is set back', () => {
    const two = [ensure, change('c', { httpsOnly: true, maxBodyBytes: 7 })];
    expect(after(...two, change('d', { maxBodyBytes: 0 })).state().rules.current).toEqual({ ...none, httpsOnly: true });
    expect(after(...two, change('d', { allow: ['10.0.0.0/8'] })).state().rules.current).toEqual({ ...none, httpsOnly: true, maxBodyBytes: 7, allow: ['10.0.0.0/8'] });
  });
  it('add and remove users and pages one by one', () => {
    const users = after(ensure, change('c', { users: [user('ann'), user('bob')] }, []), change('d', { users: [user('bob', 'new'), user('eve')] }, [], { removedUsers: ['ann'] }));
    expect(users.state().rules.current.users).toEqual([user('bob', 'new'), user('eve')]);
    expect(after(ensure, change('c', { users: [user('ann')] }, []), change('d', {}, ['users'])).state().rules.current.users).toEqual([]);
    const page = (status: number) => ({ status, html: 'x', file: '' });
    expect(after(ensure, change('c', { errorPages: [page(503), page(404)] }, []), change('d', { errorPages: [page(502)] }, [], { removedPages: [503] })).state().rules.current.errorPages).toEqual([page(404), page(502)]);
  });
  it('wait for the route of a site that is not live', () => {
    given(routeDecider).when(change('c', { httpsOnly: true })).thenTypes('EdgeRulesChanged');
    after(change('c', { httpsOnly: true }), ensure).when(settle('o')).then({ type: 'EdgeRulesServed', data: { siteId: 's', changeId: 'c' } });
    after(change('c', { httpsOnly: true }), ensure).when(settle('o', 'no edge')).then();
  });
  it('are served once the edge says so, and other answers say nothing of them', () => {
    after(ensure, change('c', { httpsOnly: true })).when(settle('o')).then();
    after(ensure, change('c', { httpsOnly: true })).when(settle('c')).thenTypes('EdgeRulesServed');
    after(ensure, change('c', { httpsOnly: true }), settle('c')).when(settle('c')).then();
  });
  it('go back to what the edge followed when it refuses', () => {
    const refused = after(ensure, change('c', { httpsOnly: true }), settle('c'), change('d', { maxBodyBytes: 7 }));
    refused.when(settle('d', 'no')).then(
      { type: 'EdgeRulesRefused', data: { siteId: 's', changeId: 'd', error: 'no', rules: { ...none, httpsOnly: true } } },
      { type: 'EnsureEdge', data: { operationId: 'd', siteId: 's', hostId: 'local', turn: 1 } },
    );
    expect(after(ensure, change('c', { httpsOnly: true }), settle('c'), change('d', { maxBodyBytes: 7 }), settle('d', 'no')).state().rules.current).toEqual({ ...none, httpsOnly: true });
  });
});
