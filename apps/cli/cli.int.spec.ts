import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestGateway } from '../../test/support/gateway.js';
import { run } from './program.js';

jest.setTimeout(60_000);

let gateway: TestGateway;
let folder: string;

beforeAll(async () => {
  gateway = await TestGateway.start();
  folder = mkdtempSync(join(tmpdir(), 'hostplane-cli-'));
  mkdirSync(join(folder, 'site'));
  writeFileSync(join(folder, 'site/index.html'), 'hi');
});
afterAll(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function cli(argv: string[], options: { input?: string; signal?: AbortSignal; env?: NodeJS.ProcessEnv; isTTY?: boolean } = {}): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const code = await run(argv, {
    out: { write: (text: string) => void (said.out += text) },
    err: { write: (text: string) => void (said.err += text), isTTY: options.isTTY ?? false },
    in: Readable.from([options.input ?? '']),
    env: { XDG_CONFIG_HOME: folder, ...options.env },
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { code, ...said };
}
const json = async (...argv: string[]) => JSON.parse((await cli([...argv, '--json'])).out) as Record<string, unknown>;

describe('the command line, against a gateway', () => {
  it('signs in with a token from standard input, and not with a wrong one', async () => {
    expect((await cli(['whoami', '--url', gateway.url])).code).toBe(5);
    expect((await cli(['login', '--url', gateway.url, '--token', `hp_${'x'.repeat(43)}`])).code).toBe(5);
    const { code, out } = await cli(['login', '--url', gateway.url, '--token', '-'], { input: `${gateway.adminToken}\n` });
    expect([code, out]).toEqual([0, expect.stringContaining('admin')]);
    expect(await json('whoami')).toMatchObject({ owner: 'admin', url: gateway.url });
  });
  it('puts a folder live and says where', async () => {
    const { code, out, err } = await cli(['site', 'create', 'hello', '--dir', join(folder, 'site')]);
    expect([code, out]).toEqual([0, 'hello is live at http://hello.localhost:8080\n']);
    expect(err).toContain('launch-site: succeeded');
    expect(err).toContain('publish-release: succeeded');
    expect(await json('site', 'show', 'hello')).toMatchObject({ status: 'ACTIVE', release: { status: 'live' } });
  });
  it('draws progress on a terminal', async () => {
    const { err } = await cli(['site', 'stop', 'hello'], { isTTY: true, env: { TERM: 'xterm' } });
    expect(err).toContain('stop-site');
    expect(err).toContain('\u001b[J');
    expect((await cli(['site', 'list'])).out).toMatch(/hello +static +ACTIVE \(stopped\) +http:\/\/hello\.localhost:8080/);
  });
  it('publishes again, and lists what happened', async () => {
    writeFileSync(join(folder, 'site/index.html'), 'again');
    expect((await cli(['site', 'publish', 'hello', join(folder, 'site')])).code).toBe(0);
    const events = (await json('site', 'events', 'hello'))['items'] as { type: string }[];
    expect(events.filter((event) => event.type === 'SiteReleasePublished')).toHaveLength(2);
    expect((await cli(['events', 'list', '--since', '1h', '--site', 'hello'])).out).toContain('SiteActivated');
    expect((await cli(['events', 'list', '--since', '999999'])).out).toBe('');
  });
  it('tails events until it is stopped', async () => {
    const stopped = new AbortController();
    const tail = cli(['events', 'tail', '--json', '--since', '0', '--type', 'SiteRequested'], { signal: stopped.signal });
    setTimeout(() => stopped.abort(), 700);
    const { code, out } = await tail;
    expect(code).toBe(0);
    expect(out.trim().split('\n').map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(['SiteRequested']);
  });
  it('tells refused, not found and failed apart', async () => {
    expect((await cli(['site', 'create', 'hello'])).code).toBe(3);
    expect((await cli(['site', 'create', 'Hello'])).err).toContain('"Hello" cannot be the name of a site');
    expect((await cli(['site', 'show', 'nope'])).code).toBe(4);
    gateway.lifecycle.isEager = false;
    const { operationId } = (await json('site', 'create', 'slow', '--no-wait', '--kind', 'static')) as { operationId: string };
    const [operation] = (await json('operation', 'list', '--site', 'slow'))['items'] as { id: string }[];
    expect(operation!.id).toBe(operationId);
    const late = await cli(['operation', 'watch', operation!.id, '--timeout', '1']);
    expect([late.code, late.err]).toEqual([1, expect.stringContaining('still under way')]);
    expect((await cli(['operation', 'cancel', operation!.id, '--reason', 'no more'])).code).toBe(0);
    const failed = await cli(['operation', 'watch', operation!.id]);
    expect([failed.code, failed.err]).toEqual([1, expect.stringContaining('no more')]);
    gateway.lifecycle.isEager = true;
  });
  it('makes projects and tokens', async () => {
    expect((await cli(['project', 'create', 'shop', '--no-wait'])).code).toBe(0);
    expect((await cli(['project', 'list'])).out).toMatch(/shop +pending +0/);
    const token = (await cli(['token', 'create', 'ci', '--scope', 'read', '--expires', '1d'])).out.trim();
    expect((await cli(['site', 'list'], { env: { HOSTPLANE_TOKEN: token } })).code).toBe(0);
    expect((await cli(['site', 'delete', 'hello'], { env: { HOSTPLANE_TOKEN: token } })).code).toBe(3);
    const { tokenId } = JSON.parse((await cli(['whoami', '--json'], { env: { HOSTPLANE_TOKEN: token } })).out) as { tokenId: string };
    expect((await cli(['token', 'revoke', tokenId])).code).toBe(0);
    expect((await cli(['whoami'], { env: { HOSTPLANE_TOKEN: token } })).code).toBe(5);
  });
  it('lets others into a project, and limits tokens to it', async () => {
    expect((await cli(['project', 'members', 'add', 'shop', 'bob', '--role', 'viewer'])).out).toMatch(/Role +viewer/);
    expect((await cli(['project', 'members', 'change', 'shop', 'bob', '--role', 'admin'])).code).toBe(0);
    expect((await cli(['project', 'members', 'list', 'shop'])).out).toMatch(/bob +admin[\s\S]*admin +owner/);
    const { code, out, err } = await cli(['token', 'create', 'deploys', '--project', 'shop', '--verb', 'sites:deploy', '--verb', 'projects:read']);
    expect([code, err]).toEqual([0, expect.stringContaining('sites:deploy, projects:read in ')]);
    const env = { HOSTPLANE_TOKEN: out.trim() };
    expect((await cli(['project', 'list'], { env })).out).toMatch(/^NAME.*\nshop +\w+/);
    expect((await cli(['project', 'delete', 'shop'], { env })).err).toContain('projects:delete');
    expect((await cli(['token', 'list'])).out).toMatch(/deploys +admin +sites:deploy, projects:read in [0-9a-f-]{36}/);
    expect((await cli(['project', 'members', 'remove', 'shop', 'bob'])).out).toContain('bob');
  });
  it('shows what a project has, and says what it may have', async () => {
    expect((await cli(['project', 'quota', 'default'])).out).toMatch(/Sites +\d+ of unlimited\nMemory +0 of unlimited/);
    expect((await cli(['project', 'quota', 'default', '--memory', '1G', '--cpu', '1.5', '--sites', '50'])).out).toMatch(/of 50\nMemory +0 of 1G\nCores +0 of 1\.5\nDisk +[\d.]+\w* of unlimited/);
    expect((await cli(['site', 'create', 'too-much', '--image', 'a:1', '--port', '80', '--no-wait'])).code).toBe(0);
    expect((await cli(['site', 'create', 'too-much-2', '--image', 'a:1', '--port', '80', '--no-wait'])).err).toContain('cpu: 1 cores of 1.5 cores are used, 1 cores more were asked for');
    expect((await cli(['project', 'quota', 'default', '--cpu', 'many'])).code).toBe(2);
    expect((await cli(['project', 'quota', 'default', '--reset'])).out).toMatch(/Memory +512M of unlimited/);
  });
  it('destroys a site', async () => {
    expect((await cli(['site', 'destroy', 'hello'])).out).toContain('Destroyed');
    expect((await cli(['site', 'list', '--status', 'DESTROYED'])).out).toContain('hello');
  });
  it('lists what destroyed sites left, and discards it by the id, or by a name that only one of them had', async () => {
    expect((await cli(['site', 'list', '--kept-data'])).err).toContain('No destroyed site left its data');
    const ids: string[] = [];
    for (const name of ['left', 'left', 'alone']) {
      ids.push(String((await json('site', 'create', name, '--kind', 'static'))['id']));
      expect((await cli(['site', 'delete', name, '--keep-data'])).out).toContain(`hostplane site discard-data ${ids.at(-1)} --confirm ${name}`);
    }
    expect((await cli(['site', 'list', '--kept-data'])).out.split('\n').filter((line) => / static +kept +unknown /.test(line))).toHaveLength(3);
    const ambiguous = await cli(['site', 'discard-data', 'left']);
    expect([ambiguous.code, ambiguous.err]).toEqual([2, expect.stringContaining(`${ids[1]}, ${ids[0]}`)]);
    const unsure = await cli(['site', 'discard-data', ids[0]!]);
    expect([unsure.code, unsure.err]).toEqual([2, expect.stringContaining('--confirm <name>')]);
    const wrong = await cli(['site', 'discard-data', ids[0]!, '--confirm', 'other']);
    expect([wrong.code, wrong.err]).toEqual([3, expect.stringContaining('was called "left", not "other"')]);
    expect((await cli(['site', 'discard-data', ids[0]!, '--confirm', 'left'])).out).toMatch(/Discarded +the data of left/);
    expect((await cli(['site', 'discard-data', 'left'])).code).toBe(0);
    expect((await cli(['site', 'restore', 'alone', 'heir', '--no-wait'])).out).toMatch(/^heir is /);
    expect((await cli(['site', 'restore', 'never', 'heir'])).err).toContain('There is no site "never"');
    expect((await cli(['site', 'discard-data', 'alone', '--json'])).code).toBe(0);
    expect(await json('site', 'show', ids[2]!)).toMatchObject({ status: 'DESTROYED', leftData: 'gone' });
    const twice = await cli(['site', 'discard-data', ids[2]!, '--confirm', 'alone']);
    expect([twice.code, twice.err]).toEqual([3, expect.stringContaining('is gone')]);
    expect((await cli(['site', 'discard-data', 'alone'])).code).toBe(4);
    expect((await cli(['site', 'list', '--kept-data'])).out).toBe('');
  });
  it('says whether the server is well, and signs out', async () => {
    expect((await cli(['status'])).out).toMatch(/log +ok/);
    expect((await cli(['logout'])).out).toContain('Signed out');
    expect((await cli(['site', 'list', '--url', gateway.url])).code).toBe(5);
  });
});
