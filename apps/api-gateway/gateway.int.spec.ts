import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { ApiClient } from '#api/client.js';
import type { Problem } from '#api/problem.js';
import { API_BASE, type Route } from '#api/route.js';
import { routes } from '#api/routes.js';
import { Api } from '../../test/support/api.js';
import { tarGz } from '../../test/support/archives.js';
import { TestGateway } from '../../test/support/gateway.js';

jest.setTimeout(60_000);

let gateway: TestGateway;
let admin: Api;
let ann: Api;
let bob: Api;

beforeAll(async () => {
  gateway = await TestGateway.start({ HOSTPLANE_MAX_UPLOAD_BYTES: '100K' });
  admin = new Api(gateway.url + API_BASE, gateway.adminToken);
  ann = admin.as(await tokenFor('ann'));
  bob = admin.as(await tokenFor('bob'));
});
afterAll(() => gateway?.stop());

async function tokenFor(owner: string, scopes = ['read', 'write'], expiresAt?: string): Promise<string> {
  const { status, body } = await admin.call<{ token: string }>('POST', '/tokens', { name: 'test', owner, scopes, expiresAt });
  expect(status).toBe(201);
  return body.token;
}

interface SiteBody extends Record<string, unknown> {
  id: string;
  operationId: string;
  projectId: string;
}
const page = async (api: Api, path: string) => (await api.call<{ items: Record<string, unknown>[]; nextCursor?: string }>('GET', path)).body;
let count = 0;
const makeSite = async (api: Api, more: object = {}, name = `site-${++count}`) => (await api.call<SiteBody>('POST', '/sites', { name, kind: 'static', ...more })).body;

