import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { openApi } from '#api/openapi.js';
import { testImage } from '../../infra/images/recipes.js';
import { run } from '../../apps/cli/program.js';
import type { SiteView } from '../support/api.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';

jest.setTimeout(180_000);

const plant = (what: string) => `planted-${what}-${randomBytes(12).toString('hex')}`;
/** Something that must be found, or the search proves nothing. */
const PLAIN = `plain-${randomBytes(6).toString('hex')}`;

describeWithDocker('a secret, wherever a user put it,', () => {
  let plane: Plane;
  let projectId: string;
  let app: SiteView;
  let failed: SiteView;
  let copy: string;
  /** By what they are. */
  const planted = new Map<string, string>(['env', 'failing-env', 'stored', 'replaced', 'by-cli'].map((what) => [what, plant(what)]));
  const said: string[] = [];

  const cli = async (argv: readonly string[], input = '') => {
    const into = { write: (text: string) => void said.push(text) };
    const code = await run(argv, { out: into, err: into, in: Readable.from([input]), env: { XDG_CONFIG_HOME: join(copy, 'cli'), HOSTPLANE_URL: new URL(plane.api.base).origin, HOSTPLANE_TOKEN: plane.api.token } });
    return { code, out: said.at(-1) ?? '' };
  };
  const secretPath = (name: string) => `/projects/${projectId}/secrets/${encodeURIComponent(name)}`;
  const value = (what: string) => planted.get(what)!;

  beforeAll(async () => {
    copy = mkdtempSync(join(tmpdir(), 'hostplane-planted-'));
    const masterKey = randomBytes(32).toString('base64');
    planted.set('master key', masterKey);
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'embedded', HOSTPLANE_MASTER_KEY: masterKey, LOG_LEVEL: 'debug', HOSTPLANE_HEALTH_DEADLINE_SECONDS: '10' } });
    projectId = (await plane.api.call<SiteView>('POST', '/projects', { name: PLAIN })).body.id;
    await plantEverywhere();
  });
  afterAll(async () => {
    await plane?.stop();
    rmSync(copy, { recursive: true, force: true });
  });

  async function plantEverywhere(): Promise<void> {
    const { api } = plane;
    const site = (name: string, env: Record<string, string>) => api.call<SiteView>('POST', '/sites', { projectId, name, kind: 'app', image: testImage('app'), port: 8080, healthPath: '/health', env }, { 'idempotency-key': name });
    app = (await site('living', { GREETING: value('env') })).body;
    // This image prints its PORT, and cannot listen on such a one.
    failed = (await site('failing', { PORT: value('failing-env') })).body;
    [app, failed] = await Promise.all([api.settled(app.id, ['ACTIVE', 'FAILED']), api.settled(failed.id, ['ACTIVE', 'FAILED'])]);
    for (const what of ['stored', 'replaced']) expect((await api.call('PUT', secretPath('mail'), { value: value(what) }, { 'idempotency-key': what })).status).toBe(200);
    expect((await cli(['secret', 'set', projectId, 'from-cli'], `${value('by-cli')}\n`)).code).toBe(0);
    expect((await api.call('PUT', secretPath('made'), { generate: 40 })).status).toBe(200);
    const made = await api.call('POST', `${secretPath('made')}/reveal`);
    expect([made.status, made.headers.get('cache-control'), String(made.body['value']).length]).toEqual([200, 'no-store', 40]);
    planted.set('generated', String(made.body['value']));
    const { body: token } = await api.call('POST', '/tokens', { name: 'planted' }, { 'idempotency-key': 'token' });
    planted.set('token', String(token['token']));
    await api.as(String(token['token'])).call('GET', '/session');
    // What is wrong with a request is said without what was in it.
    const wrong: [string, string, unknown][] = [
      ['PUT', secretPath('UPPER'), { value: value('stored') }], ['PUT', secretPath('mail'), { value: value('stored'), more: value('stored') }], ['PUT', secretPath('mail'), { generate: value('stored') }],
      ['POST', '/sites', { name: 'x', kind: 'static', env: { A: value('env') } }], ['POST', `/sites/${app.id}/password/reveal`, undefined], ['POST', `${secretPath('mail')}/rotate`, undefined],
      ['DELETE', secretPath('never-there'), undefined],
    ];
    const problems = await Promise.all(wrong.map(([method, path, body]) => api.call(method, path, body)));
    expect(problems.map(({ status }) => status)).toEqual([422, 422, 422, 422, 409, 409, 404]);
    said.push(...problems.map(({ body }) => JSON.stringify(body)));
  }

  /** Every GET of the OpenAPI document with what there is, as text. */
  async function answers(): Promise<string> {
    const own: Record<string, string[]> = { project: [projectId], site: [app.id, failed.id], operation: [app, failed].map((site) => site.operationId).filter(Boolean), token: [], member: ['admin'], secret: ['mail'] };
    const texts: string[] = [];
    for (const [path, methods] of Object.entries(openApi('1').paths)) {
      const get = methods['get'] as { parameters: { name: string; in: string; schema: { 'x-resource'?: string } }[] } | undefined;
      if (!get) continue;
      const named = get.parameters.find((one) => one.in === 'path');
      for (const id of named ? (own[named.schema['x-resource'] ?? ''] ?? []) : ['']) {
        const query = path.endsWith('/events') ? (named ? '?limit=200' : '?format=json&limit=200') : '';
        const response = await fetch(`${new URL(plane.api.base).origin}${path.replace(/\{\w+\}/, id)}${query}`, { headers: { authorization: `Bearer ${plane.api.token}` } });
        expect([path, response.status]).toEqual([path, 200]);
        texts.push(await response.text());
      }
    }
    expect(texts.length).toBeGreaterThan(12);
    return texts.join('\n');
  }

  /** Everything that the stream of events says from the beginning, for a second. */
  async function streamed(): Promise<string> {
    const response = await fetch(`${plane.api.base}/events`, { headers: { authorization: `Bearer ${plane.api.token}`, accept: 'text/event-stream', 'last-event-id': '0' }, signal: AbortSignal.timeout(1_500) });
    let text = '';
    try {
      for await (const part of response.body!) text += Buffer.from(part as Uint8Array).toString();
    } catch {
      // It never ends by itself.
    }
    return text;
  }

  /** Every table of every schema, as pg_dump or, where that is older than the server, as SELECT has it. */
  async function dump(): Promise<string> {
    const dumped = spawnSync('pg_dump', ['--inserts', plane.databaseUrl], { encoding: 'utf8', maxBuffer: 2 ** 28 });
    if (dumped.status === 0) return dumped.stdout;
    const db = new pg.Client({ connectionString: plane.databaseUrl });
    await db.connect();
    const { rows } = await db.query<{ name: string }>("SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')");
    const texts: string[] = [];
    for (const { name } of rows) texts.push(...(await db.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`)).rows.map(({ text }) => text));
    await db.query('CHECKPOINT');
    await db.end();
    return texts.join('\n');
  }

  /** As it is, in base64 and in hex. */
  const forms = (secret: string) => [secret, Buffer.from(secret).toString('base64').slice(0, -4), Buffer.from(secret).toString('hex')];
  const filesWith = (text: string, folder: string) => spawnSync('grep', ['-r', '-a', '-l', '-F', '-e', text, folder], { encoding: 'utf8' }).stdout.split('\n').filter((line) => line !== '');

  it('is in use where it belongs', async () => {
    expect([app.status, failed.status, failed.lastError]).toEqual(['ACTIVE', 'FAILED', expect.stringMatching(/listening on/)]);
    const reply = await plane.api.call('POST', `${secretPath('mail')}/reveal`);
    expect(reply.body).toEqual({ name: 'mail', version: 2, value: value('replaced') });
    expect((await plane.api.call<{ items: { name: string; version: number; isGenerated: boolean }[] }>('GET', `/projects/${projectId}/secrets`)).body.items.map(({ name, version, isGenerated }) => [name, version, isGenerated])).toEqual([['made', 1, true], ['from-cli', 1, false], ['mail', 2, false]]);
    const events = (await plane.api.call<{ items: { type: string; meta: { actor: string }; data: { purpose?: string } }[] }>('GET', '/events?format=json&limit=200')).body.items;
    expect(events.filter(({ type }) => type === 'SecretOpened').map(({ meta, data }) => [meta.actor.split(':')[0], data.purpose])).toContainEqual(['token', 'reveal']);
  });

  it('is in no table, file, log, answer, event, error or output', async () => {
    expect((await cli(['vault', 'rotate'])).code).toBe(3);
    for (const argv of [['secret', 'list', projectId], ['site', 'show', app.id], ['site', 'show', failed.id], ['events', 'list'], ['token', 'list', '--json']]) expect((await cli(argv)).code).toBe(0);
    const places = { answers: await answers(), events: await streamed(), dump: await dump(), said: said.join('\n') };
    for (const [what, secret] of planted) {
      for (const text of forms(secret)) {
        const found = Object.entries(places).flatMap(([name, held]) => (held.includes(text) ? [name] : []));
        expect({ what, found, files: [...filesWith(text, plane.folder), ...filesWith(text, copy)] }).toEqual({ what, found: [], files: [] });
      }
    }
    for (const part of ['postgres', 'nats', 'provisioner'] as const) {
      const environment = readFileSync(`/proc/${plane.daemon(part).pid}/environ`, 'latin1');
      expect([part, environment.includes(value('master key'))]).toEqual([part, false]);
    }
    expect(Object.values(places).map((held) => held.includes(PLAIN) || held.includes(projectId))).toEqual([true, true, true, true]);
    expect([...new Set(filesWith(PLAIN, plane.folder).map((file) => file.slice(plane.folder.length + 1).split('/')[0]))].sort()).toEqual(expect.arrayContaining(['nats', 'postgres']));
  });

  it('cannot be opened once its project is deleted, not even with an older dump, the vault of now and its master key', async () => {
    const older = await dump();
    cpSync(join(plane.folder, 'nats'), join(copy, 'nats'), { recursive: true });
    const keyring = readFileSync(join(plane.folder, 'vault', 'keyrings', `${projectId}.json`), 'utf8');
    const { text } = JSON.parse(keyring) as { text: string };
    for (const site of [app, failed]) {
      await plane.api.call('DELETE', `/sites/${site.id}`);
      await plane.api.settled(site.id, ['DESTROYED']);
    }
    const gone = await plane.api.call('DELETE', `/projects/${projectId}`);
    await plane.operation(String(gone.body['operationId']), 'succeeded');
    expect((await plane.api.call('POST', `${secretPath('mail')}/reveal`)).status).toBe(404);
    // The ciphertexts are all there, and the one key to them is nowhere: not in the dump, the bus or what is left of the vault.
    expect(/ciphertext\W+v1:/.test(older)).toBe(true);
    expect([older.includes(text), filesWith(text, copy), filesWith(text, plane.folder)]).toEqual([false, [], []]);
    expect(execFileSync('ls', [join(plane.folder, 'vault', 'keyrings')], { encoding: 'utf8' })).not.toContain(projectId);
  });
});
