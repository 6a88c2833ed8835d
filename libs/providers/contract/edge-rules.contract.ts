import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from 'bcryptjs';
import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import { freePort } from '../../../infra/start/ports.js';
import type { EdgeProvider, EdgeRoute } from '../edge.js';
import type { EdgeSettings } from '../edge/edge-settings.js';
import type { ProviderError } from '../provider-error.js';
import type { EdgeUnderTest } from './edge.contract.js';
import { openWebsocket, sendRaw, startBackend, visit, type Backend, type Visit } from './edge-visitor.contract.js';

const KIB = 1024;
/** A trusted proxy on this machine. */
const PROXY = '127.0.0.2';
const none: EdgeRules = { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };

/** What every EdgeProvider promises of sites with rules, asked as visitors ask. */
export function edgeRulesContract(name: string, underTest: EdgeUnderTest): void {
  describe(`${name} as an edge with rules`, () => {
    let folder: string;
    let settings: EdgeSettings;
    let edge: EdgeProvider;
    let shop: Backend;
    let revision = 0;

    const route = (rules: Partial<EdgeRules>, more: Partial<EdgeRoute> = {}): EdgeRoute => ({ siteId: 'site-shop', hostnames: ['shop.localhost', 'shop.example.com'], target: shop.target, state: 'up', rules: { ...none, ...rules }, ...more });
    const plain = (): EdgeRoute => ({ siteId: 'site-plain', hostnames: ['plain.localhost'], target: shop.target, state: 'up' });
    const apply = (...routes: EdgeRoute[]) => edge.apply({ revision: ++revision, routes: [plain(), ...routes] });
    const ask = (more: Visit = {}, host = 'shop.localhost') => visit(settings, host, more);
    const basic = (user: string, password: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });
    const files = { address: '', port: 0, root: 'docs/current' };

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hostplane rules-'));
      await chmod(folder, 0o755);
      const [httpPort, httpsPort] = [await freePort(), await freePort()];
      settings = { planeId: `plane-${httpPort}`, folder: join(folder, 'edge'), sitesFolder: join(folder, 'sites'), bind: '127.0.0.1', httpPort, httpsPort, baseDomain: 'localhost', proxyRanges: [`${PROXY}/32`, '2001:db8::/32'] };
      await mkdir(join(settings.sitesFolder, 'docs', 'current', 'errors'), { recursive: true });
      await writeFile(join(settings.sitesFolder, 'docs', 'current', 'index.html'), 'docs');
      await writeFile(join(settings.sitesFolder, 'docs', 'current', 'errors', '404.html'), 'no such page of ours');
      shop = await startBackend('shop');
      edge = underTest.make(settings);
      await edge.start();
    });
    afterAll(async () => {
      await edge.stop();
      await shop.close();
      await rm(folder, { recursive: true, force: true });
    });

    describe('a visitor by HTTP of a site that is HTTPS only', () => {
      it('is sent on, with host, path and query, and method and body where it has them', async () => {
        await apply(route({ httpsOnly: true }));
        const asked = shop.requests.length;
        for (const path of ['/', '/a%20b/c?d=%2F&e', '//evil.example/']) {
          const answer = await ask({ path, method: 'POST', body: 'x' }, 'shop.example.com');
          expect([answer.status, answer.headers.location]).toEqual([308, `https://shop.example.com:${settings.httpsPort}${path}`]);
        }
        expect(shop.requests.length).toBe(asked);
        expect([(await ask({ tls: true })).status, (await ask({}, 'plain.localhost')).status]).toEqual([200, 200]);
        await expect(openWebsocket(settings, 'shop.localhost')).rejects.toThrow('308');
      });

      it('is sent on under a redirecting name first', async () => {
        await apply(route({ httpsOnly: true, hsts: { maxAgeSeconds: 60, includeSubdomains: false, preload: false } }, { redirects: [{ hostname: 'www.example.com', to: 'shop.example.com', status: 301 }] }));
        expect((await ask({ path: '/a' }, 'www.example.com')).headers.location).toBe(`https://www.example.com:${settings.httpsPort}/a`);
        const secure = await ask({ tls: true, path: '/a' }, 'www.example.com');
        expect([secure.headers.location, secure.headers['strict-transport-security']]).toEqual([`https://shop.example.com:${settings.httpsPort}/a`, 'max-age=60']);
      });

      it('is not sent in circles when a trusted proxy took it in by HTTPS', async () => {
        await apply(route({ httpsOnly: true }));
        expect((await ask({ from: PROXY, headers: { 'x-forwarded-proto': 'https' } })).status).toBe(200);
        const sent = await ask({ from: PROXY, headers: { host: 'shop.example.com', 'x-forwarded-proto': 'http' }, path: '/p' });
        expect([sent.status, sent.headers.location]).toEqual([308, 'https://shop.example.com/p']);
        expect((await ask({ headers: { 'x-forwarded-proto': 'https' } })).status).toBe(308);
      });

      it('opens a websocket when a trusted proxy took it in by HTTPS, which it may call wss', async () => {
        await apply(route({ httpsOnly: true }));
        for (const said of ['https', 'wss']) {
          const { socket } = await openWebsocket(settings, 'shop.localhost', { 'x-forwarded-proto': said }, PROXY);
          socket.destroy();
        }
        for (const said of ['http', 'ws']) await expect(openWebsocket(settings, 'shop.localhost', { 'x-forwarded-proto': said }, PROXY)).rejects.toThrow('308');
        await expect(openWebsocket(settings, 'shop.localhost', { 'x-forwarded-proto': 'wss' })).rejects.toThrow('308');
      });
    });

    it('tells browsers to come by HTTPS, by HTTPS alone, in place of what the target says', async () => {
      const talkative = await startBackend('talkative', (_, response) => Boolean(response.setHeader('strict-transport-security', 'max-age=1').end('ok')));
      await apply(route({ hsts: { maxAgeSeconds: 63072000, includeSubdomains: true, preload: true } }, { target: talkative.target }), { siteId: 'own', hostnames: ['own.localhost'], target: talkative.target, state: 'up' });
      const hstsOf = async (more: Visit, host?: string) => (await ask(more, host)).headers['strict-transport-security'];
      expect(await hstsOf({ tls: true })).toBe('max-age=63072000; includeSubDomains; preload');
      expect(await hstsOf({ tls: true }, 'own.localhost')).toBe('max-age=1');
      expect(await hstsOf({ tls: true }, 'plain.localhost')).toBeUndefined();
      await apply(route({ hsts: { maxAgeSeconds: 63072000, includeSubdomains: false, preload: false } }, { target: files }));
      expect([await hstsOf({}), await hstsOf({ tls: true }), await hstsOf({ tls: true, path: '/none' })]).toEqual([undefined, 'max-age=63072000', 'max-age=63072000']);
      await talkative.close();
    });

    it('takes no larger uploads than the site wants, whether or not they say their length', async () => {
      await apply(route({ maxBodyBytes: 64 * KIB }));
      const send = (bytes: number) => ask({ method: 'POST', path: '/sized', body: Buffer.alloc(bytes) }).then(({ status }) => status, () => 413);
      expect([await send(64 * KIB), await send(64 * KIB + 1)]).toEqual([200, 413]);
      await ask({ method: 'POST', path: '/endless', body: Readable.from(Array.from({ length: 32 }, () => Buffer.alloc(8 * KIB))) }).catch(() => undefined);
      expect(shop.requests.find(({ url }) => url === '/endless')?.bodyBytes ?? 0).toBeLessThanOrEqual(64 * KIB);
      expect((await ask({ method: 'POST', body: Buffer.alloc(256 * KIB) }, 'plain.localhost')).status).toBe(200);
    });

    it('gives up on a target that keeps silent for longer than the site allows', async () => {
      const silent = await startBackend('silent', () => true);
      await apply(route({ targetTimeoutSeconds: 1, errorPages: [{ status: 502, html: '<p>Back in a $minute "really" \\ ;}', file: '' }] }, { target: silent.target }));
      const answer = await ask();
      expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([502, '<p>Back in a $minute "really" \\ ;}', 'text/html; charset=utf-8']);
      await silent.close();
    });

    describe('a site with users', () => {
      beforeAll(async () => {
        await apply(route({ users: [{ name: 'ann', passwordHash: await hash('correct horse', 5) }, { name: 'bob', passwordHash: (await hash('büro: 1', 4)).replace('$2b$', '$2y$') }] }));
      });

      it('is shown to them, and to nobody else', async () => {
        const unknown = await ask();
        expect([unknown.status, unknown.headers['www-authenticate']]).toEqual([401, 'Basic realm="Restricted"']);
        const tried = [basic('ann', 'correct horse'), basic('bob', 'büro: 1'), basic('ann', 'büro: 1'), basic('eve', 'correct horse'), basic('', ''), { authorization: 'Bearer x' }, { authorization: 'Basic ????' }];
        expect(await Promise.all(tried.map(async (headers) => (await ask({ headers })).status))).toEqual([200, 200, 401, 401, 401, 401, 401]);
        expect((await ask({}, 'plain.localhost')).status).toBe(200);
      });

      it('is not told their passwords, and its websockets are guarded alike', async () => {
        await ask({ headers: basic('ann', 'correct horse'), path: '/told' });
        expect(shop.requests.find(({ url }) => url === '/told')!.headers.authorization).toBeUndefined();
        await expect(openWebsocket(settings, 'shop.localhost')).rejects.toThrow('401');
        const { socket } = await openWebsocket(settings, 'shop.localhost', basic('ann', 'correct horse'));
        socket.write('in');
        expect(String((await once(socket, 'data'))[0])).toBe('in');
        socket.destroy();
      });
    });

    describe('a site with IP ranges', () => {
      const from = async (address: string, forwardedFor?: string) => (await ask({ from: address, ...(forwardedFor ? { headers: { 'x-forwarded-for': forwardedFor } } : {}) })).status;

      it('takes who is allowed and nobody else, the narrowest range deciding', async () => {
        await apply(route({ allow: ['127.0.0.0/8', '127.0.0.9'], deny: ['127.0.0.8/29', '127.0.0.77/32'] }));
        expect([await from('127.0.0.1'), await from('127.0.0.9'), await from('127.0.0.10'), await from('127.0.0.77')]).toEqual([200, 200, 403, 403]);
        expect((await ask({ from: '127.0.0.10' })).text).toContain('Not allowed');
        await apply(route({ allow: ['192.0.2.0/24', '2001:db8:1::/48'] }));
        expect([await from('127.0.0.1'), await from(PROXY, '192.0.2.7'), await from(PROXY, '2001:db8:1::7')]).toEqual([403, 200, 200]);
      });

      it('takes everybody but who is denied', async () => {
        await apply(route({ deny: ['192.0.2.0/24', '127.0.0.66', '2001:db8:6::/48'] }));
        expect([await from('127.0.0.1'), await from('127.0.0.66'), await from(PROXY, '192.0.2.7'), await from(PROXY, '192.0.3.7'), await from(PROXY, '2001:db8:6::1')]).toEqual([200, 403, 403, 200, 403]);
      });

      it('does not believe an address that somebody else than a trusted proxy names', async () => {
        await apply(route({ deny: ['192.0.2.0/24', '127.0.0.66'] }));
        expect([await from('127.0.0.66', '192.0.3.7'), await from(PROXY, '192.0.3.7, 192.0.2.7'), await from(PROXY, `192.0.2.7, 192.0.3.7, ${PROXY}`)]).toEqual([403, 403, 200]);
      });
    });

    it('passes on who the visitor is, as a trusted proxy says it', async () => {
      await apply(route({}));
      const forwarded = { 'x-forwarded-for': '6.6.6.6, 198.51.100.4', 'x-forwarded-proto': 'https', 'cf-connecting-ip': '198.51.100.4', 'true-client-ip': '6.6.6.6' };
      await ask({ from: PROXY, path: '/trusted', headers: forwarded });
      await ask({ path: '/untrusted', headers: forwarded });
      const headersOf = (path: string) => shop.requests.find(({ url }) => url === path)!.headers;
      expect(headersOf('/trusted')).toMatchObject({ 'x-forwarded-for': '198.51.100.4', 'x-real-ip': '198.51.100.4', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443', 'cf-connecting-ip': '198.51.100.4' });
      expect(headersOf('/untrusted')).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-forwarded-port': String(settings.httpPort) });
      expect([headersOf('/untrusted')['cf-connecting-ip'], headersOf('/trusted')['true-client-ip'], headersOf('/untrusted')['true-client-ip']]).toEqual([undefined, undefined, undefined]);
    });

    describe('maintenance', () => {
      it('is what every visitor is told, as text', async () => {
        await apply(route({ httpsOnly: true, maintenance: { text: 'Moving to <b>new</b> rooms; back at $5 "o\'clock" {really}\n\\ {};', retryAfterSeconds: 120 } }));
        const answer = await ask({ tls: true, method: 'POST', body: 'x', path: '/any' });
        expect([answer.status, answer.headers['retry-after'], answer.headers['content-type'], answer.headers['cache-control']]).toEqual([503, '120', 'text/html; charset=utf-8', 'no-store']);
        expect(answer.text).toContain('Moving to &#60;b&#62;new&#60;/b&#62; rooms; back at $5 &#34;o&#39;clock&#34; {really}<br>\\ {};');
        expect([(await ask()).status, (await ask({ tls: true }, 'shop.example.com')).status, (await ask({}, 'plain.localhost')).status]).toEqual([308, 503, 200]);
        await expect(openWebsocket(settings, 'shop.localhost')).rejects.toThrow('308');
      });

      it('has words of its own, and ends', async () => {
        await apply(route({ maintenance: { text: '', retryAfterSeconds: 0 } }, { target: files }));
        const answer = await ask();
        expect([answer.status, answer.headers['retry-after'], answer.text.includes('Back soon')]).toEqual([503, '300', true]);
        await apply(route({}, { target: files }));
        expect((await ask()).text).toBe('docs');
      });
    });

    describe('own pages', () => {
      it('come from a file of the site', async () => {
        await apply(route({ errorPages: [{ status: 404, html: '', file: 'errors/404.html' }] }, { target: files }));
        const answers = await Promise.all(['/none', '/.env', '/errors/'].map((path) => ask({ path })));
        expect(answers.map(({ status, text }) => [status, text])).toEqual(Array.from({ length: 3 }, () => [404, 'no such page of ours']));
        expect([answers[0]!.headers['content-type'], (await ask()).text]).toEqual(['text/html; charset=utf-8', 'docs']);
      });

      it('give way to the edge when the file is not there', async () => {
        await apply(route({ errorPages: [{ status: 404, html: '', file: 'errors/none.html' }] }, { target: files }));
        const answer = await ask({ path: '/none' });
        expect([answer.status, answer.text.includes('Page not found')]).toEqual([404, true]);
      });

      it('are given as they are', async () => {
        const [missing, stopped] = ['<h1>Nicht da: $uri</h1>', `<h1>Zu</h1>${'x'.repeat(20_000)}`];
        await apply(route({ errorPages: [{ status: 404, html: missing, file: '' }, { status: 503, html: stopped, file: '' }] }, { target: files }));
        const answer = await ask({ path: '/none' });
        expect([answer.status, answer.text, answer.headers['content-type']]).toEqual([404, missing, 'text/html; charset=utf-8']);
        await apply(route({ errorPages: [{ status: 503, html: stopped, file: '' }] }, { state: 'stopped' }));
        const closed = await ask({ method: 'POST', body: 'x' });
        expect([closed.status, closed.text]).toEqual([503, stopped]);
      });

      it('cannot be asked for, and say nothing in place of the target itself', async () => {
        const teapot = await startBackend('teapot', (_, response) => Boolean(response.writeHead(404).end('own words')));
        await apply(route({ errorPages: [{ status: 404, html: 'ours', file: '' }] }, { target: teapot.target }));
        expect((await ask({ path: '/none' })).text).toBe('own words');
        await apply(route({ errorPages: [{ status: 503, html: 'ours', file: '' }] }, { target: files }));
        expect((await ask({ path: '/.hostplane/503' })).status).toBe(404);
        await teapot.close();
      });
    });

    it.each<[string, Partial<EdgeRules>]>([
      ['a range that is none', { allow: ['10.0.0.0/33'] }],
      ['a range that grows a directive', { deny: ['10.0.0.0/8; return 200'] }],
      ['a user with a colon', { users: [{ name: 'a:b', passwordHash: '$2b$05$' + 'a'.repeat(53) }] }],
      ['a password that is not hashed', { users: [{ name: 'ann', passwordHash: 'correct horse' }] }],
      ['a hash that takes seconds to check', { users: [{ name: 'ann', passwordHash: '$2b$20$' + 'a'.repeat(53) }] }],
      ['a page outside of the site', { errorPages: [{ status: 404, html: '', file: '../secret.txt' }] }],
      ['a page for a status that has none', { errorPages: [{ status: 200, html: 'x', file: '' }] }],
      ['a negative size', { maxBodyBytes: -1 }],
    ])('refuses %s, names the site, and keeps serving', async (_, wrong) => {
      await apply();
      const before = await edge.served();
      const refusal = await edge.apply({ revision: revision + 1, routes: [plain(), route(wrong)] }).then(() => undefined, (error: unknown) => error as ProviderError);
      expect(refusal).toMatchObject({ retryable: false, message: expect.stringContaining('site-shop') });
      expect([await edge.served(), (await ask({}, 'plain.localhost')).status]).toEqual([before, 200]);
    });

    it('gives the same hash for the same rules in another order, and another one for others', async () => {
      const passwordHash = await hash('x', 4);
      const users = ['ann', 'bob'].map((user) => ({ name: user, passwordHash }));
      const first = await apply(route({ users, allow: ['10.0.0.0/8', '127.0.0.0/8'] }));
      expect(await edge.apply({ revision, routes: [route({ users: [...users].reverse(), allow: ['127.0.0.1/8', '10.0.0.0/8'] }), plain()] })).toEqual(first);
      expect((await apply(route({ users: users.slice(1) }))).configHash).not.toBe(first.configHash);
    });

    it('keeps the rules when everything of it was killed', async () => {
      await apply(route({ users: [{ name: 'ann', passwordHash: await hash('correct horse', 4) }], errorPages: [{ status: 502, html: 'ours', file: '' }] }));
      await underTest.kill(settings, edge);
      edge = underTest.make(settings);
      await edge.start();
      expect([(await ask()).status, (await ask({ headers: basic('ann', 'correct horse') })).status]).toEqual([401, 200]);
    });

    it('holds out against what visitors send to a guarded site', async () => {
      await apply(route({ allow: ['127.0.0.0/8'], httpsOnly: true }));
      const answer = await sendRaw(settings, 'GET /\u00e9%0d%0aX-Evil:1 HTTP/1.1\r\nHost: shop.localhost\r\nX-Forwarded-For: \u00e9;}\r\nConnection: close\r\n\r\n');
      expect(answer).not.toMatch(/^x-evil/im);
      expect(answer).toMatch(/^HTTP\/1\.1 (308|400) /);
    });
  });
}