describe('a site', () => {
  it('is accepted with its operation, and shown', async () => {
    const reply = await ann.call<SiteBody>('POST', '/sites', { name: 'hello', kind: 'static' });
    expect(reply.status).toBe(202);
    expect(reply.headers.get('location')).toBe(`/api/v1/operations/${reply.body.operationId}`);
    const { body } = await ann.call('GET', '/sites/hello');
    expect(body).toMatchObject({ id: reply.body.id, name: 'hello', kind: 'static', runtime: 'files', status: 'ACTIVE', power: 'running', url: 'http://hello.localhost:8080' });
    expect((await ann.call('GET', `/operations/${reply.body.operationId}`)).body).toMatchObject({ kind: 'launch-site', status: 'succeeded', steps: [{ name: 'workload', status: 'succeeded' }] });
    expect((await ann.call('GET', '/projects/default')).body).toMatchObject({ id: reply.body.projectId, siteCount: 1 });
  });
  it('goes to one default project, however many are asked for at once', async () => {
    const carl = admin.as(await tokenFor('carl'));
    const sites = await Promise.all(Array.from({ length: 8 }, () => makeSite(carl)));
    expect(new Set(sites.map((site) => site.projectId)).size).toBe(1);
    expect(sites[0]!.projectId).toBeTruthy();
  });
  it('is stopped, started and destroyed', async () => {
    const { id } = await makeSite(ann);
    expect((await ann.call('POST', `/sites/${id}/stop`)).status).toBe(202);
    expect((await ann.call('GET', `/sites/${id}`)).body).toMatchObject({ power: 'stopped', status: 'ACTIVE' });
    expect((await ann.call('POST', `/sites/${id}/start`)).status).toBe(202);
    expect((await ann.call('DELETE', `/sites/${id}`)).status).toBe(202);
    expect((await ann.call('GET', `/sites/${id}`)).body).toMatchObject({ status: 'DESTROYED' });
    expect((await page(ann, '/sites?limit=200')).items.filter((site) => site['id'] === id)).toEqual([]);
    expect((await page(ann, '/sites?status=DESTROYED')).items.map((site) => site['id'])).toContain(id);
  });
  it('that left its data has that discarded: once with a key, and refused with the reason where there is nothing to discard', async () => {
    const { id } = await makeSite(ann);
    const discard = (key = 'k') => ann.call<SiteBody & Problem>('DELETE', `/sites/${id}/data`, undefined, { 'idempotency-key': `${id}-${key}` });
    expect((await discard('early')).body).toMatchObject({ status: 409, detail: expect.stringMatching(/ACTIVE/) });
    await ann.call('DELETE', `/sites/${id}?keepData=true`);
    expect((await page(ann, '/sites?leftData=true')).items.map((one) => [one['id'], one['leftData'], one['isDataKept']])).toEqual([[id, 'kept', true]]);
    expect([(await page(bob, '/sites?leftData=true')).items, (await bob.call('DELETE', `/sites/${id}/data`)).status]).toEqual([[], 404]);
    const first = await discard();
    expect([first.status, first.headers.get('location')]).toEqual([202, `/api/v1/operations/${first.body.operationId}`]);
    const again = await discard();
    expect([again.status, again.body.operationId, again.headers.get('idempotency-replayed')]).toEqual([202, first.body.operationId, 'true']);
    expect((await ann.call('GET', `/operations/${first.body.operationId}`)).body).toMatchObject({ kind: 'discard-data', siteId: id, status: 'succeeded' });
    expect((await ann.call('GET', `/sites/${id}`)).body).toMatchObject({ status: 'DESTROYED', leftData: 'gone' });
    expect((await discard('late')).body).toMatchObject({ status: 409, detail: expect.stringMatching(/is gone/) });
    expect((await page(ann, '/sites?leftData=true')).items).toEqual([]);
    expect((await page(ann, `/sites/${id}/events?limit=200`)).items.map(({ type }) => type)).toEqual(expect.arrayContaining(['SiteDataDiscardRequested', 'SiteDataDiscarded']));
  });
  it('with an environment waits for a vault that is away, and nothing of it is there meanwhile', async () => {
    const post = () => ann.call<SiteBody>('POST', '/sites', { name: 'sealed', kind: 'app', image: 'shop:1', port: 3000, env: { SECRET: 'planted-value' } }, { 'idempotency-key': 'away' });
    await gateway.closeVault();
    const refused = await post();
    expect(refused.body).toMatchObject({ status: 503, code: 'unavailable', detail: expect.stringMatching(/No secrets answers/) });
    expect((await ann.call('GET', '/sites/sealed')).status).toBe(404);
    await gateway.openVault();
    const made = await post();
    expect(made.status).toBe(202);
    const again = await post();
    expect([again.headers.get('idempotency-replayed'), again.body.id]).toEqual(['true', made.body.id]);
    const other = await ann.call('POST', '/sites', { name: 'sealed', kind: 'app', image: 'shop:1', port: 3000, env: { SECRET: 'another-value' } }, { 'idempotency-key': 'away' });
    expect(other.body).toMatchObject({ code: 'key-reused' });
  });
  it('that was accepted before its answer was kept is the same site when it is asked for again, sealed anew', async () => {
    const post = () => ann.call<SiteBody>('POST', '/sites', { name: 'twice', kind: 'app', image: 'shop:1', port: 3000, env: { SECRET: 'planted-value' } }, { 'idempotency-key': 'lost' });
    const first = await post();
    await gateway.forgetAnswers();
    const second = await post();
    expect([second.status, second.body.id, second.headers.get('idempotency-replayed')]).toEqual([202, first.body.id, null]);
    expect((await gateway.events()).filter(({ type, data }) => type === 'SiteRequested' && (data as { name: string }).name === 'twice')).toHaveLength(1);
  });
  it('has an environment of a size that a process can be started with', async () => {
    const wrong = { SECRET: 'a\0b' };
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`V${i}`, 'x']));
    const large = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`V${i}`, i < 3 ? 'ä'.repeat(32_768) : 'x'.repeat(32_768)]));
    for (const env of [wrong, many, large]) expect((await ann.call('POST', '/sites', { name: 'big', kind: 'app', image: 'shop:1', port: 1, env })).status).toBe(422);
  });
  it('never shows the values of its environment', async () => {
    const { id } = await makeSite(ann, { kind: 'app', image: 'shop:1', port: 3000, env: { SECRET: 'planted-value' } });
    expect((await ann.call('GET', `/sites/${id}`)).body).toMatchObject({ app: { image: 'shop:1', port: 3000, envNames: ['SECRET'], healthPath: '/' } });
    for (const path of [`/sites/${id}`, '/sites', `/sites/${id}/events`, '/events?format=json&limit=200']) expect(JSON.stringify((await ann.call('GET', path)).body)).not.toContain('planted-value');
    expect(JSON.stringify((await gateway.events()).filter(({ type }) => type === 'SiteRequested'))).not.toContain('planted-value');
    expect(gateway.log.join('')).not.toContain('planted-value');
  });
});

