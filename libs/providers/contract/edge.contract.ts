import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../../infra/start/ports.js';
import type { EdgeProvider, EdgeRoute, RouteTable } from '../edge.js';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { ProviderError } from '../provider-error.js';
import { openWebsocket, sendRaw, startBackend, visit, type Backend } from './edge-visitor.contract.js';

/** How the suite makes and kills an edge. */
export interface EdgeUnderTest {
  /** A provider as a process makes it at its start; several may follow each other over the same folder. */
  make(settings: EdgeSettings): EdgeProvider;
  /** What `kill -9` of everything that serves does. */
  kill(settings: EdgeSettings, edge: EdgeProvider): Promise<void>;
}

const MIB = 1024 * 1024;
const nowhere = { address: '', port: 0, root: '' };

/** What every EdgeProvider promises, asked as visitors ask. */
export function edgeContract(name: string, underTest: EdgeUnderTest): void {
  describe(`${name} as an edge`, () => {
    let settings: EdgeSettings;
    let edge: EdgeProvider;
    let blog: Backend;
    let shop: Backend;
    let revision = 0;
    const folders: string[] = [];

    const up = (hostname: string, target: Partial<EdgeRoute['target']>): EdgeRoute => ({ siteId: `site-${hostname}`, hostnames: [hostname], target: { ...nowhere, ...target }, state: 'up' });
    const table = (...routes: EdgeRoute[]): RouteTable => ({ revision: ++revision, routes });
    const apply = (...routes: EdgeRoute[]) => edge.apply(table(...routes));
    const statusOf = async (host: string) => (await visit(settings, host)).status;

    async function freshSettings(): Promise<EdgeSettings> {
      const folder = await mkdtemp(join(tmpdir(), 'hostplane edge-'));
      folders.push(folder);
      await mkdir(join(folder, 'sites'));
      const [httpPort, httpsPort] = [await freePort(), await freePort()];
      return { planeId: `plane-${httpPort}`, folder: join(folder, 'edge'), sitesFolder: join(folder, 'sites'), bind: '127.0.0.1', httpPort, httpsPort, baseDomain: 'localhost', maxBodyBytes: 64 * MIB };
    }

    /** Places a release as the files runtime does: a folder, and the link `current` to it. */
    async function release(site: string, id: string, files: Record<string, string>): Promise<string> {
      const folder = join(settings.sitesFolder, site);
      for (const [path, text] of Object.entries(files)) {
        await mkdir(join(folder, id, path, '..'), { recursive: true });
        await writeFile(join(folder, id, path), text);
      }
      await symlink(id, join(folder, 'next'));
      await rename(join(folder, 'next'), join(folder, 'current'));
      return `${site}/current`;
    }

    beforeAll(async () => {
      settings = await freshSettings();
      [blog, shop] = [await startBackend('blog'), await startBackend('shop')];
      edge = underTest.make(settings);
      await edge.start();
    });
    afterAll(async () => {
      await edge.stop();
      await Promise.all([blog.close(), shop.close()]);
      await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
    });

    it('starts empty, and every host is unknown', async () => {
      const answer = await visit(settings, 'blog.localhost');
      expect([answer.status, answer.headers['content-type'], answer.headers['x-content-type-options']]).toEqual([404, 'text/html; charset=utf-8', 'nosniff']);
      expect(answer.text).toContain('No site here');
      expect(await edge.served()).toMatchObject({ revision: 0 });
    });

    describe('apply', () => {
      it('serves what it was given, once it returns', async () => {
        const applied = await apply(up('blog.localhost', blog.target));
        expect(JSON.parse((await visit(settings, 'blog.localhost', { path: '/a%20b?c=%2F' })).text)).toMatchObject({ name: 'blog', url: '/a%20b?c=%2F' });
        expect(await edge.served()).toEqual(applied);
      });

      it('does nothing the second time', async () => {
        const again = { revision, routes: [up('blog.localhost', blog.target)] };
        expect(await edge.apply(again)).toEqual(await edge.apply(again));
        expect(await statusOf('blog.localhost')).toBe(200);
      });

      it('answers an older revision with the served one', async () => {
        const served = await edge.served();
        expect(await edge.apply({ revision: revision - 1, routes: [] })).toEqual(served);
        expect(await statusOf('blog.localhost')).toBe(200);
      });

      it('gives the same hash for the same table in another order', async () => {
        const [a, b] = [up('a.localhost', blog.target), up('b.localhost', shop.target)];
        const first = await apply(a, b);
        expect(await edge.apply({ revision, routes: [b, a] })).toEqual(first);
      });

      it('works on calls at once one after the other, and the newest wins', async () => {
        const older = table(up('blog.localhost', shop.target));
        const newer = table(up('blog.localhost', blog.target), up('shop.localhost', shop.target));
        const applied = await Promise.all([edge.apply(older), edge.apply(newer), edge.apply(older), edge.apply(newer)]);
        expect(applied.map((one) => one.revision >= older.revision)).toEqual([true, true, true, true]);
        expect(applied[1].revision).toBe(newer.revision);
        expect(JSON.parse((await visit(settings, 'blog.localhost')).text).name).toBe('blog');
        expect(await statusOf('shop.localhost')).toBe(200);
      });

      it('shares one change among many calls that wait', async () => {
        const began = performance.now();
        const calls = Array.from({ length: 50 }, () => apply(up('blog.localhost', blog.target)));
        await Promise.all(calls);
        expect((await edge.served())!.revision).toBe(revision);
        expect(performance.now() - began).toBeLessThan(10_000);
      });

      it.each([
        ['a hostname that is none', { ...up('ok.localhost', { root: 'x' }), hostnames: ['a b;'] }],
        ['an address that is none', up('ok.localhost', { address: '127.0.0.1:80/;', port: 80 })],
        ['a port that is none', up('ok.localhost', { address: '127.0.0.1', port: 70_000 })],
        ['a folder outside of the sites', up('ok.localhost', { root: '../secrets' })],
        ['no target', up('ok.localhost', nowhere)],
        ['a hostname of another site', { ...up('x.localhost', { root: 'x' }), hostnames: ['blog.localhost'] }],
      ])('refuses a table with %s, names the site, and keeps serving', async (_, bad) => {
        await apply(up('blog.localhost', blog.target));
        const before = await edge.served();
        const refusal = await edge.apply({ revision: revision + 1, routes: [up('blog.localhost', blog.target), bad] }).then(() => undefined, (error: unknown) => error as ProviderError);
        expect(refusal).toBeInstanceOf(ProviderError);
        expect(refusal!.retryable).toBe(false);
        expect(refusal!.message).toContain(bad.siteId);
        expect(await edge.served()).toEqual(before);
        expect(await statusOf('blog.localhost')).toBe(200);
      });

      it('lets a table that waits beside a refused one through', async () => {
        const good = table(up('blog.localhost', blog.target));
        const first = edge.apply(table(up('blog.localhost', blog.target)));
        const [waiting, refusal] = await Promise.all([edge.apply({ ...good, revision: ++revision }), edge.apply(table(up('BAD', blog.target))).catch((error: unknown) => error), first]);
        expect(waiting.revision).toBe(revision - 1);
        expect(refusal).toBeInstanceOf(ProviderError);
      });

      it('lets go of an address: once it returns, no request goes there', async () => {
        for (let round = 0; round < 5; round++) {
          const gone = await startBackend('gone');
          await apply(up('gone.localhost', gone.target), up('blog.localhost', blog.target));
          let isLetGo = false;
          const late: string[] = [];
          const visitors = Array.from({ length: 4 }, async () => {
            while (!isLetGo) await visit(settings, 'gone.localhost').catch(() => undefined);
          });
          await sleep(50);
          await apply(up('blog.localhost', blog.target));
          const counted = gone.requests.length;
          for (let i = 0; i < 40; i++) late.push(String(await statusOf('gone.localhost')));
          isLetGo = true;
          await Promise.all(visitors);
          expect(new Set(late)).toEqual(new Set(['404']));
          expect(gone.requests.length).toBe(counted);
          await gone.close();
        }
      });

      it('serves 200 hosts', async () => {
        await apply(...Array.from({ length: 200 }, (_, i) => up(`site-${i}.${'long-'.repeat(8)}name.localhost`, i % 2 ? blog.target : shop.target)));
        for (const i of [0, 1, 77, 199]) {
          const answer = await visit(settings, `SITE-${i}.${'long-'.repeat(8)}name.localhost.`);
          expect(JSON.parse(answer.text).name).toBe(i % 2 ? 'blog' : 'shop');
        }
        expect(await statusOf('site-200.localhost')).toBe(404);
      });

      it('takes names that mean something to a server', async () => {
        const words = ['default', 'hostnames', 'include', 'volatile', 'localhost', '_', 'xn--bcher-kva.localhost'];
        await apply(...words.map((word) => up(word, blog.target)));
        for (const word of words) expect([word, await statusOf(word)]).toEqual([word, 200]);
        expect(await statusOf('other.localhost')).toBe(404);
      });
    });

    describe('a redirect', () => {
      const moved = (hostname: string, status: number, state: EdgeRoute['state'] = 'up'): EdgeRoute => ({ ...up('shop.example.com', shop.target), state, redirects: [{ hostname, to: 'shop.example.com', status }] });
      const location = (path: string) => `http://shop.example.com:${settings.httpPort}${path}`;

      it.each([301, 308])('of %s keeps scheme, port, path and query, and reaches no target', async (status) => {
        const name = `www${status}.example.com`;
        await apply(moved(name, status), up('blog.localhost', blog.target));
        const asked = shop.requests.length;
        for (const path of ['/', '/a%20b/c?d=%2F&e', '/x?y=http://evil.example/', '//evil.example/']) {
          const answer = await visit(settings, name, { path, method: status === 308 ? 'POST' : 'GET' });
          expect([answer.status, answer.headers.location]).toEqual([status, location(path)]);
        }
        const secure = await visit(settings, name.toUpperCase(), { tls: true, path: '/s' });
        expect([secure.status, secure.headers.location]).toEqual([status, `https://shop.example.com:${settings.httpsPort}/s`]);
        expect(shop.requests.length).toBe(asked);
        expect(JSON.parse((await visit(settings, 'shop.example.com')).text).name).toBe('shop');
      });

      it('says no port when the visitor said none, and nothing of what a visitor sends becomes a header', async () => {
        await apply(moved('www.example.com', 301));
        expect(await sendRaw(settings, 'GET /a HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n')).toMatch(/\r\nlocation: http:\/\/shop\.example\.com\/a\r\n/i);
        const answer = await sendRaw(settings, 'GET /\u00e9%0d%0aX-Evil:1 HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n');
        expect(answer).not.toMatch(/^x-evil/im);
        expect(answer).toMatch(/^HTTP\/1\.1 (301|400) /);
      });

      it('stays while its site is stopped, and goes with its route', async () => {
        await apply(moved('www.example.com', 301, 'stopped'));
        expect([await statusOf('www.example.com'), await statusOf('shop.example.com')]).toEqual([301, 503]);
        await apply(up('shop.example.com', shop.target));
        expect([await statusOf('www.example.com'), await statusOf('shop.example.com')]).toEqual([404, 200]);
      });

      it.each([
        ['to what is no hostname', { hostname: 'www.example.com', to: 'a;b', status: 301 }],
        ['from what is no hostname', { hostname: 'a b', to: 'shop.example.com', status: 301 }],
        ['with a status that is none', { hostname: 'www.example.com', to: 'shop.example.com', status: 200 }],
        ['from a name that is served', { hostname: 'shop.example.com', to: 'blog.localhost', status: 301 }],
      ])('%s is refused', async (_, redirect) => {
        const before = await edge.served();
        const refusal = await edge.apply({ revision: revision + 1, routes: [{ ...up('shop.example.com', shop.target), redirects: [redirect] }] }).then(() => undefined, (error: unknown) => error as ProviderError);
        expect(refusal).toMatchObject({ retryable: false, message: expect.stringContaining('site-shop.example.com') });
        expect(await edge.served()).toEqual(before);
      });
    });

    describe('a container target', () => {
      it('gets the visitor as the edge saw it, whatever the visitor claims', async () => {
        await apply(up('blog.localhost', blog.target));
        await visit(settings, 'blog.localhost', {
          headers: { 'x-forwarded-for': '6.6.6.6', 'X-Forwarded-Proto': 'https', 'x-forwarded-host': 'evil.example', 'x-real-ip': '6.6.6.6', forwarded: 'for=6.6.6.6', x_forwarded_for: '6.6.6.6', proxy: 'http://evil', connection: 'x-forwarded-for, close', 'x-mine': 'kept' },
        });
        const host = `blog.localhost:${settings.httpPort}`;
        const { headers } = blog.requests.at(-1)!;
        expect(headers).toMatchObject({ host, 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http', 'x-forwarded-host': host, 'x-forwarded-port': String(settings.httpPort), 'x-real-ip': '127.0.0.1', 'x-mine': 'kept' });
        expect(Object.keys(headers).filter((key) => ['forwarded', 'x_forwarded_for', 'proxy'].includes(key))).toEqual([]);
      });

      it('is reached by HTTPS too, and told so', async () => {
        await visit(settings, 'blog.localhost', { tls: true });
        expect(blog.requests.at(-1)!.headers).toMatchObject({ 'x-forwarded-proto': 'https', host: `blog.localhost:${settings.httpsPort}` });
      });

      it('speaks websocket', async () => {
        await apply(up('blog.localhost', blog.target));
        const { headers, socket } = await openWebsocket(settings, 'blog.localhost', { 'x-forwarded-for': '6.6.6.6' });
        expect([headers['x-backend'], headers['sec-websocket-accept']]).toEqual(['blog', expect.any(String)]);
        for (const word of ['one', 'two']) {
          socket.write(word);
          expect(String((await once(socket, 'data'))[0])).toBe(word);
        }
        socket.destroy();
      });

      it('keeps its websockets while other sites come', async () => {
        const { socket } = await openWebsocket(settings, 'blog.localhost');
        await apply(up('blog.localhost', blog.target), up('shop.localhost', shop.target));
        socket.write('still');
        expect(String((await once(socket, 'data'))[0])).toBe('still');
        socket.destroy();
      });

      it('that does not answer is a 502 that says so', async () => {
        await apply(up('down.localhost', { address: '127.0.0.1', port: await freePort() }));
        const answer = await visit(settings, 'down.localhost');
        expect([answer.status, answer.headers['content-type']]).toEqual([502, 'text/html; charset=utf-8']);
        expect(answer.text).toContain('does not answer');
        await expect(openWebsocket(settings, 'down.localhost')).rejects.toThrow('502');
      });

      it('says its own errors itself', async () => {
        const broken = await startBackend('broken', (_, response) => {
          response.writeHead(500, { 'x-accel-redirect': '/other', 'x-custom': 'mine' }).end('own words');
          return true;
        });
        await apply(up('broken.localhost', broken.target));
        const answer = await visit(settings, 'broken.localhost');
        expect([answer.status, answer.text, answer.headers['x-custom']]).toEqual([500, 'own words', 'mine']);
        expect(answer.headers['x-content-type-options']).toBeUndefined();
        await broken.close();
      });

      it('gets a large upload as a stream', async () => {
        await apply(up('blog.localhost', blog.target));
        const part = Buffer.alloc(MIB, 'x');
        const answer = await visit(settings, 'blog.localhost', { method: 'POST', body: Readable.from(Array.from({ length: 32 }, () => part)) });
        expect(JSON.parse(answer.text)).toMatchObject({ method: 'POST', bodyBytes: 32 * MIB });
      });

      it('is spared a body over the limit', async () => {
        const answer = await visit(settings, 'blog.localhost', { method: 'POST', headers: { 'content-length': String(65 * MIB), expect: '100-continue' } }).catch((error: unknown) => error);
        expect(answer).toMatchObject({ status: 413 });
      });

      it('is spared a body over the limit that did not say its length', async () => {
        const part = Buffer.alloc(MIB, 'x');
        const answer = await visit(settings, 'blog.localhost', { method: 'POST', path: '/endless', body: Readable.from(Array.from({ length: 80 }, () => part)) }).catch((error: unknown) => error);
        await sleep(50);
        expect(answer).not.toMatchObject({ status: 200 });
        expect(blog.requests.find(({ url }) => url === '/endless')?.bodyBytes ?? 0).toBeLessThanOrEqual(64 * MIB);
        expect(await statusOf('blog.localhost')).toBe(200);
      });

      it('streams its answer, part by part', async () => {
        const events = await startBackend('events', (_, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.write('data: first\n\n');
          return true;
        });
        await apply(up('events.localhost', events.target));
        const first = await new Promise<string>((resolve, reject) => {
          void import('node:http').then(({ get }) => {
            get({ host: settings.bind, port: settings.httpPort, headers: { host: 'events.localhost' }, agent: false }, (response) => {
              response.once('data', (part) => (resolve(String(part)), response.destroy())).on('error', () => undefined);
            }).on('error', reject);
          });
        });
        expect(first).toBe('data: first\n\n');
        await events.close();
      });
    });

    describe('a folder target', () => {
      let root: string;
      beforeAll(async () => {
        root = await release('docs', 'r1', { 'index.html': '<p>one</p>', 'style.css': 'p{}', 'app.mjs': 'x', 'sub dir/index.html': 'sub', '.env': 'SECRET', '.git/config': 'SECRET', '.well-known/security.txt': 'mail', 'data.unknownext': 'x' });
        await writeFile(join(settings.sitesFolder, 'docs', 'r1', 'empty.txt'), '');
        await writeFile(join(settings.sitesFolder, 'secret.txt'), 'SECRET');
        await symlink('../../secret.txt', join(settings.sitesFolder, 'docs', 'r1', 'leak.txt'));
        await symlink('../..', join(settings.sitesFolder, 'docs', 'r1', 'up'));
        await apply(up('docs.localhost', { root }));
      });
      const get = (path: string, more: object = {}) => visit(settings, 'docs.localhost', { path, ...more });

      it('is served with types, an ETag and revalidation', async () => {
        const page = await get('/');
        expect([page.status, page.text, page.headers['content-type'], page.headers['cache-control']]).toEqual([200, '<p>one</p>', 'text/html; charset=utf-8', 'public, max-age=0, must-revalidate']);
        expect(page.headers.etag).toBeTruthy();
        const types = await Promise.all(['/style.css?v=1', '/app.mjs', '/data.unknownext', '/empty.txt'].map(async (path) => (await get(path)).headers['content-type']));
        expect(types).toEqual(['text/css; charset=utf-8', 'text/javascript; charset=utf-8', 'application/octet-stream', 'text/plain; charset=utf-8']);
        expect((await get('/', { headers: { 'if-none-match': page.headers.etag } })).status).toBe(304);
      });

      it('answers HEAD and ranges, and takes no POST', async () => {
        const head = await get('/', { method: 'HEAD' });
        expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '10']);
        const range = await get('/index.html', { headers: { range: 'bytes=3-5' } });
        expect([range.status, range.text, range.headers['content-range']]).toEqual([206, 'one', 'bytes 3-5/10']);
        expect((await get('/', { method: 'POST', body: 'x' })).status).toBe(405);
      });

      it('leads to a folder by its slash', async () => {
        const moved = await get('/sub%20dir?a=b');
        expect([moved.status, moved.headers.location]).toEqual([301, '/sub%20dir/?a=b']);
        expect((await get('/sub%20dir/')).text).toBe('sub');
      });

      it.each(['/.env', '/.git/config', '/%2egit/config', '/leak.txt', '/up/secret.txt', '/up/docs/r1/index.html', '/../secret.txt', '/%2e%2e/%2e%2e/secret.txt', '/..%2f..%2fsecret.txt', '/index.html%00.txt', '/%', '/nothing', '/sub%20dir/../.env', '//secret.txt'])('gives nothing for %s', async (path) => {
        const answer = await get(path);
        expect([400, 403, 404]).toContain(answer.status);
        expect(answer.text).not.toContain('SECRET');
      });

      it('shows .well-known', async () => {
        expect((await get('/.well-known/security.txt')).text).toBe('mail');
      });

      it('shows a new release at once, without being told', async () => {
        await release('docs', 'r2', { 'index.html': '<p>number two</p>' });
        expect((await get('/')).text).toBe('<p>number two</p>');
        expect((await get('/style.css')).status).toBe(404);
      });

      it('that is not there answers 404', async () => {
        await apply(up('docs.localhost', { root }), up('void.localhost', { root: 'void/current' }));
        expect(await statusOf('void.localhost')).toBe(404);
      });

      it('fails no visitor over 20 changes of other sites or more', async () => {
        const agent = new Agent({ keepAlive: true, maxSockets: 4 });
        let isDone = false;
        let [served, closedWhenIdle] = [0, 0];
        const failed: unknown[] = [];
        // A kept connection that closes before the first byte of an answer is asked again, as every HTTP client does (RFC 9112, 9.3.1).
        const ask = (kept: boolean): Promise<unknown> =>
          visit(settings, 'docs.localhost', kept ? { agent } : {}).then(
            (answer) => (answer.status === 200 ? served++ : failed.push(answer)),
            (error: { wasReused?: boolean }) => (error.wasReused ? (closedWhenIdle++, ask(kept)) : failed.push(error)),
          );
        const visitors = [true, true, true, false].map(async (kept) => {
          while (!isDone) await Promise.all([ask(kept), sleep(4)]);
        });
        // An edge that changes fast is changed more often, until visitors have had their chance to fail.
        for (let i = 0; i < 20 || (served <= 100 && i < 500); i++) await apply(up('docs.localhost', { root }), up(`other-${i}.localhost`, { root }));
        isDone = true;
        await Promise.all(visitors);
        agent.destroy();
        expect({ failed, isServed: served > 100, isRare: closedWhenIdle < 60 }).toEqual({ failed: [], isServed: true, isRare: true });
      });
    });

    it('says that a stopped site is stopped', async () => {
      await apply({ ...up('blog.localhost', blog.target), state: 'stopped' }, { ...up('away.localhost', nowhere), state: 'stopped' });
      for (const host of ['blog.localhost', 'away.localhost']) {
        const answer = await visit(settings, host, { method: 'POST', path: '/any', body: 'x' });
        expect([answer.status, answer.headers['content-type']]).toEqual([503, 'text/html; charset=utf-8']);
        expect(answer.text).toContain('stopped');
      }
    });

    it('holds out against hosts and requests that are no such', async () => {
      await apply(up('blog.localhost', blog.target));
      const asked = ['GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n', 'GET / HTTP/1.1\r\nHost: ../../etc\r\nConnection: close\r\n\r\n', 'GET / HTTP/1.1\r\nHost: blog.localhost\r\nHost: x\r\n\r\n', 'NONSENSE\r\n\r\n'];
      for (const text of asked) expect(await sendRaw(settings, text)).toMatch(/^HTTP\/1\.1 40[04]/);
      expect(await statusOf('blog.localhost')).toBe(200);
    });

    it('keeps its key to itself', async () => {
      const found = (await readdir(settings.folder)).filter((file) => file.endsWith('.key'));
      const modes = await Promise.all(found.map(async (file) => (await stat(join(settings.folder, file))).mode & 0o077));
      expect(modes).toEqual([0]);
      expect(await readFile(join(settings.folder, found[0]!), 'utf8')).toContain('PRIVATE KEY');
    });

    describe('started again', () => {
      it('serves the last table', async () => {
        const applied = await apply(up('blog.localhost', blog.target));
        await edge.stop();
        await expect(visit(settings, 'blog.localhost')).rejects.toThrow();
        expect(await edge.served()).toBeUndefined();
        edge = underTest.make(settings);
        await edge.start();
        expect(await edge.served()).toEqual(applied);
        expect(await statusOf('blog.localhost')).toBe(200);
      });

      it('serves the last table after everything of it was killed', async () => {
        const applied = await apply(up('shop.localhost', shop.target));
        await underTest.kill(settings, edge);
        edge = underTest.make(settings);
        await edge.start();
        expect(await edge.served()).toEqual(applied);
        expect(await statusOf('shop.localhost')).toBe(200);
        await apply(up('blog.localhost', blog.target));
        expect(await statusOf('blog.localhost')).toBe(200);
      });

      it('twice is once, and a stop twice too', async () => {
        await edge.start();
        await edge.start();
        expect(await statusOf('blog.localhost')).toBe(200);
        await edge.stop();
        await edge.stop();
        await edge.start();
        expect(await statusOf('blog.localhost')).toBe(200);
      });

      it('moves to other ports when it is told so', async () => {
        await edge.stop();
        settings = { ...settings, httpPort: await freePort() };
        edge = underTest.make(settings);
        await edge.start();
        expect(await statusOf('blog.localhost')).toBe(200);
      });
    });

    it('says which port is taken, and leaves its holder alone', async () => {
      const other = await freshSettings();
      const holder = await startBackend('holder');
      const taken = underTest.make({ ...other, httpPort: holder.target.port });
      const error = await taken.start().then(() => undefined, (thrown: unknown) => thrown as ProviderError);
      await taken.stop();
      expect(error).toBeInstanceOf(ProviderError);
      expect([error!.retryable, error!.message]).toEqual([false, expect.stringMatching(new RegExp(`${holder.target.port}.*HOSTPLANE_EDGE_HTTP_PORT`))]);
      await holder.close();
    });
  });
}
