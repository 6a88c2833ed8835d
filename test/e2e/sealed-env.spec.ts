import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import pg from 'pg';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';

const PLANTED = `planted-${randomBytes(12).toString('hex')}`;
/** Something that must be found, or the search proves nothing. */
const PLAIN = `image-label-${randomBytes(6).toString('hex')}`;

describeWithDocker('the environment of an app', () => {
  let plane: Plane;
  let db: pg.Client;
  let site: SiteView;
  const docker = new Docker();

  beforeAll(async () => {
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'embedded', LOG_LEVEL: 'debug' } });
    db = new pg.Client({ connectionString: plane.databaseUrl });
    await db.connect();
    const { body: project } = await plane.api.call<SiteView>('POST', '/projects', { name: 'sealed' });
    const created = await plane.api.call<SiteView>('POST', '/sites', {
      projectId: project.id, name: PLAIN, kind: 'app', image: testImage('app'), port: 8080, healthPath: '/health', env: { GREETING: PLANTED, EMPTY: '' },
    }, { 'idempotency-key': 'sealed-1' });
    expect(created.status).toBe(202);
    site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED']);
  });
  afterAll(async () => {
    await db?.end();
    await plane?.stop();
  });

  /** The environment that the engine gave the site's container. */
  async function inContainer(): Promise<string[]> {
    const plan = (await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim();
    const [found] = await docker.listContainers({ filters: { label: [`hostplane.plane=${plan}`, `hostplane.site=${site.id}`] } });
    return (await docker.getContainer(found!.Id).inspect()).Config.Env;
  }

  /** Every row of every table outside the catalogue, as text. */
  async function tables(): Promise<string> {
    const { rows } = await db.query<{ name: string }>("SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables WHERE table_schema IN ('log', 'api_gateway')");
    const texts: string[] = [];
    for (const { name } of rows) texts.push(...(await db.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`)).rows.map(({ text }) => text));
    return texts.join('\n');
  }

  /** The files below the data folder (PostgreSQL's, JetStream's, the logs) that hold a text. */
  function filesWith(text: string): string[] {
    return spawnSync('grep', ['-r', '-a', '-l', '-F', text, plane.folder], { encoding: 'utf8' }).stdout.split('\n').filter((line) => line !== '');
  }

  it('reaches the container', async () => {
    expect(site).toMatchObject({ status: 'ACTIVE' });
    expect(await inContainer()).toEqual(expect.arrayContaining([`GREETING=${PLANTED}`, 'EMPTY=']));
  });

  it('is the same after a restart of the site and of the whole control plane', async () => {
    await plane.crash('control-plane');
    const reply = await plane.api.call('POST', `/sites/${site.id}/restart`);
    await plane.operation(String(reply.body['operationId']), 'succeeded');
    expect(await inContainer()).toContain(`GREETING=${PLANTED}`);
  });

  it('may name secrets of the project: their values of the moment at which it is started, and not revoked while it needs them', async () => {
    const projectId = String(site['projectId']);
    const named = { projectId, name: 'named', kind: 'app', image: testImage('app'), port: 8080, healthPath: '/health', env: { GREETING: { secret: 'greeting' }, MODE: 'live' } };
    const refused = await plane.api.call('POST', '/sites', named);
    expect([refused.status, refused.body]).toEqual([422, expect.objectContaining({ detail: expect.stringMatching(/no secret "greeting" in the project/), errors: [expect.objectContaining({ field: 'env.GREETING' })] })]);
    const store = (value: string) => plane.api.call('PUT', `/projects/${projectId}/secrets/greeting`, { value });
    await store(`${PLANTED}-first`);
    const created = await plane.api.call<SiteView>('POST', '/sites', named);
    const app = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED']);
    expect([app.lastError, app['app']]).toEqual([undefined, expect.objectContaining({ envNames: ['GREETING', 'MODE'], envSecrets: { GREETING: 'greeting' } })]);
    expect((await visit(app.url)).body.trim()).toBe(`${PLANTED}-first`);
    await store(`${PLANTED}-second`);
    const restart = async () => plane.operation(String((await plane.api.call('POST', `/sites/${app.id}/restart`)).body['operationId']), 'succeeded');
    expect((await visit(app.url)).body.trim()).toBe(`${PLANTED}-first`);
    await restart();
    expect((await visit(app.url)).body.trim()).toBe(`${PLANTED}-second`);
    const revoke = () => plane.api.call('DELETE', `/projects/${projectId}/secrets/greeting`);
    const needed = await revoke();
    expect([needed.status, needed.body['detail']]).toEqual([409, expect.stringMatching(/site "named" needs "greeting"/)]);
    await plane.api.call('DELETE', `/sites/${app.id}`);
    await plane.api.settled(app.id, ['DESTROYED']);
    expect((await revoke()).status).toBe(200);
    expect((await plane.api.call('POST', '/sites', { ...named, name: 'too-late' })).body['detail']).toMatch(/"greeting" was revoked/);
  }, 120_000);

  it('is nowhere else: not in the log, the bus, the tables, the answers or what the processes wrote', async () => {
    const answers = await Promise.all(['/sites', `/sites/${site.id}`, `/sites/${site.id}/events?limit=200`, '/events?format=json&limit=200', '/operations', '/projects', `/projects/${String(site['projectId'])}`].map(async (path) => {
      const reply = await plane.api.call('GET', path);
      expect(reply.status).toBe(200);
      return JSON.stringify(reply.body);
    }));
    expect(answers.join('')).toContain('"envNames":["EMPTY","GREETING"]');
    await db.query('CHECKPOINT');
    const rows = await tables();
    for (const text of [PLANTED, Buffer.from(PLANTED).toString('base64').slice(0, -4), Buffer.from(PLANTED).toString('hex')]) {
      expect({ text, answers: answers.join('').includes(text), rows: rows.includes(text), files: filesWith(text) }).toEqual({ text, answers: false, rows: false, files: [] });
    }
    const folders = new Set(filesWith(PLAIN).map((file) => file.slice(plane.folder.length + 1).split('/')[0]));
    expect([rows.includes(PLAIN), [...folders].sort()]).toEqual([true, expect.arrayContaining(['nats', 'postgres'])]);
  });

  it('can never be opened again once its project is deleted', async () => {
    const keyring = join(plane.folder, 'vault', 'keyrings', `${String(site['projectId'])}.json`);
    expect(existsSync(keyring)).toBe(true);
    await plane.api.call('DELETE', `/sites/${site.id}`);
    await plane.api.settled(site.id, ['DESTROYED']);
    const gone = await plane.api.call('DELETE', `/projects/${String(site['projectId'])}`);
    const operation = await plane.operation(String(gone.body['operationId']), 'succeeded');
    expect((operation['steps'] as { name: string }[]).map(({ name }) => name)).toEqual(['home', 'keyring']);
    expect(existsSync(keyring)).toBe(false);
  });
});