describe('what is asked wrongly', () => {
  it.each([
    ['a field that is missing', '/sites', { name: 'x' }, 422, 'kind'],
    ['a field that is not known', '/sites', { name: 'x', kind: 'static', colour: 'red' }, 422, 'colour'],
    ['a kind that is not known', '/sites', { name: 'x', kind: 'cgi' }, 422, 'kind'],
    ['a name with capitals', '/sites', { name: 'Nope', kind: 'static' }, 422, 'name'],
    ['a reserved name', '/sites', { name: 'www', kind: 'static' }, 422, 'name'],
    ['an over-long name', '/sites', { name: 'x'.repeat(64), kind: 'static' }, 422, 'name'],
    ['an app without an image', '/sites', { name: 'x', kind: 'app', port: 80 }, 422, 'image'],
    ['a project that is not there', '/sites', { name: 'x', kind: 'static', projectId: 'nope' }, 404, 'projectId'],
    ['a name that is taken', '/sites', { name: 'hello', kind: 'static' }, 409, 'name'],
  ])('%s is named', async (_, path, body, status, field) => {
    const before = (await gateway.events()).length;
    const reply = await ann.call<Problem & Record<string, unknown>>('POST', path, body);
    expect(reply.status).toBe(status);
    expect(reply.headers.get('content-type')).toContain('application/problem+json');
    expect(reply.body.status).toBe(status);
    expect(reply.body.requestId).toBe(reply.headers.get('x-request-id'));
    expect(reply.body.errors?.map((error) => error.field)).toContain(field);
    expect((await gateway.events()).length).toBe(before);
  });
  it.each([
    ['JSON that is not', 'POST', '/sites', '{', 'application/json', 400, 'malformed'],
    ['another kind of content', 'POST', '/sites', '<a/>', 'application/xml', 415, 'unsupported-media'],
    ['a body that is too large', 'POST', '/sites', JSON.stringify({ name: 'x'.repeat(2_000_000) }), 'application/json', 413, 'too-large'],
    ['an address that is not there', 'GET', '/nope', undefined, 'application/json', 404, 'not-found'],
    ['a verb that is not there', 'PUT', '/sites', '{}', 'application/json', 404, 'not-found'],
    ['a prototype in JSON', 'POST', '/sites', '{"__proto__":{"a":1},"name":"x","kind":"static"}', 'application/json', 400, 'malformed'],
  ])('%s is a problem', async (_, method, path, body, type, status, code) => {
    const response = await fetch(ann.base + path, { method, ...(body === undefined ? {} : { body }), headers: { authorization: `Bearer ${ann.token}`, 'content-type': type } });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code, status, type: `urn:hostplane:problem:${code}` });
  });
  it.each([
    ['text with a NUL in the body', 'POST', '/tokens', { name: 'a\0b', scopes: ['read'] }, 'name'], ['text with a NUL deep in the body', 'PATCH', '/sites/hello/edge', { maintenance: { text: 'a\0b' } }, 'maintenance.text'],
    ['half a surrogate pair', 'POST', '/tokens', { name: 'a\ud83db', scopes: ['read'] }, 'name'], ['a NUL in the path', 'GET', '/domains/a%00b', undefined, 'name'], ['a NUL in the query', 'GET', '/sites?projectId=%00', undefined, 'projectId'],
  ])('%s is refused, and named', async (_, method, path, body, field) => {
    const before = (await gateway.events()).length;
    const reply = await ann.call<Problem & Record<string, unknown>>(method, path, body);
    expect([reply.status, reply.body.code]).toEqual([422, 'invalid']);
    expect(reply.body.errors).toEqual([{ field, message: 'Text may have no NUL, and no half of a surrogate pair.' }]);
    expect((await gateway.events()).length).toBe(before);
  });
  it.each([['an address that is no address', '/domains/%zz', 400, 'malformed'], ['an address that is too long', `/domains/${'a'.repeat(12_000)}`, 400, 'malformed']])('%s is a problem', async (_, path, status, code) => {
    const response = await fetch(ann.base + path, { headers: { authorization: `Bearer ${ann.token}` } });
    expect([response.status, response.headers.get('content-type')]).toEqual([status, expect.stringContaining('application/problem+json')]);
    expect(await response.json()).toMatchObject({ code, status, type: `urn:hostplane:problem:${code}`, requestId: response.headers.get('x-request-id') });
  });
  it('names as long as a domain can be are looked for, in any alphabet', async () => {
    for (const name of [`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.example.com`, `${'\u{10ffff}'.repeat(60)}.example.com`, 'ü'.repeat(500)]) expect(await ann.call('GET', `/domains/${encodeURIComponent(name)}`)).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });
  it('a page size or cursor that cannot be', async () => {
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=xyz', 'status=NOPE', 'colour=red']) expect((await ann.call('GET', `/sites?${query}`)).status).toBe(422);
  });
});

