import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { hash } from 'bcryptjs';
import type { EdgeRules } from '#contracts/gen/hostplane/v1/edge_rules.js';
import { freePort } from '../../../infra/start/ports.js';
import { acceptedNames } from '../../../test/support/hostile-names.js';
import { Knot } from '../../../test/support/knot.js';
import { Pebble } from '../../../test/support/pebble.js';
import { issuerOf, openWebsocketByTls, realTraefik, Traefik, type TraefikOptions } from '../../../test/support/traefik.js';
import { openWebsocket, sendRaw, startBackend, visit, type Backend, type Visit } from '../contract/edge-visitor.contract.js';
import type { EdgeRoute } from '../edge.js';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { EmbeddedEdge } from '../embedded-edge/embedded-edge.js';
import { renderTraefik, type TraefikSettings } from './render.js';

/** A proxy on this machine that Traefik and the edge trust. */
const PROXY = '127.0.0.2';
const MIB = 1024 * 1024;
const none: EdgeRules = { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: undefined, errorPages: [] };
const hsts = (maxAgeSeconds: number) => ({ maxAgeSeconds, includeSubdomains: false, preload: false });
const basic = (user: string, password: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });

const real = realTraefik();
if (typeof real === 'string') describe.skip(`a real Traefik (skipped: ${real})`, () => it('carries out its document', () => undefined));
else describe('a real Traefik before the edge', () => {
  const { program } = real;
  let folder: string;
  let edge: EmbeddedEdge;
  let edgeUrl: string;
  let traefik: Traefik;
  let ports: { readonly httpPort: number; readonly httpsPort: number };
  /** What visitors reach: Traefik in the place of the edge. */
  let front: EdgeSettings;
  let shop: Backend;
  let revision = 0;
  let passwordHash: string;

  const site = (hostname: string, rules: Partial<EdgeRules> = {}, more: Partial<EdgeRoute> = {}): EdgeRoute => ({ siteId: `site-${hostname}`, hostnames: [hostname], target: shop.target, state: 'up', rules: { ...none, ...rules }, ...more });
  const files = { address: '', port: 0, root: 'docs/current' };
  const www = (to: string, status = 301) => ({ redirects: [{ hostname: `www.${to}`, to, status }] });
  const documentOf = (routes: readonly EdgeRoute[], more: Partial<TraefikSettings> = {}) => renderTraefik({ revision, routes }, { planeId: 'plane-1', edgeUrl, http: 'web', https: 'websecure', isDirect: false, ...more });
  const ask = (host: string, more: Visit = {}) => visit(front, host, { ...more, headers: { host, ...more.headers } });
  const statusOf = async (host: string, more: Visit = {}) => (await ask(host, more)).status;
  const toldTo = (path: string) => shop.requests.find(({ url }) => url === path)!.headers;

  /** Serves these routes, on the edge and by Traefik. */
  async function serve(routes: readonly EdgeRoute[], more: Partial<TraefikSettings> = {}): Promise<void> {
    await edge.apply({ revision: ++revision, routes });
    await traefik.take(documentOf(routes, more));
  }

  async function started(more: Partial<TraefikOptions> = {}): Promise<Traefik> {
    const made = new Traefik({ program, ...ports, trustedIps: [PROXY], ...more });
    await made.start(documentOf([]));
    return made;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostplane-before-edge-'));
    await mkdir(join(folder, 'sites', 'docs', 'current'), { recursive: true });
    await writeFile(join(folder, 'sites', 'docs', 'current', 'index.html'), 'docs');
    passwordHash = await hash('correct horse', 4);
    shop = await startBackend('shop');
    const own = { planeId: 'plane-1', folder: join(folder, 'edge'), sitesFolder: join(folder, 'sites'), bind: '127.0.0.1', baseDomain: 'localhost' };
    const settings = { ...own, httpPort: await freePort(), httpsPort: await freePort(), proxyRanges: ['127.0.0.1/32', `${PROXY}/32`] };
    ports = { httpPort: await freePort(), httpsPort: await freePort() };
    [front, edgeUrl] = [{ ...own, ...ports }, `http://127.0.0.1:${settings.httpPort}`];
    edge = new EmbeddedEdge(settings);
    await edge.start();
    traefik = await started();
  });
  afterAll(async () => {
    await traefik.remove();
    await edge.stop();
    await shop.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each([false, true])('takes every router of a document without a word of complaint (containers direct: %s)', async (isDirect) => {
    const rules = [{}, { httpsOnly: true, hsts: hsts(600) }, { hsts: hsts(0) }, { users: [{ name: 'ann', passwordHash }] }, { allow: ['10.0.0.0/8'] }, { deny: ['10.0.0.0/8'] }, { maxBodyBytes: 9 }, { maintenance: { text: '{{ . }} `', retryAfterSeconds: 9 } }];
    const ruled = rules.map((one, i) => site(`rules-${i}.example.com`, one, { ...www(`rules-${i}.example.com`, i % 2 ? 301 : 308), state: i % 3 ? 'up' : 'stopped' }));
    const hyphens = `${'a-'.repeat(31)}a`;
    const longest = [hyphens, hyphens, hyphens, `${'a-'.repeat(24)}a`, 'example.com'].join('.');
    const named = [...new Set([...acceptedNames('localhost'), longest, '_x.example.com', 'x'])].map((hostname, i) => site(hostname, { hsts: hsts(i + 1) }));
    const many = Array.from({ length: 1_000 }, (_, i) => site(`s${i}.localhost`, { targetTimeoutSeconds: i + 1 }, { target: files, state: i % 4 ? 'up' : 'stopped' }));
    const routes = [...ruled, ...named, ...many];
    await serve(routes, { isDirect });
    const wanted = Object.keys((JSON.parse(documentOf(routes, { isDirect }).text) as { http: { routers: object } }).http.routers);
    expect(await traefik.routers()).toEqual(new Map(wanted.map((name) => [`${name}@http`, 'enabled'])));
    expect(await Promise.all([longest, 's1.localhost', 's999.localhost', 's0.localhost', 'nobody.localhost'].map((host) => statusOf(host)))).toEqual([200, 200, 200, 503, 404]);
    expect(traefik.complaints()).toEqual([]);
  });

  it('leads visitors by their host, however they spell it, and everybody else to the edge', async () => {
    await serve([site('shop.example.com'), site('docs.localhost', {}, { target: files })]);
    const hosts = ['shop.example.com', 'SHOP.example.COM', 'shop.example.com.', 'shop.example.com:1', 'docs.localhost'];
    expect(await Promise.all(hosts.flatMap((host) => [false, true].map((tls) => statusOf('localhost', { tls, headers: { host } }))))).toEqual(Array.from({ length: 10 }, () => 200));
    const unknown = await ask('nobody.example.com');
    expect([unknown.status, unknown.text.includes('No site here')]).toEqual([404, true]);
    for (const host of ['shop.example.com/x', 'shop.example.com@x', 'a b', '']) expect(await sendRaw(front, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.\d 40[04]/);
  });

  it('sends a redirect on with scheme, port, path and query, and nowhere else whatever the path', async () => {
    await serve([site('shop.example.com', {}, www('shop.example.com')), site('old.example.com', {}, www('old.example.com', 308))]);
    for (const host of ['shop.example.com', 'old.example.com']) {
      for (const path of ['/', '/a%20b/c?d=%2F&e=//x', '/?u=https://evil.example', '/%2F/evil.example', '/%5Cevil.example', '/%0D%0AX-Evil:1']) {
        const moved = await ask(`www.${host}`, { path });
        expect([moved.status, moved.headers.location, moved.headers['x-evil']]).toEqual([host === 'old.example.com' ? 308 : 301, `http://${host}${path}`, undefined]);
      }
      for (const path of ['//evil.example/', '/\\evil.example', '/@evil.example', '/../..//evil.example']) {
        const answer = await sendRaw(front, `GET ${path} HTTP/1.1\r\nHost: www.${host}\r\nConnection: close\r\n\r\n`);
        expect(/^location: (.*)$/im.exec(answer)?.[1] ?? `http://${host}/`).toMatch(new RegExp(`^http://${host}/`));
      }
      expect((await ask(`www.${host}`, { tls: true, path: '/p', headers: { host: `WWW.${host}:8443` } })).headers.location).toBe(`https://${host}:8443/p`);
      expect((await ask(`www.${host}`, { method: 'POST', body: 'x', path: '/p' })).headers.location).toBe(`http://${host}/p`);
      expect(await sendRaw(front, `OPTIONS * HTTP/1.1\r\nHost: www.${host}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.\d (40\d|200)/);
    }
  });

  it('carries out HTTPS only: sent on by HTTP, told to stay by HTTPS, websockets by both', async () => {
    await serve([site('shop.example.com', { httpsOnly: true, hsts: hsts(600) }, www('shop.example.com')), site('off.example.com', { hsts: hsts(0) }, www('off.example.com')), site('open.example.com')]);
    const plain = await ask('shop.example.com', { path: '/a?b', method: 'POST', body: 'x' });
    expect([plain.status, plain.headers.location, plain.headers['strict-transport-security']]).toEqual([308, 'https://shop.example.com/a?b', undefined]);
    expect((await ask('www.shop.example.com', { path: '/a' })).headers.location).toBe('https://www.shop.example.com/a');
    const told = async (host: string) => (await ask(host, { tls: true })).headers['strict-transport-security'];
    expect(await Promise.all(['shop.example.com', 'www.shop.example.com', 'off.example.com', 'www.off.example.com', 'open.example.com'].map(told))).toEqual(['max-age=600', 'max-age=600', 'max-age=0', 'max-age=0', undefined]);
    for (const host of ['shop.example.com', 'open.example.com']) {
      const socket = await openWebsocketByTls(front, host);
      socket.write('in');
      expect(String((await once(socket, 'data'))[0])).toBe('in');
      socket.destroy();
    }
    (await openWebsocket(front, 'open.example.com')).socket.destroy();
    await expect(openWebsocket(front, 'shop.example.com')).rejects.toThrow('308');
    const viaProxy = { from: PROXY, headers: { 'x-forwarded-proto': 'https' } };
    expect([await statusOf('shop.example.com', viaProxy), (await ask('www.shop.example.com', viaProxy)).headers.location]).toEqual([200, expect.stringMatching(/^https?:\/\/shop\.example\.com\/$/)]);
  });

  it('leaves the other rules to the edge, which knows the visitor', async () => {
    const routes = [
      site('denied.localhost', { deny: ['127.0.0.66', '192.0.2.0/24'] }), site('allowed.localhost', { allow: ['192.0.2.0/24'] }), site('users.localhost', { users: [{ name: 'ann', passwordHash }] }),
      site('off.localhost', { maintenance: { text: 'At noon', retryAfterSeconds: 7 } }), site('paged.localhost', { errorPages: [{ status: 404, html: 'ours', file: '' }] }, { target: files }), site('small.localhost', { maxBodyBytes: 9 }), site('idle.localhost', {}, { state: 'stopped' }),
    ];
    for (const isDirect of [false, true]) {
      await serve(routes, { isDirect });
      const from = (address: string, forwardedFor?: string): Visit => ({ from: address, ...(forwardedFor ? { headers: { 'x-forwarded-for': forwardedFor } } : {}) });
      const denied = [from('127.0.0.9'), from('127.0.0.66'), from('127.0.0.66', '198.51.100.1'), from('127.0.0.9', '192.0.2.7'), from(PROXY, '192.0.2.7'), from(PROXY, '198.51.100.1')];
      expect(await Promise.all(denied.map((one) => statusOf('denied.localhost', one)))).toEqual([200, 403, 403, 200, 403, 200]);
      expect([await statusOf('allowed.localhost', from(PROXY, '192.0.2.7')), await statusOf('allowed.localhost', from(PROXY, '198.51.100.1')), await statusOf('allowed.localhost', from('127.0.0.9', '192.0.2.7'))]).toEqual([200, 403, 403]);
      expect(await Promise.all([{}, basic('ann', 'correct horse'), basic('ann', 'x')].map((headers) => statusOf('users.localhost', { headers })))).toEqual([401, 200, 401]);
      const [off, paged] = [await ask('off.localhost'), await ask('paged.localhost', { path: '/none' })];
      expect([off.status, off.headers['retry-after'], paged.status, paged.text, await statusOf('idle.localhost'), await statusOf('small.localhost', { method: 'POST', body: '0123456789' })]).toEqual([503, '7', 404, 'ours', 503, 413]);
    }
  });

  it('tells a container who the visitor is, and passes large uploads on', async () => {
    await serve([site('shop.localhost')]);
    await ask('shop.localhost', { path: '/claimed', from: '127.0.0.9', headers: { 'x-forwarded-for': '192.0.2.1', 'x-real-ip': '192.0.2.1', 'x-forwarded-proto': 'https', forwarded: 'for=192.0.2.1' } });
    expect(toldTo('/claimed')).toMatchObject({ 'x-forwarded-for': '127.0.0.9', 'x-real-ip': '127.0.0.9', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'shop.localhost' });
    await ask('shop.localhost', { path: '/secure', tls: true });
    expect(toldTo('/secure')).toMatchObject({ 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' });
    const answer = await ask('shop.localhost', { method: 'POST', body: Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(MIB))) });
    expect(JSON.parse(answer.text)).toMatchObject({ bodyBytes: 64 * MIB });
  });

  it('sends what it could not send again over connections of their own, which no edge ends under it', async () => {
    const [connections, asked] = [new Set(), [] as [string, Socket][]];
    const counting = createServer(({ method, socket }, response) => {
      asked.push([method!, socket]);
      response.end();
    }).on('connection', (socket) => connections.add(socket));
    await once(counting.listen(0, '127.0.0.1'), 'listening');
    await serve([site('shop.localhost')], { edgeUrl: `http://127.0.0.1:${(counting.address() as AddressInfo).port}` });
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) await ask('shop.localhost', { method });
    const kept = asked.slice(0, 4).map(([, socket]) => socket);
    expect([asked.length, new Set(kept).size, connections.size]).toEqual([9, 1, 6]);
    counting.close();
    counting.closeAllConnections();
  });

  it("keeps the edge's own version from visitors, and tells its own", async () => {
    await serve([]);
    for (const tls of [false, true]) {
      for (const method of ['GET', 'POST']) {
        const { status, headers, text } = await ask('version.hostplane.invalid', { tls, method });
        expect([status, headers['x-hostplane-edge'], headers['x-hostplane-revision'], text]).toEqual([418, 'plane-1', String(revision), '']);
      }
    }
  });

  it('learns of changes, and keeps what it knows while the plane is away', async () => {
    await serve([site('one.localhost'), site('two.localhost')], { isDirect: true });
    await serve([site('one.localhost')], { isDirect: true });
    expect([await statusOf('one.localhost'), await statusOf('two.localhost')]).toEqual([200, 404]);
    for (const status of [503, 401]) {
      traefik.status = status;
      const asked = traefik.polls;
      for (const end = Date.now() + 5_000; traefik.polls === asked && Date.now() < end; await sleep(20));
      expect([traefik.polls > asked, await statusOf('one.localhost')]).toEqual([true, 200]);
    }
    traefik.status = 200;
    await serve([site('two.localhost')], { isDirect: true });
    await traefik.stop('SIGKILL');
    await traefik.start(documentOf([site('two.localhost')]));
    expect(await statusOf('two.localhost')).toBe(200);
  });

  describe('that leads to containers itself', () => {
    it('lets nobody past the password whom a proxy before it took in by HTTPS', async () => {
      await serve([site('shop.localhost', { httpsOnly: true, users: [{ name: 'ann', passwordHash }] })], { isDirect: true });
      const viaProxy = (headers: Record<string, string> = {}) => statusOf('shop.localhost', { from: PROXY, headers: { 'x-forwarded-proto': 'https', ...headers } });
      expect([await viaProxy(), await viaProxy(basic('ann', 'x')), await viaProxy(basic('ann', 'correct horse')), await statusOf('shop.localhost'), await statusOf('shop.localhost', { tls: true })]).toEqual([401, 401, 200, 301, 401]);
    });

    it('takes from visitors what only a proxy may say, and from the container its word on HTTPS', async () => {
      const talkative = await startBackend('talkative', (_, response) => Boolean(response.setHeader('strict-transport-security', 'max-age=1').end('ok')));
      await serve([site('shop.localhost'), site('sure.localhost', { hsts: hsts(600) }, { target: talkative.target })], { isDirect: true });
      await ask('shop.localhost', { path: '/direct', headers: { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.1', proxy: 'evil.example', 'true-client-ip': '192.0.2.1', 'cf-connecting-ip': '192.0.2.1', 'x-real-ip': '192.0.2.1' } });
      expect(JSON.stringify(toldTo('/direct'))).not.toMatch(/192\.0\.2\.1|evil/);
      expect(toldTo('/direct')).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-forwarded-server': expect.any(String) });
      expect((await ask('sure.localhost', { tls: true })).headers['strict-transport-security']).toBe('max-age=600');
      await talkative.close();
    });

    it('leaves proofs for an authority to the edge', async () => {
      const hostnames = ['shop.example.com', 'secure.example.com', 'www.shop.example.com'];
      await serve([site(hostnames[0]!, {}, www(hostnames[0]!)), site(hostnames[1]!, { httpsOnly: true, users: [{ name: 'ann', passwordHash }] })], { isDirect: true });
      await edge.proofs.ensure('certificate-1', new Map([['token-1', 'token-1.print']]));
      expect(await Promise.all(hostnames.map(async (host) => (await ask(host, { path: '/.well-known/acme-challenge/token-1' })).text))).toEqual(Array.from({ length: 3 }, () => 'token-1.print'));
    });
  });

  it('reads the same document from a file', async () => {
    await traefik.stop();
    const reading = await started({ provider: 'file' });
    await edge.apply({ revision: ++revision, routes: [site('shop.localhost')] });
    await reading.take(documentOf([site('shop.localhost')]));
    expect([await statusOf('shop.localhost'), reading.complaints()]).toEqual([200, []]);
    await reading.remove();
    await traefik.start(documentOf([]));
  });

  it('takes nothing from the hosts of others', async () => {
    await traefik.stop();
    const theirs = join(folder, 'theirs.yml');
    await writeFile(theirs, JSON.stringify({ http: { routers: { theirs: { rule: 'Host(`theirs.example.com`)', service: 'theirs' } }, services: { theirs: { loadBalancer: { servers: [{ url: `http://127.0.0.1:${shop.target.port}` }] } } } } }));
    const shared = await started({ flags: { 'providers.file.filename': theirs } });
    for (const isDirect of [false, true]) {
      await shared.take(documentOf([site('shop.example.com', {}, www('shop.example.com'))], { isDirect }));
      for (const more of [{}, { method: 'POST' }, { path: '/.well-known/acme-challenge/x' }]) expect(JSON.parse((await ask('theirs.example.com', more)).text)).toMatchObject({ name: 'shop' });
    }
    await shared.remove();
    await traefik.start(documentOf([]));
  });

  it('gets a certificate for each name, though none is to be had for another of the same site', async () => {
    await traefik.stop();
    const knot = await Knot.start('example.com');
    const pebble = await Pebble.start({ dns: knot.address, httpPort: ports.httpPort, isSteady: true });
    const names = ['shop.example.com', 'www.shop.example.com', 'idle.example.com', 'other.example.com'];
    await knot.set('example.com', ...names.map((name) => `${name}. A 127.0.0.1`));
    const acme = { caServer: pebble.directoryUrl, storage: join(folder, 'acme.json'), email: 'ops@example.com', 'httpChallenge.entryPoint': 'web' };
    const certifying = await started({ env: { LEGO_CA_CERTIFICATES: pebble.caFile }, flags: Object.fromEntries(Object.entries(acme).map(([key, value]) => [`certificatesResolvers.le.acme.${key}`, value])) });
    await certifying.take(documentOf([
      site(names[0]!, {}, { hostnames: [names[0]!, 'shop.localhost', 'nowhere.example.com'], ...www(names[0]!) }),
      ...['idle.example.com', 'gone.example.com', 'other.example.com'].map((name) => site(name, {}, { state: 'stopped' })),
    ], { certResolver: 'le' }));
    const issued = () => Promise.all(names.map((name) => issuerOf(front, name)));
    for (const end = Date.now() + 40_000; Date.now() < end && !(await issued()).every((name) => name.startsWith('Pebble')); await sleep(100));
    expect(await issued()).toEqual(names.map(() => expect.stringMatching(/^Pebble Intermediate/)));
    expect(certifying.complaints().filter((line) => !/nowhere\.example\.com|gone\.example\.com/.test(line))).toEqual([]);
    await Promise.all([certifying.remove(), pebble.stop(), knot.stop()]);
    await traefik.start(documentOf([]));
  }, 90_000);
});
