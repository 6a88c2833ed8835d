import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { buffer } from 'node:stream/consumers';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { canMount } from '../support/mounts.js';
import { startPlane, type Plane } from '../support/plane.js';

let plane: Plane;
let site: SiteView;
const FILLER = 'filler';
const folder = mkdtempSync(join(tmpdir(), 'hostplane-bad-input-'));

beforeAll(async () => {
  if (canMount) mountSmallDisk();
  plane = await startPlane({ folder, env: { HOSTPLANE_DOCKER: 'off', HOSTPLANE_MAX_UPLOAD_BYTES: '4M' } });
  const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'fine', kind: 'static' });
  site = await plane.api.settled(created.body.id, ['ACTIVE']);
  await plane.api.call('PUT', `/sites/${site.id}/content`, await tarGz({ 'index.html': 'still here' }));
});
afterAll(async () => {
  await plane?.stop();
  if (canMount) spawnSync('umount', [join(folder, 'content')]);
  rmSync(folder, { recursive: true, force: true });
});

/** For the uploads, before the start: what is mounted while the control plane runs is not in its view. */
function mountSmallDisk(): void {
  chmodSync(folder, 0o711);
  mkdirSync(join(folder, 'content'));
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=0777', 'tmpfs', join(folder, 'content')]).status).toBe(0);
}

/** A refusal says what is wrong as a problem (RFC 9457), and its status is in the body too. */
function expectProblem(reply: { status: number; headers: Headers; body: Record<string, unknown> }, status: number): void {
  expect({ status: reply.status, body: reply.body }).toMatchObject({ status, body: { status, title: expect.any(String), detail: expect.any(String) } });
  expect(reply.headers.get('content-type')).toContain('application/problem+json');
}

describe('a request for a site', () => {
  it.each([
    ['an empty name', { name: '', kind: 'static' }], ['capitals', { name: 'Bad', kind: 'static' }], ['a path', { name: '../etc', kind: 'static' }],
    ['a reserved name', { name: 'www', kind: 'static' }], ['an over-long name', { name: 'x'.repeat(64), kind: 'static' }], ['no name', { kind: 'static' }],
    ['an unknown kind', { name: 'a', kind: 'ftp' }], ['an unknown field', { name: 'a', kind: 'static', colour: 'red' }], ['an app without an image', { name: 'a', kind: 'app', port: 80 }],
    ['an impossible port', { name: 'a', kind: 'app', image: 'x', port: 70000 }], ['a number for a name', { name: 5, kind: 'static' }], ['a list', ['a']],
    ['an injection', { name: 'a;rm -rf /', kind: 'static' }], ['a line break', { name: 'a\nb', kind: 'static' }],
  ])('with %s is refused, and leaves no site', async (_, body) => {
    const reply = await plane.api.call('POST', '/sites', body);
    expect([400, 422]).toContain(reply.status);
    expectProblem(reply, reply.status);
    const { body: list } = await plane.api.call<{ items: SiteView[] }>('GET', '/sites');
    expect(list.items.map(({ name }) => name)).toEqual(['fine']);
  });
  it('that is not JSON is refused', async () => {
    const response = await fetch(`${plane.api.base}/sites`, { method: 'POST', headers: { authorization: `Bearer ${plane.api.token}`, 'content-type': 'application/json' }, body: '{"name": ' });
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
  });
  it.each([
    ['an app', { kind: 'app', image: 'nginx:1.28', port: 80 }, /docker/i],
    ['WordPress', { kind: 'wordpress' }, /no database server .* it takes a Docker Engine/],
  ])('for %s where there is no engine fails with the reason, and can be destroyed', async (_, wish, reason) => {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'engineless', ...wish });
    const failed = await plane.api.settled(created.body.id, ['FAILED']);
    expect(failed.lastError).toMatch(reason);
    await plane.api.call('DELETE', `/sites/${failed.id}`);
    await plane.api.settled(failed.id, ['DESTROYED']);
  });
});

