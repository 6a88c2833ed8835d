import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { run } from '../../apps/cli/program.js';
import { send, visit, type Api, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithNginx } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';

jest.setTimeout(120_000);

interface RulesView extends Record<string, unknown> {
  readonly status: string;
  readonly users: readonly string[];
}

const PASSWORD = 'planted correct horse';

describeWithNginx('the edge', () => {
  let plane: Plane;
  let site: SiteView;

  beforeAll(async () => {
    plane = await startPlane({ env: { HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', LOG_LEVEL: 'debug' } });
    site = await liveSite('shop', { 'index.html': 'the shop', 'oops.html': 'our own 404' });
  });
  afterAll(() => plane?.stop());

  async function liveSite(name: string, files: Record<string, string>): Promise<SiteView> {
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name, kind: 'static' });
    await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
    await plane.api.call('PUT', `/sites/${body.id}/content`, await tarGz(files));
    return plane.api.site(body.id);
  }
  const rulesOf = async (id = site.id, api = plane.api) => (await api.call<RulesView>('GET', `/sites/${id}/edge`)).body;
  async function change(body: object, id = site.id): Promise<RulesView> {
    const reply = await plane.api.call<RulesView>('PATCH', `/sites/${id}/edge`, body);
    expect({ status: reply.status, body: reply.body }).toMatchObject({ status: 202 });
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(25)) {
      const rules = await rulesOf(id);
      if (rules.status !== 'changing') return rules;
    }
    throw new Error(`The edge does not follow.\n${await plane.complaints()}`);
  }
  const plain = (path = '/', name = 'shop') => `http://${name}.localhost:${plane.edgePort}${path}`;
  const secure = (path = '/', name = 'shop') => `https://${name}.localhost:${plane.edgeTlsPort}${path}`;
  const basic = (user: string, password: string) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` });

  async function cli(argv: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
    const [out, err]: [string[], string[]] = [[], []];
    const io = { out: { write: (text: string) => out.push(text) }, err: { write: (text: string) => err.push(text) }, in: Readable.from([input]), env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
    return { code: await run(argv, io), out: out.join(''), err: err.join('') };
  }

  it('follows the rules of a site once it says so, field by field', async () => {
    expect(await rulesOf()).toEqual({ siteId: site.id, status: 'served', httpsOnly: false, users: [], allow: [], deny: [], errorPages: {} });
    const rules = await change({ httpsOnly: true, hsts: { maxAgeSeconds: 600 }, errorPages: { 404: { file: 'oops.html' } } });
    expect(rules).toMatchObject({ status: 'served', httpsOnly: true, hsts: { maxAgeSeconds: 600, includeSubDomains: false, preload: false }, errorPages: { 404: { file: 'oops.html' } }, changedAt: expect.any(String) });
    const moved = await visit(plain('/a?b'));
    expect([moved.status, moved.headers['location']]).toEqual([308, secure('/a?b')]);
    const [page, missing] = [await visit(secure()), await visit(secure('/none'))];
    expect([page.body, page.headers['strict-transport-security'], missing.status, missing.body]).toEqual(['the shop', 'max-age=600', 404, 'our own 404']);

    expect(await change({ httpsOnly: false, hsts: null })).toMatchObject({ httpsOnly: false, errorPages: { 404: { file: 'oops.html' } } });
    expect((await visit(plain('/none'))).body).toBe('our own 404');
    await change({ errorPages: null, maxBodyBytes: 10 });
    expect([(await visit(plain('/none'))).body.includes('Page not found'), (await send(plain(), { method: 'POST', body: 'x'.repeat(11) })).status]).toEqual([true, 413]);
    await change({ maxBodyBytes: null });
  });

  it('lets in who knows the password, which is kept nowhere', async () => {
    await change({ users: { ann: { password: PASSWORD }, bob: { passwordHash: `$2y$05$${'a'.repeat(53)}` } } });
    expect((await rulesOf()).users).toEqual(['ann', 'bob']);
    expect([(await visit(plain())).status, (await visit(plain(), basic('ann', 'wrong'))).status, (await visit(plain(), basic('ann', PASSWORD))).body]).toEqual([401, 401, 'the shop']);
    expect(await change({ users: { bob: null } })).toMatchObject({ users: ['ann'] });
    expect((await visit(plain(), basic('ann', PASSWORD))).status).toBe(200);

    const { body: events } = await plane.api.call<{ items: { type: string }[] }>('GET', `/sites/${site.id}/events?limit=200`);
    expect(JSON.stringify(events.items.filter(({ type }) => type === 'EdgeRulesChanged'))).toContain('"name":"ann"');
    expect(JSON.stringify(events)).not.toMatch(/\$2[aby]\$/);
    const db = new pg.Client({ connectionString: plane.databaseUrl });
    await db.connect();
    try {
      const { rows: tables } = await db.query<{ name: string }>("SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')");
      const holding = async (word: string) => {
        const found: string[] = [];
        for (const { name } of tables) if ((await db.query(`SELECT 1 FROM ${name} t WHERE t::text LIKE $1 LIMIT 1`, [`%${word}%`])).rowCount) found.push(name);
        return found;
      };
      expect([await holding(PASSWORD), (await holding('$2b$05$')).map((name) => name.replace(/_\d+$/, ''))]).toEqual([[], ['log.messages', 'log.messages']]);
    } finally {
      await db.end();
    }
    const logs = ['control-plane', 'provisioner'].map((name) => readFileSync(join(plane.folder, 'logs', `${name}.log`), 'utf8')).join('');
    expect([logs.includes(PASSWORD), logs.includes(site.id)]).toEqual([false, true]);
    await change({ users: null });
    expect((await visit(plain())).status).toBe(200);
  });

  it('keeps to the rules while the site is stopped, started and restarted', async () => {
    await change({ deny: ['127.0.0.0/8'] });
    expect((await visit(plain())).status).toBe(403);
    for (const action of ['stop', 'start', 'restart']) {
      const { body } = await plane.api.call('POST', `/sites/${site.id}/${action}`);
      await plane.operation(String(body['operationId']), 'succeeded');
      expect([action, (await visit(plain())).status]).toEqual([action, 403]);
    }
    await plane.crash('provisioner');
    expect((await visit(plain())).status).toBe(403);
    await change({ deny: null, allow: ['127.0.0.0/8'] });
    expect((await visit(plain())).status).toBe(200);
    await change({ allow: null });
  });

  it('takes rules before a site is live', async () => {
    const { body: made } = await plane.api.call<SiteView>('POST', '/sites', { name: 'early', kind: 'static' });
    const { body: early } = await plane.api.call<RulesView>('PATCH', `/sites/${made.id}/edge`, { maintenance: { text: 'Not <yet>.', retryAfterSeconds: 60 } });
    expect(['waiting', 'changing', 'served']).toContain(early.status);
    await plane.api.settled(made.id, ['ACTIVE']);
    for (const end = Date.now() + 10_000; Date.now() < end && (await rulesOf(made.id)).status !== 'served'; ) await sleep(25);
    const told = await visit(plain('/', 'early'));
    expect([told.status, told.headers['retry-after'], told.body.includes('Not &#60;yet&#62;.'), (await rulesOf(made.id)).status]).toEqual([503, '60', true, 'served']);
  });

  it('refuses what makes no sense with the field that is wrong, and who may not', async () => {
    const wrong: [object, string][] = [
      [{ hsts: { maxAgeSeconds: 1, preload: true } }, 'hsts'], [{ allow: ['10.0.0.0/8;'] }, 'allow.0'], [{ users: { 'a:b': { password: 'long enough' } } }, 'users.a:b'], [{ users: { ann: { password: 'short' } } }, 'users.ann'],
      [{ errorPages: { 404: { file: '../x' } } }, 'errorPages.404'], [{ errorPages: { 200: { html: 'x' } } }, 'errorPages'], [{ maxBodyBytes: 0 }, 'maxBodyBytes'], [{ httpOnly: true }, 'httpOnly'], [{ maintenance: { text: 'x'.repeat(5000) } }, 'maintenance.text'],
    ];
    for (const [body, field] of wrong) {
      const reply = await plane.api.call<{ code: string; errors: { field: string }[] }>('PATCH', `/sites/${site.id}/edge`, body);
      expect({ body, status: reply.status, field: reply.body.errors?.[0]?.field }).toMatchObject({ status: 422, field: expect.stringMatching(new RegExp(`^${field.replace('.', '\\.')}`)) });
    }
    const { body: token } = await plane.api.call('POST', '/tokens', { name: 'eve', scopes: ['write'], owner: 'eve' });
    const eve: Api = plane.api.as(String(token['token']));
    expect([(await eve.call('PATCH', `/sites/${site.id}/edge`, { httpsOnly: true })).status, (await eve.call('GET', `/sites/${site.id}/edge`)).status]).toEqual([404, 404]);
  });

  it('is told its rules by the CLI, the password by a pipe', async () => {
    const made = await cli(['edge', 'rules', 'shop', '--user', 'cleo', '--https-only', 'on', '--hsts', '300', '--max-body', '2M'], 'pass the word\n');
    expect([made.code, made.err]).toEqual([0, '']);
    expect(made.out).toMatch(/Edge +follows[\s\S]*HTTPS only +yes[\s\S]*HSTS +300 s[\s\S]*2097152 bytes[\s\S]*Users +cleo/);
    expect((await visit(secure(), basic('cleo', 'pass the word'))).status).toBe(200);
    const closed = await cli(['edge', 'rules', 'shop', '--remove-user', 'cleo', '--remove-user', 'dora', '--https-only', 'off', '--hsts', 'off', '--max-body', 'default', '--maintenance', 'Back at noon.']);
    expect(closed).toMatchObject({ code: 0, err: expect.stringMatching(/^dora was not let in: there is nothing to take back\.\n$/), out: expect.stringMatching(/Maintenance +Back at noon\./) });
    expect((await visit(plain())).status).toBe(503);
    expect((await cli(['edge', 'rules', 'shop', '--maintenance', 'off', '--json'])).out).toContain('"status": "served"');
    expect((await cli(['edge', 'rules', 'shop', '--hsts-preload'])).code).not.toBe(0);
    expect((await visit(plain())).status).toBe(200);
  });

  describe('of any past moment', () => {
    interface ConfigView extends Record<string, unknown> {
      readonly revision: number;
      readonly confirmedAt: number;
      readonly hash: string;
      readonly servedHash: string;
      readonly isServed: boolean;
      readonly text: string;
    }
    const shown = async (query = '') => (await plane.api.call<ConfigView>('GET', `/edge${query}`)).body;

    it('is rendered from the log to the bytes that the host confirmed, each time that it did', async () => {
      await change({ maintenance: { text: 'Once more $1 "}', retryAfterSeconds: 5 }, users: { ann: { password: 'long enough' } } });
      const { text } = await shown();
      expect(text).toBe(readFileSync(join(plane.folder, 'edge', 'current', 'nginx.conf'), 'utf8'));
      const db = new pg.Client({ connectionString: plane.databaseUrl });
      await db.connect();
      const { rows } = await db.query<{ seq: string; data: string; recorded_at: string }>("SELECT seq, data, recorded_at FROM log.messages WHERE type IN ('EdgeApplied', 'EdgeStarted') ORDER BY seq").finally(() => db.end());
      expect(rows.length).toBeGreaterThan(15);
      for (const { seq, data } of rows) {
        const { configHash, servedRevision = 0 } = JSON.parse(data) as { configHash: string; servedRevision?: string };
        const then = await shown(`?at=${seq}`);
        expect([seq, then.revision, then.hash, then.servedHash, then.isServed]).toEqual([seq, Number(servedRevision), configHash, configHash, true]);
      }
      const [first, last] = [rows[0]!, rows.at(-1)!];
      expect((await shown(`?at=${encodeURIComponent(last.recorded_at)}`)).text).toBe(text);
      expect((await shown(`?at=${Number(first.seq) - 1}`))).toMatchObject({ status: 404 });
      for (const at of ['99999999', '2099-01-01T00:00:00Z']) expect(await shown(`?at=${at}`)).toMatchObject({ status: 422, detail: expect.stringMatching(/is still to come: the log ends at position \d+\./) });
      await change({ maintenance: null, users: null });
    });

    it('is shown and compared by the CLI', async () => {
      const before = await shown();
      await change({ httpsOnly: true });
      expect((await cli(['edge', 'show', '--at', String(before.confirmedAt)])).out).toContain('server_name _;');
      const changed = await cli(['edge', 'diff', String(before.confirmedAt), 'now']);
      expect(changed.code).toBe(0);
      expect(changed.out).toMatch(/^--- local\/nginx@\d+[\s\S]*\n\+ {8}"shop\.localhost" 1;\n/);
      expect(changed.out.split('\n').filter((line) => /^[+-] /.test(line)).length).toBe(3);
      expect((await cli(['edge', 'diff', 'now', 'now'])).err).toContain('Nothing changed.');
      expect((await cli(['edge', 'show', '--format', 'routes'])).out).toContain('{"hostname":"shop.localhost","kind":"files"');
      expect((await cli(['edge', 'show', '--at', 'yesterday'])).code).not.toBe(0);
      await change({ httpsOnly: false });
    });

    it('is for who runs the plane, also by a token that can nothing else', async () => {
      const tokenOf = async (body: object) => plane.api.as(String((await plane.api.call('POST', '/tokens', body)).body['token']));
      const [eve, traefik] = [await tokenOf({ name: 'eve', scopes: ['write'], owner: 'eve' }), await tokenOf({ name: 'traefik', scopes: ['admin'], verbs: ['edge:read'] })];
      for (const path of ['/edge', '/traefik/config']) expect([path, (await eve.call('GET', path)).status, (await traefik.call('GET', path)).status]).toEqual([path, 403, 200]);
      expect([(await traefik.call('GET', '/sites')).status, (await traefik.call('POST', '/vault/rotate-master-key')).status, (await plane.api.call('GET', '/edge?host=nowhere')).status]).toEqual([403, 403, 404]);
    });
  });

  it('tells Traefik its routes, and that nothing changed when nothing did', async () => {
    const ask = (query: string, etag = '') => plane.api.call<{ http: { routers: Record<string, { service: string }>; services: Record<string, unknown> } }>('GET', `/traefik/config${query}`, undefined, etag ? { 'if-none-match': etag } : {});
    const first = await ask('?certResolver=le');
    const etag = first.headers.get('etag')!;
    expect([first.status, first.headers.get('content-type'), etag]).toEqual([200, 'application/json; charset=utf-8', expect.stringMatching(/^"[0-9a-f]{64}"$/)]);
    expect(first.body.http.routers['site-shop-localhost']).toMatchObject({ rule: 'Host(`shop.localhost`)', service: 'hostplane-edge' });
    expect(first.body.http.services['hostplane-edge']).toEqual({ loadBalancer: { servers: [{ url: `http://127.0.0.1:${plane.edgePort}` }], passHostHeader: true } });
    await plane.api.call('POST', '/projects', { name: 'nothing-of-the-edge' });
    expect([(await ask('?certResolver=le', etag)).status, (await ask('?https=secure', etag)).status]).toEqual([304, 200]);
    await change({ httpsOnly: true });
    const next = await ask('?certResolver=le', etag);
    expect([next.status, next.headers.get('etag') === etag]).toEqual([200, false]);
    await change({ httpsOnly: false });
    expect((await ask('?edgeUrl=ftp://x')).status).toBe(422);
  });
});