describe('tokens', () => {
  const requests = Object.values(routes as Record<string, Route>).filter((route) => route.scope !== 'none');
  const filled = (route: Route, id: string) => route.path.replace(/\{id\}/, id);

  it.each(requests.map((route) => [`${route.method} ${route.path}`, route] as const))('%s asks for one', async (_, route) => {
    const missing = await fetch(ann.base + filled(route, 'x'), { method: route.method });
    expect([missing.status, missing.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="hostplane"']);
    const wrong = await fetch(ann.base + filled(route, 'x'), { method: route.method, headers: { authorization: `Bearer hp_${'x'.repeat(43)}` } });
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="hostplane", error="invalid_token"']);
    expect(await wrong.json()).toMatchObject({ code: 'unauthenticated', status: 401 });
  });
  it.each(requests.filter((route) => route.scope !== 'read').map((route) => [`${route.method} ${route.path}`, route] as const))('%s is not for a token that only reads', async (_, route) => {
    const reader = admin.as(await tokenFor('ann', ['read']));
    expect((await reader.call(route.method, filled(route, 'x'), route.method === 'GET' ? undefined : {})).status).toBe(403);
  });
  it('hand out no more than they have', async () => {
    expect((await ann.call('POST', '/tokens', { name: 'x', scopes: ['admin'] })).status).toBe(403);
    expect((await ann.call('POST', '/tokens', { name: 'x', owner: 'bob' })).status).toBe(403);
    const soon = new Date(Date.now() + 60_000).toISOString();
    const brief = admin.as(await tokenFor('ann', ['read', 'write'], soon));
    expect((await brief.call('POST', '/tokens', { name: 'x' })).status).toBe(403);
    expect((await brief.call('POST', '/tokens', { name: 'x', expiresAt: soon })).status).toBe(201);
  });
  it('let nobody in once they are revoked or have expired', async () => {
    const { body } = await admin.call<{ id: string; token: string }>('POST', '/tokens', { name: 'x', owner: 'dora', expiresAt: new Date(Date.now() + 700).toISOString() });
    const dora = admin.as(body.token);
    expect((await dora.call('GET', '/session')).body).toMatchObject({ owner: 'dora', scopes: ['read', 'write'] });
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect((await dora.call('GET', '/session')).status).toBe(401);
    const revoked = admin.as(await tokenFor('dora'));
    const { body: session } = await revoked.call<{ tokenId: string }>('GET', '/session');
    expect((await revoked.call('DELETE', `/tokens/${session.tokenId}`)).status).toBe(200);
    expect((await revoked.call('GET', '/session')).status).toBe(401);
    const tokens = (await page(admin, '/tokens?all=true')).items;
    expect(tokens.find((token) => token['id'] === session.tokenId)).toMatchObject({ owner: 'dora', revokedAt: expect.any(String), lastUsedAt: expect.any(String) });
  });
  it('are in no list, log or event', async () => {
    const secrets = [gateway.adminToken, ann.token, bob.token];
    const said = JSON.stringify([await page(admin, '/tokens?all=true&limit=200'), await page(admin, '/events?format=json&all=true&limit=200'), await gateway.events()]) + gateway.log.join('');
    for (const secret of secrets) expect(said).not.toContain(secret);
    expect(JSON.stringify(await page(admin, '/events?format=json&all=true&limit=200'))).not.toContain('tokenHash');
  });
});

describe('owners', () => {
  it('see only their own in lists, and are not found by name', async () => {
    await makeSite(ann, {}, 'anns-own');
    for (const path of ['/sites?limit=200', '/projects', '/operations?limit=200', '/tokens', '/events?format=json&limit=200']) {
      expect(JSON.stringify(await page(bob, path))).not.toContain('anns-own');
    }
    expect((await bob.call('GET', '/sites/anns-own')).status).toBe(404);
    expect((await bob.call('GET', '/events?format=json&siteId=anns-own')).status).toBe(404);
    expect((await bob.call('GET', '/sites?all=true')).status).toBe(403);
    expect(JSON.stringify(await page(admin, '/sites?all=true&limit=200'))).toContain('anns-own');
    expect(JSON.stringify(await page(admin, '/sites?limit=200'))).not.toContain('anns-own');
  });
});

describe('an idempotency key', () => {
  const post = (body: object, key: string, api = ann) => api.call<SiteBody>('POST', '/sites', body, { 'idempotency-key': key });

  it('gives the same request its first answer', async () => {
    const first = await post({ name: 'once', kind: 'static' }, 'k1');
    const again = await post({ kind: 'static', name: 'once' }, 'k1');
    expect([again.status, again.body, again.headers.get('location')]).toEqual([202, first.body, first.headers.get('location')]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });
  it('names something else at another plane', async () => {
    const here = await post({ name: 'elsewhere', kind: 'static' }, 'k6', admin);
    const elsewhere = await TestGateway.start();
    const there = await post({ name: 'elsewhere', kind: 'static' }, 'k6', new Api(elsewhere.url + API_BASE, elsewhere.adminToken));
    await elsewhere.stop();
    expect([here.status, there.status]).toEqual([202, 202]);
    expect(there.body.id === here.body.id || there.body.projectId === here.body.projectId).toBe(false);
  });
  it('is refused with another body', async () => {
    expect((await post({ name: 'other', kind: 'static' }, 'k1')).body).toMatchObject({ code: 'key-reused', status: 422 });
  });
  it('belongs to its owner', async () => {
    expect((await post({ name: 'once', kind: 'static' }, 'k1', bob)).headers.get('idempotency-replayed')).toBeNull();
  });
  it('makes one thing of requests at once', async () => {
    const replies = await Promise.all(Array.from({ length: 6 }, () => post({ name: 'at-once', kind: 'static' }, 'k2')));
    expect(replies.map((reply) => reply.status)).toEqual(Array(6).fill(202));
    expect(new Set(replies.map((reply) => reply.body.id)).size).toBe(1);
  });
  it('keeps a refusal too', async () => {
    const first = await post({ name: 'once', kind: 'static' }, 'k3');
    expect([first.status, (await post({ name: 'once', kind: 'static' }, 'k3')).body['detail']]).toEqual([409, first.body['detail']]);
  });
  it('never shows a token twice', async () => {
    const issue = () => ann.call<Record<string, unknown>>('POST', '/tokens', { name: 'x' }, { 'idempotency-key': 'k4' });
    const [first, again] = [await issue(), await issue()];
    expect([typeof first.body['token'], again.body['token'], again.body['id']]).toEqual(['string', undefined, first.body['id']]);
  });
  it('finds what was done by a request whose answer was lost', async () => {
    gateway.silenceLifecycle();
    const away = await post({ name: 'lost', kind: 'static' }, 'k5');
    expect([away.status, away.headers.get('retry-after'), away.body['code']]).toEqual([503, '2', 'unavailable']);
    gateway.wakeLifecycle();
    expect((await post({ name: 'lost', kind: 'static' }, 'k5')).status).toBe(202);
  });
});

describe('lists', () => {
  it('come page by page, newest first, each thing once', async () => {
    const eve = admin.as(await tokenFor('eve'));
    const names = [];
    for (let n = 0; n < 7; n++) names.unshift(((await makeSite(eve, n % 2 ? {} : { kind: 'app', image: 'a:1', port: 80 })) as Record<string, unknown>)['name']);
    const seen: unknown[] = [];
    for (let cursor = ''; ; ) {
      const { items, nextCursor } = await page(eve, `/sites?limit=3${cursor}`);
      seen.push(...items.map((site) => site['name']));
      if (!nextCursor) break;
      cursor = `&cursor=${nextCursor}`;
    }
    expect(seen).toEqual(names);
    expect((await page(eve, '/sites?kind=app')).items).toHaveLength(4);
    expect((await page(eve, `/sites?name=${String(names[0])}&status=ACTIVE&projectId=default`)).items).toHaveLength(1);
    expect((await page(eve, '/operations?status=succeeded&limit=200')).items).toHaveLength(7);
  });
});

describe('an upload', () => {
  const put = (id: string, body: Uint8Array, headers: Record<string, string> = {}) => ann.call<Record<string, unknown>>('PUT', `/sites/${id}/content`, body, headers);
  const stored = async () => (await import('node:fs/promises')).readdir(`${gateway.folder}/content`).catch(() => []);

  it('goes live and is answered with the site', async () => {
    const { id } = await makeSite(ann);
    const reply = await put(id, await tarGz({ 'index.html': 'hi' }));
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ id, release: { status: 'live', format: 'tar.gz', fileCount: 1 } });
  });
  it('is answered with its operation when nobody waits', async () => {
    const { id } = await makeSite(ann);
    const reply = await put(id, await tarGz({ 'index.html': 'async' }), { prefer: 'respond-async' });
    expect([reply.status, reply.body['kind']]).toEqual([202, 'publish-release']);
    expect(reply.headers.get('location')).toBe(`/api/v1/operations/${String(reply.body['id'])}`);
  });
  it('comes as a form too', async () => {
    const { id } = await makeSite(ann);
    const form = new FormData();
    form.set('file', new Blob([(await tarGz({ 'index.html': 'form' }))]), 'site.tar.gz');
    const response = await fetch(`${ann.base}/sites/${id}/content`, { method: 'PUT', headers: { authorization: `Bearer ${ann.token}` }, body: form });
    expect(response.status).toBe(200);
  });
  it('with the same key and bytes is one release, with other bytes refused', async () => {
    const { id } = await makeSite(ann);
    const bytes = await tarGz({ 'index.html': 'key' });
    const [first, again] = [await put(id, bytes, { 'idempotency-key': 'u1' }), await put(id, bytes, { 'idempotency-key': 'u1' })];
    expect(again.body).toEqual(first.body);
    expect((await put(id, await tarGz({ 'index.html': 'other' }), { 'idempotency-key': 'u1' })).body).toMatchObject({ code: 'key-reused' });
  });
  it.each([
    ['no archive', async () => new TextEncoder().encode('hello'), 422, /neither a zip nor a tar.gz/],
    ['nothing', async () => new Uint8Array(), 422, /empty|needed/],
    ['a path that leads out', async () => tarGz({ '../evil.html': 'x' }), 422, /\.\.\/evil\.html/],
    ['too much', async () => new Uint8Array(200_000), 413, /at most|more than/],
  ])('of %s leaves no trace', async (_, bytes, status, words) => {
    const { id } = await makeSite(ann);
    const before = [await stored(), (await gateway.events()).length];
    const reply = await put(id, await bytes());
    expect(reply.status).toBe(status);
    expect(reply.body['detail']).toMatch(words);
    expect([await stored(), (await gateway.events()).length]).toEqual(before);
  });
  it('that breaks off leaves no trace', async () => {
    const { id } = await makeSite(ann);
    const before = [await stored(), (await gateway.events()).length];
    const { request } = await import('node:http');
    await new Promise<void>((resolve) => {
      const sent = request(`${ann.base}/sites/${id}/content`, { method: 'PUT', headers: { authorization: `Bearer ${ann.token}`, 'content-type': 'application/gzip', 'content-length': '50000' } });
      sent.on('error', () => resolve());
      sent.write(Buffer.alloc(10_000));
      setTimeout(() => sent.destroy(), 200);
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([await stored(), (await gateway.events()).length]).toEqual(before);
  });
  it('that is too large without saying so is cut off', async () => {
    const { id } = await makeSite(ann);
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    expect((await fetch(`${ann.base}/sites/${id}/content`, { method: 'PUT', headers: { authorization: `Bearer ${ann.token}` }, body, duplex: 'half' })).status).toBe(413);
    expect((await stored()).filter((name) => name.startsWith('.'))).toEqual([]);
  });
  describe.each(['close', 'keep-alive'])('that is refused is told so, although its sender reads nothing before all is sent (connection: %s):', (connection) => {
    it.each([
      ['one that is too large', 'Transfer-Encoding: chunked'],
      ['one that says that it is too large', `Content-Length: ${32 << 20}`],
      ['JSON that is too large', `Content-Type: application/json\r\nContent-Length: ${32 << 20}`],
    ])('%s', async (_, header) => {
      const { id } = await makeSite(ann);
      const { hostname, port, pathname } = new URL(`${ann.base}/sites/${id}/content`);
      const socket = connect(Number(port), hostname).pause();
      socket.write(`PUT ${pathname} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ann.token}\r\n${header}\r\nConnection: ${connection}\r\n\r\n`);
      const part = 'x'.repeat(65_536);
      const isChunked = header.endsWith('chunked');
      for (let sent = 0; sent < 512; sent++) if (!socket.write(isChunked ? `10000\r\n${part}\r\n` : part)) await once(socket, 'drain');
      if (isChunked) socket.write('0\r\n\r\n');
      let answer = '';
      for await (const chunk of socket) if ((answer += String(chunk)).includes('too-large')) break;
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    });
  });
  it('is not for an app', async () => {
    const { id } = await makeSite(ann, { kind: 'app', image: 'a:1', port: 80 });
    expect((await put(id, await tarGz({ 'index.html': 'x' }))).status).toBe(409);
  });
});

describe('events', () => {
  async function read(path: string, headers: Record<string, string>, most: number, api = ann, timeoutMs = 4_000): Promise<{ id: number; event: string }[]> {
    const response = await fetch(api.base + path, { headers: { authorization: `Bearer ${api.token}`, accept: 'text/event-stream', ...headers }, signal: AbortSignal.timeout(timeoutMs) });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const found: { id: number; event: string }[] = [];
    let text = '';
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const frames = text.split('\n\n');
        text = frames.pop() ?? '';
        for (const frame of frames) {
          const [, id] = /^id: (\d+)$/m.exec(frame) ?? [];
          const [, event] = /^event: (\w+)$/m.exec(frame) ?? [];
          if (id && event) found.push({ id: Number(id), event });
        }
        if (found.length >= most) break;
      }
    } catch {
      // The time is over.
    }
    return found;
  }

  it('come as they happen, and resume after the last one that was seen', async () => {
    const { id } = await makeSite(ann);
    const all = (await page(ann, `/sites/${id}/events?limit=200`)).items as { position: number; type: string }[];
    expect(all.map((event) => event.type)).toEqual(expect.arrayContaining(['SiteRequested', 'SiteActivated', 'OperationStarted', 'OperationStepSucceeded']));
    const streamed = await read(`/events?siteId=${id}`, { 'last-event-id': '0' }, all.length);
    expect(streamed.map((event) => event.id)).toEqual(all.map((event) => event.position));
    const rest = await read(`/events?siteId=${id}`, { 'last-event-id': String(all[1]!.position) }, all.length - 2);
    expect(rest.map((event) => event.id)).toEqual(all.slice(2).map((event) => event.position));
    const live = read(`/events?siteId=${id}&type=SiteSwitched,SiteDestroyed`, {}, 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await ann.call('POST', `/sites/${id}/stop`);
    await makeSite(bob);
    await ann.call('DELETE', `/sites/${id}`);
    expect((await live).map((event) => event.event)).toEqual(['SiteSwitched', 'SiteDestroyed']);
  });
  it('of others never come, live or not', async () => {
    const live = read('/events?after=0', {}, 1000, admin.as(await tokenFor('frank')), 1_000);
    const other = read('/events?type=SiteRequested', {}, 1, bob);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await makeSite(ann);
    const { id } = await makeSite(bob);
    expect((await page(bob, `/sites/${id}/events?type=SiteRequested`)).items[0]).toMatchObject({ position: (await other)[0]!.id });
    expect((await live).map((event) => event.event)).toEqual(['TokenIssued']);
  });
  it('come as pages, in either order', async () => {
    const up = await page(ann, '/events?format=json&limit=3');
    const next = await page(ann, `/events?format=json&limit=3&cursor=${up.nextCursor}`);
    const positions = [...up.items, ...next.items].map((event) => event['position'] as number);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    const down = await ann.call<{ items: { position: number }[]; nextCursor: string }>('GET', '/events?order=desc&limit=2', undefined, { accept: 'application/json' });
    const earlier = await page(ann, `/events?format=json&order=desc&limit=2&cursor=${down.body.nextCursor}`);
    expect(earlier.items[0]!['position']).toBeLessThan(down.body.items[1]!.position);
  });
});

describe('operations', () => {
  it('can be seen before their first step, and be cancelled', async () => {
    gateway.lifecycle.isEager = false;
    const { operationId, id } = await makeSite(ann);
    expect((await ann.call('GET', `/operations/${operationId}`)).body).toMatchObject({ status: 'waiting', kind: 'launch-site', siteId: id });
    expect((await ann.call('GET', `/sites/${id}`)).body).toMatchObject({ status: 'CREATED', operation: { id: operationId, status: 'waiting' } });
    expect((await ann.call('POST', `/operations/${operationId}/cancel`, { reason: 'changed my mind' })).status).toBe(202);
    expect((await ann.call('GET', `/operations/${operationId}`)).body).toMatchObject({ status: 'failed', error: 'changed my mind' });
    gateway.lifecycle.isEager = true;
  });
});

describe('the process', () => {
  it('says how it is', async () => {
    for (const path of ['/health', '/health/live', '/health/ready']) {
      expect((await fetch(ann.base + path)).status).toBe(200);
      expect((await fetch(gateway.url + path)).status).toBe(200);
    }
    expect(await (await fetch(`${ann.base}/health`)).json()).toMatchObject({ status: 'ok', parts: [{ name: 'log', ok: true }, { name: 'bus', ok: true }, { name: 'read model', ok: true }, { name: 'isolation', ok: true }] });
  });
  it('says that what it shows follows the log no more, and that it does again', async () => {
    const readModel = async () => {
      const health = await fetch(`${ann.base}/health`);
      return [health.status, ((await health.json()) as { parts: { name: string; ok: boolean; detail: string }[] }).parts.find(({ name }) => name === 'read model')];
    };
    const comes = async (expected: readonly unknown[]) => {
      const [status] = expected;
      for (const end = Date.now() + 20_000; Date.now() < end && (await readModel())[0] !== status; ) await sleep(100);
      expect(await readModel()).toEqual(expected);
    };
    await gateway.inTables('ALTER TABLE api_gateway.checkpoints RENAME TO elsewhere');
    try {
      await ann.call('POST', '/tokens', { name: 'unseen', scopes: ['read'] });
      await comes([503, { name: 'read model', ok: false, detail: expect.stringMatching(/^\d+ messages behind the log, which it cannot follow: .*checkpoints/) }]);
    } finally {
      await gateway.inTables('ALTER TABLE api_gateway.elsewhere RENAME TO checkpoints');
    }
    await comes([200, expect.objectContaining({ ok: true })]);
  });
  it('counts requests, for this machine and admins', async () => {
    expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain('hostplane_http_request_seconds_count');
    const elsewhere = { 'x-forwarded-for': '192.0.2.1' };
    expect((await fetch(`${gateway.url}/metrics`, { headers: elsewhere })).status).toBe(403);
    expect((await fetch(`${gateway.url}/metrics`, { headers: { ...elsewhere, authorization: `Bearer ${gateway.adminToken}` } })).status).toBe(200);
  });
  it('publishes its contract', async () => {
    const document = (await (await fetch(`${gateway.url}/api/docs-json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toContain('/api/v1/sites/{id}/content');
    const ui = await fetch(`${gateway.url}/api/docs`);
    expect([ui.status, await ui.text()]).toEqual([200, expect.stringContaining('swagger-ui')]);
    const script = await fetch(`${gateway.url}/api/docs/swagger-ui-bundle.js`);
    expect([script.status, script.headers.get('content-type'), (await script.text()).length > 100_000]).toEqual([200, expect.stringContaining('javascript'), true]);
    expect(await (await fetch(`${gateway.url}/api/docs/swagger-ui-init.js`)).text()).toContain('/api/v1/sites/{id}/content');
    expect((await fetch(`${gateway.url}/api/docs-yaml`)).headers.get('content-type')).toContain('yaml');
    const none = await fetch(`${gateway.url}/api/docs/nothing.js`);
    expect([none.status, none.headers.get('content-type')]).toEqual([404, expect.stringContaining('application/problem+json')]);
  });
  it('sends the headers that browsers need', async () => {
    const { headers } = await fetch(`${ann.base}/health`);
    expect([headers.get('x-content-type-options'), headers.get('content-security-policy')]).toEqual(['nosniff', expect.stringContaining("default-src 'self'")]);
  });
  it('is spoken to by its own client', async () => {
    const client = new ApiClient({ url: gateway.url, token: ann.token });
    expect((await client.call('showSession', {})).body.owner).toBe('ann');
    await expect(client.call('showSite', { params: { id: 'nope' } })).rejects.toMatchObject({ code: 'not-found' });
    const other = createServer((_, response) => void response.writeHead(414, { 'content-type': 'application/json' }).end('{"statusCode":414}')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    await expect(new ApiClient({ url: `http://127.0.0.1:${(other.address() as AddressInfo).port}`, retries: 0 }).call('showSession', {})).rejects.toMatchObject({ name: 'UnreachableError', message: expect.stringContaining('HTTP 414') });
    other.close();
    await expect(new ApiClient({ url: 'http://127.0.0.1:65530', retries: 0 }).call('showSession', {})).rejects.toMatchObject({ name: 'UnreachableError' });
  });
});
