import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { run } from '../../apps/cli/program.js';
import { visit, type Api, type Reply, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithKnot } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { startPlane, type Plane } from '../support/plane.js';

jest.setTimeout(120_000);

interface DomainView extends Record<string, unknown> {
  readonly name: string;
  readonly status: string;
  readonly primary: boolean;
  readonly expected: readonly { purpose: string; type: string; name: string; value: string }[];
  readonly found: readonly { resolver: string; type: string; values: string[] }[];
  readonly owned: boolean;
  readonly pointsHere: boolean;
  readonly checks: number;
  readonly nextCheckAt?: string;
  readonly deadlineAt?: string;
  readonly lastError?: string;
}

const DEADLINE_SECONDS = 10;
const PUBLIC = '198.51.100.7';

describeWithKnot('custom domains', () => {
  let plane: Plane;
  let knot: Knot;
  let ann: Api;
  let bob: Api;
  let count = 0;

  beforeAll(async () => {
    knot = await Knot.start('example.com', 'example.org');
    plane = await startPlane({
      env: {
        HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: PUBLIC, HOSTPLANE_DNS_TIMEOUT_MS: '500',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_DEADLINE_SECONDS: String(DEADLINE_SECONDS),
      },
    });
    [ann, bob] = await Promise.all([personOf('ann'), personOf('bob')]);
  });
  afterAll(async () => {
    await plane?.stop();
    await knot?.stop();
  });

  async function personOf(owner: string): Promise<Api> {
    const { body } = await plane.api.call('POST', '/tokens', { name: owner, scopes: ['write'], owner });
    return plane.api.as(String(body['token']));
  }
  async function liveSite(api = plane.api): Promise<SiteView> {
    const name = `site-${++count}`;
    const { body } = await api.call<SiteView>('POST', '/sites', { name, kind: 'static' });
    await api.settled(body.id, ['ACTIVE', 'FAILED']);
    await api.call('PUT', `/sites/${body.id}/content`, await tarGz({ 'index.html': `I am ${name}` }));
    return api.site(body.id);
  }
  const add = (site: SiteView, name: string, more: object = {}, api = plane.api): Promise<Reply<DomainView>> => api.call<DomainView>('POST', `/sites/${site.id}/domains`, { name, ...more });
  const show = async (name: string, api = plane.api): Promise<DomainView> => (await api.call<DomainView>('GET', `/domains/${encodeURIComponent(name)}`)).body;
  const edge = (host: string, path = '/') => visit(`http://127.0.0.1:${plane.edgePort}${path}`, { host: `${host}:${plane.edgePort}` });

  async function until(name: string, status: string, api = plane.api): Promise<DomainView> {
    let last: Reply<DomainView> | undefined;
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
      last = await api.call<DomainView>('GET', `/domains/${name}`);
      if (last.body.status === status || (status === 'removed' && last.status === 404)) return last.body;
    }
    throw new Error(`${name} is not ${status}: ${JSON.stringify(last?.body)}\n${await plane.complaints()}`);
  }
  const zoneOf = (name: string): string => name.split('.').slice(-2).join('.');
  async function prove(domain: DomainView): Promise<void> {
    const token = domain.expected.find(({ purpose }) => purpose === 'ownership')!;
    await knot.set(zoneOf(domain.name), `${token.name}. TXT "${token.value}"`, `${domain.name}. A ${PUBLIC}`);
  }
  async function active(site: SiteView, name: string, more: object = {}): Promise<DomainView> {
    const added = await add(site, name, more);
    expect({ status: added.status, body: added.body }).toMatchObject({ status: 202 });
    await prove(added.body);
    return until(name, 'active');
  }

  it('go from pending to active as their records appear, serve the site, and leave nothing behind', async () => {
    const site = await liveSite();
    const added = await add(site, 'Shop.Example.com');
    expect([added.status, added.headers.get('location'), added.body.status]).toEqual([202, '/api/v1/domains/shop.example.com', 'pending']);
    const [token, address, alias] = added.body.expected;
    expect([token, address, alias]).toMatchObject([
      { purpose: 'ownership', type: 'TXT', name: '_hostplane-challenge.shop.example.com' }, { purpose: 'pointing', type: 'A', value: PUBLIC }, { purpose: 'pointing', type: 'CNAME', value: `${site.name}.localhost` },
    ]);
    await plane.api.settled(site.id, ['DOMAIN_PENDING']);
    expect((await edge('shop.example.com')).status).toBe(404);

    await knot.set('example.com', 'shop.example.com. A 192.0.2.66');
    for (const end = Date.now() + 10_000; Date.now() < end && !(await show('shop.example.com')).found.some(({ values }) => values.includes('192.0.2.66')); ) await sleep(50);
    expect(await show('shop.example.com')).toMatchObject({ status: 'pending', owned: false, pointsHere: false, lastError: expect.stringContaining('leads to 192.0.2.66') });

    await knot.set('example.com', `${token!.name}. TXT "${token!.value}"`);
    expect(await until('shop.example.com', 'validating')).toMatchObject({ owned: true, pointsHere: false, nextCheckAt: expect.any(String), deadlineAt: expect.any(String) });
    await plane.api.settled(site.id, ['DOMAIN_VALIDATING']);
    expect((await edge('shop.example.com')).status).toBe(404);

    await knot.unset('example.com', 'shop.example.com. A');
    await knot.set('example.com', `shop.example.com. A ${PUBLIC}`);
    expect(await until('shop.example.com', 'active')).toMatchObject({ owned: true, pointsHere: true, primary: true });
    expect((await edge('shop.example.com')).body).toBe(`I am ${site.name}`);
    const shown = await plane.api.settled(site.id, ['DOMAIN_ACTIVE']);
    expect(shown).toMatchObject({ status: 'DOMAIN_ACTIVE', url: `http://shop.example.com:${plane.edgePort}`, domains: [{ name: 'shop.example.com', status: 'active', primary: true }] });
    expect((await visit(`http://${site.name}.localhost:${plane.edgePort}`)).status).toBe(200);

    const { body: events } = await plane.api.call<{ items: { type: string; data: { status?: string } }[] }>('GET', `/sites/${site.id}/events?limit=200`);
    expect(events.items.flatMap(({ type, data }) => (type === 'SiteDomainStatusChanged' ? [data.status] : []))).toEqual(['DOMAIN_PENDING', 'DOMAIN_VALIDATING', 'DOMAIN_ROUTING', 'DOMAIN_ACTIVE']);

    const again = await add(site, 'shop.example.com');
    expect([again.status, again.body.status]).toEqual([202, 'active']);

    expect((await plane.api.call('DELETE', '/domains/shop.example.com')).status).toBe(202);
    await until('shop.example.com', 'removed');
    expect((await edge('shop.example.com')).status).toBe(404);
    const end = await plane.api.settled(site.id, ['ACTIVE']);
    expect(end).toMatchObject({ url: site.url, domains: [] });
    expect((await plane.api.call<{ items: unknown[] }>('GET', `/sites/${site.id}/domains`)).body.items).toEqual([]);
  });

  it('redirect to one another, change the primary one, and go with their site', async () => {
    const site = await liveSite();
    await active(site, 'example.org');
    await active(site, 'www.example.org', { redirectTo: 'example.org', redirectStatus: 308 });
    await active(site, 'second.example.org');
    const moved = await edge('www.example.org', '/a?b=c');
    expect([moved.status, moved.headers['location']]).toEqual([308, `http://example.org:${plane.edgePort}/a?b=c`]);
    expect((await edge('second.example.org')).status).toBe(200);
    await active(site, 'old.example.org', { redirectTo: 'second.example.org' });
    await active(site, 'own.example.org', { redirectTo: `${site.name}.localhost` });

    expect((await plane.api.call('POST', '/domains/www.example.org/primary')).status).toBe(409);
    expect((await plane.api.call('POST', '/domains/second.example.org/primary')).body).toMatchObject({ primary: true });
    expect((await plane.api.site(site.id)).url).toBe(`http://second.example.org:${plane.edgePort}`);
    expect((await plane.api.call('DELETE', '/domains/second.example.org')).status).toBe(202);
    await until('second.example.org', 'removed');
    expect((await plane.api.site(site.id)).url).toBe(`http://example.org:${plane.edgePort}`);
    for (const [name, isServed, status] of [['www', true, 308], ['own', true, 301], ['old', false, 200]] as const) {
      expect((await plane.api.call('GET', `/domains/${name}.example.org`)).body).toMatchObject({ status: 'active', redirectTargetServed: isServed });
      expect((await edge(`${name}.example.org`)).status).toBe(status);
    }
    await knot.unset('example.org', 'second.example.org. A');
    await active(site, 'second.example.org', { redirectTo: 'example.org' });
    expect([(await show('old.example.org'))['redirectTargetServed'], (await edge('old.example.org')).status]).toEqual([false, 200]);

    const published = await plane.api.call('PUT', `/sites/${site.id}/content`, await tarGz({ 'index.html': 'second release' }));
    expect(published.status).toBe(200);
    expect((await edge('example.org')).body).toBe('second release');
    for (const [action, status] of [['stop', 503], ['start', 200]] as const) {
      const reply = await plane.api.call('POST', `/sites/${site.id}/${action}`);
      await plane.operation(String(reply.body['operationId']), 'succeeded');
      expect([(await edge('example.org')).status, (await plane.api.settled(site.id, ['DOMAIN_ACTIVE'])).status]).toEqual([status, 'DOMAIN_ACTIVE']);
    }

    const waiting = await add(site, 'waiting.example.org');
    expect(waiting.status).toBe(202);
    await plane.api.call('DELETE', `/sites/${site.id}`);
    await plane.api.settled(site.id, ['DESTROYED']);
    for (const name of ['example.org', 'www.example.org', 'waiting.example.org']) {
      await until(name, 'removed');
      expect((await edge(name)).status).toBe(404);
    }
    const other = await liveSite();
    expect((await add(other, 'example.org')).body.status).toBe('pending');
  });

  it('go to exactly one of two owners who want one at once, and are not found by the other', async () => {
    const [mine, theirs] = [await liveSite(ann), await liveSite(bob)];
    for (let round = 0; round < 5; round++) {
      const name = `race-${round}.example.com`;
      const replies = await Promise.all([add(mine, name, {}, ann), add(theirs, name, {}, bob)]);
      expect(replies.map(({ status }) => status).sort()).toEqual([202, 409]);
      const [winner, loser] = replies[0]!.status === 202 ? [ann, bob] : [bob, ann];
      expect((await loser.call('GET', `/domains/${name}`)).status).toBe(404);
      for (const [method, path] of [['DELETE', ''], ['POST', '/check'], ['POST', '/primary']] as const) expect((await loser.call(method, `/domains/${name}${path}`)).status).toBe(404);
      expect((await winner.call('DELETE', `/domains/${name}`)).status).toBe(202);
      expect((await winner.call('GET', `/domains/${name}`)).status).toBe(404);
    }
    expect((await add(mine, 'theirs.example.com', {}, bob)).status).toBe(404);
  });

  it('fail at their deadline with what was missing, take no site down, and can be tried again or taken by who owns them', async () => {
    const [site, theirs] = [await liveSite(ann), await liveSite(bob)];
    await add(site, 'late.example.com', {}, ann);
    const failed = await until('late.example.com', 'failed', ann);
    expect(failed.lastError).toMatch(/not ready by the deadline\. The TXT record _hostplane-challenge\.late\.example\.com .* leads nowhere yet, it has to lead to 198\.51\.100\.7/);
    expect(failed.checks).toBeGreaterThan(2);
    expect([failed.found.length, failed.expected.length]).toEqual([4, 3]);
    expect((await ann.settled(site.id, ['ACTIVE'])).status).toBe('ACTIVE');
    expect((await visit(site.url)).status).toBe(200);

    expect((await ann.call('POST', '/domains/late.example.com/check')).body).toMatchObject({ status: 'pending' });
    await prove(failed);
    await until('late.example.com', 'active', ann);

    await add(site, 'squatted.example.com', {}, ann);
    await until('squatted.example.com', 'failed', ann);
    expect((await add(theirs, 'squatted.example.com', {}, bob)).body).toMatchObject({ status: 'pending' });
    expect((await ann.call('GET', '/domains/squatted.example.com')).status).toBe(404);
  });

  it('are refused with the field that is wrong', async () => {
    const site = await liveSite();
    for (const name of ['localhost', 'a.localhost', '127.0.0.1', '*.example.com', 'co.uk', 'a_b.com', 'x'.repeat(300), 'a;b.com']) {
      const reply = await add(site, name);
      expect({ name, status: reply.status, code: reply.body['code'] }).toEqual({ name, status: 422, code: 'invalid' });
      expect(reply.body['errors']).toMatchObject([{ field: 'name' }]);
    }
    expect((await add(site, 'x.example.com', { redirectTo: 'elsewhere.example.com' })).body).toMatchObject({ status: 422, errors: [{ field: 'redirectTo' }] });
    expect((await add(site, 'x.example.com', { redirectStatus: 302 })).status).toBe(422);
    expect((await plane.api.call('GET', '/domains/x.example.com')).status).toBe(404);
  });

  it('are added, watched and removed with the CLI, also by a name in another alphabet', async () => {
    const site = await liveSite();
    const cli = async (...args: string[]) => {
      const [out, err]: [string[], string[]] = [[], []];
      const io = { out: { write: (text: string) => out.push(text) }, err: { write: (text: string) => err.push(text) }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
      return { code: await run(args, io), out: out.join(''), err: err.join('') };
    };
    const noted = await cli('domain', 'add', site.name, 'bücher.example.com', '--no-wait');
    expect(noted.code).toBe(0);
    expect(noted.err).toMatch(/TXT +_hostplane-challenge\.xn--bcher-kva\.example\.com/);
    const watching = cli('domain', 'check', 'bücher.example.com');
    await prove(await show('bücher.example.com'));
    const watched = await watching;
    expect([watched.code, watched.err]).toEqual([0, expect.stringContaining('xn--bcher-kva.example.com: active')]);
    expect((await cli('domain', 'list', site.name)).out).toMatch(/xn--bcher-kva\.example\.com +active +primary/);
    expect((await cli('domain', 'show', 'bücher.example.com')).out).toContain(PUBLIC);
    expect((await cli('domain', 'primary', 'bücher.example.com')).code).toBe(0);
    expect((await cli('site', 'show', site.name)).out).toContain('xn--bcher-kva.example.com (active, primary)');
    expect(await cli('domain', 'remove', 'bücher.example.com')).toMatchObject({ code: 0, out: expect.stringContaining('Removed') });
    expect((await cli('domain', 'show', 'bücher.example.com')).code).not.toBe(0);
  });
});
