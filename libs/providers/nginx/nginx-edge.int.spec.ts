import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { listenToProbes } from '#contracts/probe.js';
import { freePort } from '../../../infra/start/ports.js';
import { commandOf } from '../../../infra/start/processes.js';
import { describeWithNginx } from '../../../test/support/docker.js';
import { acceptedNames } from '../../../test/support/hostile-names.js';
import { hostileRules, oneHostileRule } from '../../../test/support/hostile-rules.js';
import { edgeContract } from '../contract/edge.contract.js';
import { edgeRulesContract } from '../contract/edge-rules.contract.js';
import { edgeTlsContract } from '../contract/edge-tls.contract.js';
import { sendRaw, startBackend, visit, type Backend } from '../contract/edge-visitor.contract.js';
import type { EdgeRoute } from '../edge.js';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { siteRulesOf } from '../edge/site-rules.js';
import { LocalNginx } from './local-nginx.js';
import { NginxEdge } from './nginx-edge.js';
import { isTaking } from './nginx-process.js';
import { quoted } from './nginx-value.js';

const make = (settings: EdgeSettings) => new NginxEdge(settings, new LocalNginx(settings));

describeWithNginx('nginx', () => {
  edgeContract('nginx', { make, kill: killAll });
  edgeRulesContract('nginx', { make, kill: killAll });
  edgeTlsContract('nginx', { make, kill: killAll });
});

