import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import pg from 'pg';
import { openApi } from '#api/openapi.js';
import { adminPasswordKey, databasePasswordKey } from '#domain/naming/naming.js';
import { accountKey, authorityName } from '../../apps/domains/account-key.js';
import { run } from '../../apps/cli/program.js';
import { testImage } from '../../infra/images/recipes.js';
import { freePort } from '../../infra/start/ports.js';
import type { SiteView } from '../support/api.js';
import { until } from '../support/bus.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithDocker, describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';
import { onBus, rootPassword, secretOf } from '../support/wordpress.js';

jest.setTimeout(180_000);

const plant = (what: string) => `planted-${what}-${randomBytes(12).toString('hex')}`;
/** Something that must be found, or the search proves nothing. */
const PLAIN = `plain-${randomBytes(6).toString('hex')}`;

interface DomainView extends Record<string, unknown> {
  readonly status: string;
  readonly expected: readonly { purpose: string; name: string; value: string }[];
  readonly certificate?: { readonly status: string };
}

describeWithDocker('a secret,', () => describeWithPebble('wherever a user put it or the plane made it,', () => {
  let plane: Plane;
  let projectId: string;
  let app: SiteView;
  let failed: SiteView;
  let blog: SiteView;
  let copy: string;
  let knot: Knot;
  let pebble: Pebble;
  /** There is none where Cloudflare's description is not. */
  let cloudflare: CloudflareStandIn | undefined;
  const docker = new Docker();
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
    cloudflare = await CloudflareStandIn.start('example.com').catch(() => undefined);
    if (cloudflare) planted.set('cloudflare token', CLOUDFLARE_TOKEN);
    knot = await Knot.start('example.org', 'example.com');
    const httpPort = await freePort();
    pebble = await Pebble.start({ dns: knot.address, httpPort });
    plane = await startPlane({ env: {
      HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'embedded', HOSTPLANE_MASTER_KEY: masterKey, LOG_LEVEL: 'debug', HOSTPLANE_HEALTH_DEADLINE_SECONDS: '20', HOSTPLANE_EDGE_HTTP_PORT: String(httpPort),
      HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: '127.0.0.1', HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1',
      HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile,
      ...(cloudflare && { HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url }),
    } });
    projectId = (await plane.api.call<SiteView>('POST', '/projects', { name: PLAIN })).body.id;
    await plantEverywhere();
    await plantWithDomains();
  });
  afterAll(async () => {
    await plane?.stop();
    await Promise.all([pebble?.stop(), knot?.stop(), cloudflare?.close()]);
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

  /** What the plane makes by itself: the passwords of a WordPress, the key of its certificate, and that of the account at the authority. */
  async function plantWithDomains(): Promise<void> {
    const { api } = plane;
    const created = await api.call<SiteView>('POST', '/sites', { projectId, name: 'journal', kind: 'wordpress' });
    blog = await api.settled(created.body.id, ['ACTIVE', 'FAILED'], 90_000);
    expect(blog.lastError ?? blog.status).toBe('ACTIVE');
    planted.set('administrator of WordPress', await secretOf(plane, projectId, adminPasswordKey(blog.id)));
    planted.set('database of WordPress', await secretOf(plane, projectId, databasePasswordKey(blog.id)));
    planted.set('database server', await rootPassword(plane));
    const { body } = await api.call<DomainView>('POST', `/sites/${blog.id}/domains`, { name: 'journal.example.org' });
    const token = body.expected.find(({ purpose }) => purpose === 'ownership')!;
    await knot.set('example.org', `${token.name}. TXT "${token.value}"`, 'journal.example.org. A 127.0.0.1');
    await until('the domain is served by HTTPS', async () => (await api.call<DomainView>('GET', '/domains/journal.example.org')).body.certificate?.status === 'deployed', 60_000);
    if (cloudflare) {
      cloudflare.fail(/^POST .*dns_records/, 'status', { status: 403 });
      await api.call('POST', `/sites/${blog.id}/domains`, { name: 'journal.example.com' });
      let told = '';
      await until('a record is refused', async () => /Cloudflare/.test((told = JSON.stringify((await api.call('GET', '/domains/journal.example.com')).body))), 30_000);
      said.push(told);
    }
    const [file] = readdirSync(join(plane.folder, 'edge', 'tls'));
    planted.set('key of a certificate', lineOf(readFileSync(join(plane.folder, 'edge', 'tls', file!), 'utf8')));
    planted.set("key of the authority's account", lineOf(await onBus(plane, (bus) => accountKey(bus, authorityName(pebble.directoryUrl)))));
  }
  /** The first line of a PEM that tells one key from another. */
  const lineOf = (pem: string) => pem.split('\n')[2]!;

  /** Every GET of the OpenAPI document with what there is, as text. */
  async function answers(): Promise<string> {
    const own: Record<string, string[]> = { project: [projectId], site: [app.id, failed.id, blog.id], domain: ['journal.example.org'], operation: [app, failed, blog].map((site) => site.operationId).filter(Boolean), token: [], member: ['admin'], secret: ['mail'] };
    const texts: string[] = [];
    for (const [path, methods] of Object.entries(openApi('1').paths)) {
      const get = methods['get'] as { parameters: { name: string; in: string; schema: { 'x-resource'?: string } }[] } | undefined;
      if (!get) continue;
      const named = get.parameters.find((one) => one.in === 'path');
      for (const id of named ? (own[named.schema['x-resource'] ?? ''] ?? []) : ['']) {
        const query = path.endsWith('/events') ? (named ? '?limit=200' : '?format=json&limit=200') : '';
        const response = await fetch(`${new URL(plane.api.base).origin}${path.replace(/\{\w+\}/, id)}${query}`, { headers: { authorization: `Bearer ${plane.api.token}` } });
        // This plane's sites are below localhost, for which nobody issues it a certificate of its own.
        expect([path, response.status]).toEqual([path, path.endsWith('/edge/certificate') ? 404 : 200]);
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
  /** A certificate's key is where the edge reads it, for the edge alone. */
  const belongs = (what: string, file: string) => what === 'key of a certificate' && file.startsWith(join(plane.folder, 'edge', 'tls'));

  it('is in use where it belongs', async () => {
    expect([app.lastError ?? app.status, failed.status, failed.lastError]).toEqual(['ACTIVE', 'FAILED', expect.stringMatching(/listening on/)]);
    const reply = await plane.api.call('POST', `${secretPath('mail')}/reveal`);
    expect(reply.body).toEqual({ name: 'mail', version: 2, value: value('replaced') });
    expect((await plane.api.call<{ items: { name: string; version: number; isGenerated: boolean }[] }>('GET', `/projects/${projectId}/secrets`)).body.items.filter(({ name }) => !/^(site|certificate)\//.test(name)).map(({ name, version, isGenerated }) => [name, version, isGenerated])).toEqual([['made', 1, true], ['from-cli', 1, false], ['mail', 2, false]]);
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
        expect({ what, found, files: [...filesWith(text, plane.folder), ...filesWith(text, copy)].filter((file) => !belongs(what, file)) }).toEqual({ what, found: [], files: [] });
      }
    }
    for (const part of ['postgres', 'nats', 'provisioner'] as const) {
      const environment = readFileSync(`/proc/${plane.daemon(part).pid}/environ`, 'latin1');
      expect([part, ['master key', 'cloudflare token'].filter((what) => planted.has(what) && environment.includes(value(what)))]).toEqual([part, []]);
    }
    expect(Object.values(places).map((held) => held.includes(PLAIN) || held.includes(projectId))).toEqual([true, true, true, true]);
    expect([...new Set(filesWith(PLAIN, plane.folder).map((file) => file.slice(plane.folder.length + 1).split('/')[0]))].sort()).toEqual(expect.arrayContaining(['nats', 'postgres']));
  });

  it('of a WordPress is in nothing that the engine tells of its containers, nor in what they wrote', async () => {
    const label = `hostplane.plane=${readFileSync(join(plane.folder, 'plane-id'), 'utf8').trim()}`;
    const containers = await docker.listContainers({ all: true, filters: { label: [label] } });
    const told = await Promise.all(containers.map(async ({ Id }) => JSON.stringify(await docker.getContainer(Id).inspect()) + (await docker.getContainer(Id).logs({ stdout: true, stderr: true, follow: false })).toString('latin1')));
    const secrets = [...planted.keys()].filter((what) => !['env', 'failing-env'].includes(what));
    expect(secrets.filter((what) => told.some((text) => text.includes(value(what))))).toEqual([]);
    expect([told.length, told.some((text) => text.includes(value('env')))]).toEqual([3, true]);
  });

  it('cannot be opened once its project is deleted, not even with an older dump, the vault of now and its master key', async () => {
    const older = await dump();
    cpSync(join(plane.folder, 'nats'), join(copy, 'nats'), { recursive: true });
    const keyring = readFileSync(join(plane.folder, 'vault', 'keyrings', `${projectId}.json`), 'utf8');
    const { text } = JSON.parse(keyring) as { text: string };
    for (const site of [app, failed, blog]) {
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
}));