describe('an archive', () => {
  async function entry(header: Record<string, unknown>, content: string | Buffer = ''): Promise<Uint8Array> {
    const tar = pack();
    tar.entry({ name: 'index.html' }, 'x');
    tar.entry(header as unknown as { name: string }, content);
    tar.finalize();
    return new Uint8Array(gzipSync(await buffer(tar)));
  }
  const cases: readonly (readonly [string, () => Promise<Uint8Array>])[] = [
    ['that escapes', () => entry({ name: '../../escape.txt' }, 'x')],
    ['with an absolute path', () => entry({ name: '/etc/escape' }, 'x')],
    ['with a symbolic link', () => entry({ name: 'link', type: 'symlink', linkname: '/etc/passwd' })],
    ['with a hard link', () => entry({ name: 'link', type: 'link', linkname: 'index.html' })],
    ['with a device', () => entry({ name: 'dev', type: 'character-device' })],
    ['that is none', () => Promise.resolve(new TextEncoder().encode('this is not an archive'))],
    ['that is empty', () => Promise.resolve(new Uint8Array())],
    ['that is cut off', async () => (await tarGz({ 'index.html': 'x'.repeat(50_000) + Math.random() })).slice(0, 60)],
    ['that is a bomb', () => entry({ name: 'zeros' }, Buffer.alloc(600 * 1024 * 1024))],
  ];
  it.each(cases)('%s is refused with the reason, and the site stays as it is', async (_, make) => {
    const reply = await plane.api.call('PUT', `/sites/${site.id}/content`, await make());
    expect([400, 413, 415, 422]).toContain(reply.status);
    expectProblem(reply, reply.status);
    expect((await visit(site.url)).body).toBe('still here');
    expect(uploads()).toHaveLength(1);
  });
  it('larger than allowed is refused', async () => {
    const reply = await plane.api.call('PUT', `/sites/${site.id}/content`, new Uint8Array(5 * 1024 * 1024));
    expectProblem(reply, 413);
    expect(uploads()).toHaveLength(1);
  });
  (canMount ? it : it.skip)('for which the disk has no room is refused with 507, and leaves no trace (needs root that may mount a small disk)', async () => {
    const before = uploads();
    const filler = join(folder, 'content', FILLER);
    const { bavail, bsize } = statfsSync(join(folder, 'content'));
    writeFileSync(filler, Buffer.alloc(bavail * bsize - 64 * 1024));
    const noise = new Uint8Array(65_536 * 8).map(() => Math.floor(Math.random() * 256));
    const archive = await tarGz({ 'index.html': Buffer.from(noise).toString('base64') });
    expectProblem(await plane.api.call('PUT', `/sites/${site.id}/content`, archive), 507);
    expect(uploads()).toEqual(before);
    rmSync(filler);
    expect((await visit(site.url)).body).toBe('still here');
    expect((await plane.api.call('PUT', `/sites/${site.id}/content`, archive)).status).toBe(200);
    expect((await plane.api.call('PUT', `/sites/${site.id}/content`, await tarGz({ 'index.html': 'still here' }))).status).toBe(200);
    expect((await visit(site.url)).body).toBe('still here');
  });

  /** Files of the content store, temporary ones included. */
  function uploads(): string[] {
    const store = join(folder, 'content');
    return existsSync(store) ? readdirSync(store, { recursive: true, withFileTypes: true }).filter((file) => file.isFile() && file.name !== FILLER).map(({ name }) => name) : [];
  }
});

describe('a stranger', () => {
  it.each(['', 'hp_wrong', 'Bearer', 'hp_' + 'A'.repeat(43)])('with the token %j is not let in', async (token) => {
    const reply = await plane.api.as(token).call('GET', '/sites');
    expectProblem(reply, 401);
    expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });
  it('sees nothing of what belongs to somebody else, as if it did not exist', async () => {
    const issued = await plane.api.call('POST', '/tokens', { name: 'eve', owner: 'eve', scopes: ['read', 'write'] });
    const eve = plane.api.as(String(issued.body['token']));
    const missing = '00000000-0000-4000-8000-000000000000';
    for (const [method, path] of [['GET', ''], ['DELETE', ''], ['POST', '/stop'], ['POST', '/start'], ['POST', '/restart'], ['POST', '/retry'], ['GET', '/events']] as const) {
      const [theirs, none] = await Promise.all([site.id, missing].map((id) => eve.call(method, `/sites/${id}${path}`)));
      expectProblem(theirs!, 404);
      expect({ ...theirs!.body, detail: '', instance: '', requestId: '' }).toEqual({ ...none!.body, detail: '', instance: '', requestId: '' });
    }
    expect((await eve.call<{ items: unknown[] }>('GET', '/sites')).body.items).toEqual([]);
    const same = await eve.call<SiteView>('POST', '/sites', { name: 'fine', kind: 'static' });
    const hers = await eve.settled(same.body.id, ['ACTIVE']);
    expect(hers.url).not.toBe(site.url);
    expect((await visit(site.url)).body).toBe('still here');
  });
});