describeWithNginx('nginx by its binary', () => {
  let folder: string;
  let settings: EdgeSettings;
  let edge: NginxEdge;
  let backend: Backend;
  const said: string[] = [];
  const routes = (...hostnames: string[]): EdgeRoute[] => [{ siteId: 's', hostnames, target: backend.target, state: 'up' }];
  const inEdge = (...path: string[]) => join(settings.folder, ...path);
  const statusOf = async (host: string) => (await visit(settings, host)).status;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostplane-nginx-'));
    await chmod(folder, 0o755);
    const [httpPort, httpsPort] = [await freePort(), await freePort()];
    settings = { planeId: `plane-${httpPort}`, folder: join(folder, 'edge'), sitesFolder: join(folder, 'sites'), bind: '127.0.0.1', httpPort, httpsPort, baseDomain: 'localhost', log: (line) => said.push(line) };
    backend = await startBackend('site');
    edge = make(settings);
    said.length = 0;
    await edge.start();
  });
  afterEach(async () => {
    await edge.stop();
    await backend.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('is adopted by the next process as it runs', async () => {
    const applied = await edge.apply({ revision: 1, routes: routes('a.localhost') });
    const master = await masterOf(settings);
    edge = make(settings);
    await edge.start();
    expect([await masterOf(settings), await edge.served()]).toEqual([master, applied]);
    await edge.apply({ revision: 2, routes: routes('b.localhost') });
    expect([await masterOf(settings), await statusOf('b.localhost')]).toEqual([master, 200]);
  });

  it('takes over from workers whose master was killed', async () => {
    await edge.apply({ revision: 1, routes: routes('a.localhost') });
    process.kill(await masterOf(settings), 'SIGKILL');
    await sleep(20);
    expect(await statusOf('a.localhost')).toBe(200);
    await edge.apply({ revision: 2, routes: routes('b.localhost') });
    expect([await statusOf('a.localhost'), await statusOf('b.localhost')]).toEqual([404, 200]);
  });

  it('is started by the next table when somebody has killed it', async () => {
    await edge.apply({ revision: 1, routes: routes('a.localhost') });
    await killAll(settings);
    expect(await edge.served()).toBeUndefined();
    await edge.apply({ revision: 2, routes: routes('a.localhost') });
    expect(await statusOf('a.localhost')).toBe(200);
  });

  it('heals a harmed configuration', async () => {
    const applied = await edge.apply({ revision: 1, routes: routes('a.localhost') });
    await edge.stop();
    await writeFile(inEdge('current', 'nginx.conf'), 'nonsense {');
    edge = make(settings);
    await edge.start();
    expect(await edge.served()).toEqual(applied);
  });

  it('falls back to the generation before when the last cannot be read', async () => {
    const first = await edge.apply({ revision: 1, routes: routes('a.localhost') });
    await edge.apply({ revision: 2, routes: routes('b.localhost') });
    await edge.stop();
    await writeFile(inEdge('current', 'table.json'), '{"revision":');
    edge = make(settings);
    await edge.start();
    expect(await edge.served()).toEqual(first);
    expect(said.join()).toContain('older one is taken');
  });

  it('starts empty when nothing on disk can be read, and takes the next table', async () => {
    await edge.stop();
    for (const entry of (await readdir(settings.folder)).filter((name) => name.startsWith('gen-'))) await writeFile(inEdge(entry, 'table.json'), 'null');
    edge = make(settings);
    await edge.start();
    expect(await edge.served()).toMatchObject({ revision: 0 });
    await edge.apply({ revision: 9, routes: routes('a.localhost') });
    expect(await statusOf('a.localhost')).toBe(200);
  });

  it('never touches a process that only has the number of its pid file', async () => {
    await edge.stop();
    await writeFile(inEdge('nginx.pid'), String(process.pid));
    await edge.stop();
    await edge.apply({ revision: 1, routes: routes('a.localhost') });
    expect(await statusOf('a.localhost')).toBe(200);
  });

  it('keeps three generations', async () => {
    for (let revision = 1; revision <= 6; revision++) await edge.apply({ revision, routes: routes('a.localhost') });
    expect((await readdir(settings.folder)).filter((name) => name.startsWith('gen-')).length).toBe(3);
    expect(await readlink(inEdge('current'))).toBe('gen-7');
  });

  it('carries on after a death between any two steps', async () => {
    for (const point of ['nginx:stage', 'nginx:test', 'nginx:swap', 'nginx:reload', 'nginx:confirm']) {
      const revision = ((await edge.served())?.revision ?? 0) + 1;
      listenToProbes((reachedPoint) => {
        if (reachedPoint === point) throw new Error('dead');
      });
      await expect(edge.apply({ revision, routes: routes(`${point.slice(6)}.localhost`) })).rejects.toThrow('dead');
      listenToProbes(() => undefined);
      edge = make(settings);
      await edge.start();
      await edge.apply({ revision: revision + 1, routes: routes(`${point.slice(6)}.localhost`) });
      expect([point, await statusOf(`${point.slice(6)}.localhost`)]).toEqual([point, 200]);
    }
  });

  it('is not confused by reloads that it has not asked for', async () => {
    for (let revision = 1; revision <= 20; revision++) {
      const master = await masterOf(settings);
      for (let i = 0; i < revision % 4; i++) {
        process.kill(master, 'SIGHUP');
        await sleep((revision % 10) * 4 * i);
      }
      await edge.apply({ revision, routes: routes(`r${revision}.localhost`) });
      const statuses = await Promise.all(Array.from({ length: 20 }, () => statusOf(`r${revision}.localhost`)));
      expect(new Set(statuses)).toEqual(new Set([200]));
    }
  });

  it('puts the old table back when the new one does not come to serve', async () => {
    const before = await edge.apply({ revision: 1, routes: routes('a.localhost') });
    const holder = await startBackend('holder');
    const moved = make({ ...settings, httpPort: holder.target.port });
    const hurried = new NginxEdge({ ...settings, httpPort: holder.target.port }, new LocalNginx(settings), 700);
    const error = await hurried.apply({ revision: 2, routes: routes('b.localhost') }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringContaining(String(holder.target.port)) });
    await sleep(300);
    expect([await edge.served(), await statusOf('a.localhost'), await moved.served()]).toEqual([before, 200, undefined]);
    await holder.close();
  });

  it('serves without rights where its folders can be entered, and says so where it cannot', async () => {
    if (process.getuid?.() !== 0) return;
    await mkdir(join(settings.sitesFolder, 'docs', 'r1'), { recursive: true });
    await writeFile(join(settings.sitesFolder, 'docs', 'r1', 'index.html'), 'docs');
    await symlink('r1', join(settings.sitesFolder, 'docs', 'current'));
    const docs: EdgeRoute[] = [{ siteId: 'd', hostnames: ['docs.localhost'], target: { address: '', port: 0, root: 'docs/current' }, state: 'up' }];
    await edge.apply({ revision: 1, routes: docs });
    expect([await statusOf('docs.localhost'), workerUsers(await masterOf(settings))]).toEqual([200, ['www-data']]);
    expect(said).toEqual([]);
    await chmod(folder, 0o700);
    edge = make(settings);
    await edge.start();
    expect([await statusOf('docs.localhost'), workerUsers(await masterOf(settings))]).toEqual([200, ['root']]);
    expect(said).toEqual([expect.stringContaining(folder)]);
  });

  it('reads every literal that is let through as that literal', async () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.array(fc.constantFrom(';', '"', "'", '{', '}', '\\', '#', ' ', '~', '}server{', 'a'), { maxLength: 8 }).map((parts) => parts.join('')));
    const literals = fc.sample(text, 2000).flatMap((value) => {
      try {
        return [[value, quoted(value, 'A value')] as const];
      } catch {
        return [];
      }
    });
    const locations = literals.map(([, literal], i) => `location = /${i} { return 200 ${literal}; }`);
    const file = inEdge('literals.conf');
    await writeFile(file, `pid "${inEdge('literals.pid')}"; error_log stderr;\nevents {}\nhttp { access_log off; server { listen 127.0.0.1:${await freePort()};\n${locations.join('\n')}\n} }`);
    expect(literals.length).toBeGreaterThan(500);
    expect(await new LocalNginx(settings).complaint(file)).toBeUndefined();
    const child = spawn('/usr/sbin/nginx', ['-p', settings.folder, '-c', file, '-g', 'daemon off; master_process off;'], { stdio: 'ignore' });
    try {
      const port = Number(/listen 127\.0\.0\.1:(\d+)/.exec(await readFile(file, 'utf8'))![1]);
      for (const end = Date.now() + 10_000; Date.now() < end && !(await visit({ ...settings, httpPort: port }, 'x').catch(() => undefined)); ) await sleep(20);
      for (const [i, [value]] of literals.slice(0, 300).entries()) {
        expect((await visit({ ...settings, httpPort: port }, 'x', { path: `/${i}` })).text).toBe(value);
      }
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('fails no visitor of other sites over 100 reloads, files and containers, plain and by HTTPS', async () => {
    await mkdir(join(settings.sitesFolder, 'docs', 'r1'), { recursive: true });
    await writeFile(join(settings.sitesFolder, 'docs', 'r1', 'index.html'), 'docs');
    await symlink('r1', join(settings.sitesFolder, 'docs', 'current'));
    const docs: EdgeRoute = { siteId: 'd', hostnames: ['docs.localhost'], target: { address: '', port: 0, root: 'docs/current' }, state: 'up' };
    const own: EdgeRoute = { ...routes('own.localhost')[0]!, siteId: 'own', rules: { httpsOnly: false, hsts: undefined, maxBodyBytes: 9, targetTimeoutSeconds: 0, users: [], allow: ['127.0.0.0/8'], deny: [], maintenance: undefined, errorPages: [] } };
    const others = [docs, own, ...routes('a.localhost')];
    await edge.apply({ revision: 1, routes: others });
    const [most, failed, served]: [number, unknown[], { count: number }] = [20_000, [], { count: 0 }];
    let isDone = false;
    const asked = [['docs.localhost', false], ['own.localhost', false], ['a.localhost', false], ['own.localhost', true]] as const;
    const visitors = asked.map(async ([host, tls]) => {
      while (!isDone && served.count < most) {
        await visit(settings, host, { tls }).then((answer) => (answer.status === 200 ? served.count++ : failed.push(answer)), (error: unknown) => failed.push(error));
        await sleep(1);
      }
    });
    for (let revision = 2; revision <= 101; revision++) await edge.apply({ revision, routes: [...others, { ...docs, siteId: 'o', hostnames: [`r${revision}.localhost`] }] });
    isDone = true;
    await Promise.all(visitors);
    expect([failed, served.count > 200]).toEqual([[], true]);
  }, 300_000);

  it('takes every rule and every name that is let through', async () => {
    const rules = [...fc.sample(oneHostileRule, 1500), ...fc.sample(hostileRules, 200)];
    const names = [...new Set(acceptedNames('localhost'))];
    const routesWith: EdgeRoute[] = rules.map((rule, i) => ({ siteId: `s${i}`, hostnames: [`s${i}.localhost`, ...names.slice(i * 3, i * 3 + 3)], target: backend.target, state: 'up', rules: rule }));
    const accepted = routesWith.filter((route) => {
      try {
        return siteRulesOf(route) !== undefined;
      } catch {
        return false;
      }
    });
    expect(accepted.length).toBeGreaterThan(100);
    expect(await edge.apply({ revision: 1, routes: [...accepted, ...routes('plain.localhost')] })).toMatchObject({ revision: 1 });
    expect(await statusOf('plain.localhost')).toBe(200);
  });

  it('keeps the texts that its generations name, and no others, where nobody can list them', async () => {
    const page = (html: string): EdgeRoute[] => [{ ...routes('a.localhost')[0]!, rules: { httpsOnly: false, hsts: undefined, maxBodyBytes: 0, targetTimeoutSeconds: 0, users: [], allow: [], deny: [], maintenance: { text: html, retryAfterSeconds: 9 }, errorPages: [] } }];
    for (let revision = 1; revision <= 5; revision++) await edge.apply({ revision, routes: page(`text ${revision}`) });
    const kept = await Promise.all((await readdir(inEdge('kept'))).map((name) => readFile(inEdge('kept', name), 'utf8')));
    expect(kept.map((text) => /text \d/.exec(text)?.[0]).sort()).toEqual(['text 3', 'text 4', 'text 5']);
    expect([(await stat(inEdge('kept'))).mode & 0o777, (await stat(inEdge('current', 'nginx.conf'))).mode & 0o777]).toEqual([0o711, 0o600]);
  });

  it('takes visitors from a balancer that speaks the PROXY protocol, and believes whom it trusts', async () => {
    await edge.stop();
    const proxied = { ...settings, proxyProtocol: true, proxyRanges: ['127.0.0.1/32'] };
    edge = make(proxied);
    await edge.start();
    expect(await edge.apply({ revision: 1, routes: routes('a.localhost') })).toEqual(await edge.served());
    const answer = await sendRaw(settings, 'PROXY TCP4 198.51.100.4 192.0.2.1 5000 80\r\nGET /p HTTP/1.1\r\nHost: a.localhost\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    expect(backend.requests.at(-1)!.headers).toMatchObject({ 'x-forwarded-for': '198.51.100.4', 'x-forwarded-proto': 'http' });
    expect(await sendRaw(settings, 'GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n')).not.toMatch(/^HTTP\/1\.1 200/);
  });

  it('is available where there is a binary new enough, and says why not elsewhere', async () => {
    expect(await edge.available()).toBe(true);
    expect(await new LocalNginx(settings, '/nowhere/nginx').available()).toContain('/nowhere/nginx');
    const old = join(folder, 'old-nginx');
    await writeFile(old, '#!/bin/sh\necho "nginx version: nginx/1.14.2" >&2\n', { mode: 0o755 });
    expect(await new LocalNginx(settings, old).available()).toContain('1.14.2');
  });
});

async function masterOf(settings: EdgeSettings): Promise<number> {
  return Number(await readFile(join(settings.folder, 'nginx.pid'), 'utf8'));
}

/** Processes that take requests. */
function workersOf(master: number): number[] {
  const children = readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ').map(Number);
  return children.filter((pid) => isTaking(commandOf(pid)));
}

/** Names of the users that they run as. */
function workerUsers(master: number): string[] {
  const accounts = new Map(readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => [Number(line.split(':')[2]), line.split(':')[0]!]));
  return [...new Set(workersOf(master).map((pid) => accounts.get(statSync(`/proc/${pid}`).uid) ?? '?'))];
}

/** Kills the master and every worker of one edge. */
async function killAll(settings: EdgeSettings): Promise<void> {
  const master = await masterOf(settings);
  for (const pid of [master, ...workersOf(master)]) process.kill(pid, 'SIGKILL');
  await sleep(50);
}
