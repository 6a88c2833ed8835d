import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import pg from 'pg';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Part, type Plane } from '../support/plane.js';
import { adminPassword, Author } from '../support/wordpress.js';
import { ask, comes, isBack } from './asking.js';
import { Faults } from './faults.js';

jest.setTimeout(400_000);

const faults = new Faults();
let plane: Plane;
let log: pg.Pool;

async function begin(env: NodeJS.ProcessEnv): Promise<void> {
  plane = await startPlane({ env: { ...faults.env, HOSTPLANE_EDGE: 'embedded', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DELIVERIES: '100', ...env } });
  log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
  log.on('error', () => undefined);
}
async function end(): Promise<void> {
  await log?.end();
  await plane?.stop();
}
/** How often each thing happened since a position; work may have been tried again while others were away. */
async function events(since: number): Promise<Record<string, number>> {
  const { rows } = await log.query<{ type: string; count: string }>("SELECT type, count(*) FROM log.messages WHERE seq > $1 AND kind = 'event' AND type NOT IN ('SecretOpened', 'EdgeStarted', 'WorkDelayed') GROUP BY type", [since]);
  return Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
}
const head = async () => Number((await log.query<{ max: string }>('SELECT max(seq) FROM log.messages')).rows[0]!.max);

afterAll(() => faults.remove());

describe('another master key', () => {
  const projects = ['one', 'two', 'three'];

  beforeAll(async () => {
    await begin({ HOSTPLANE_DOCKER: 'off' });
    for (const name of projects) {
      const { body } = await plane.api.call('POST', '/projects', { name });
      await plane.operation(String(body['operationId']), 'succeeded');
      expect((await plane.api.call('PUT', `/projects/${name}/secrets/mail`, { value: `of ${name}` })).status).toBe(200);
    }
  });
  afterAll(end);

  const vault = (...path: string[]) => join(plane.folder, 'vault', ...path);
  const keyIds = () => readdirSync(vault('keyrings')).filter((name) => name.endsWith('.json')).map((name) => (JSON.parse(readFileSync(vault('keyrings', name), 'utf8')) as { keyId: string }).keyId);
  const masterKeys = () => readFileSync(vault('master.key'), 'utf8').trim().split('\n');
  const rotate = () => plane.api.call('POST', '/vault/rotate-master-key').then(({ status }) => status, () => 0);

  /** What was sealed can be opened, all under one key, which is another one than before and the only one there is; nothing is left half-way. */
  async function isWhole(before: string, since: number): Promise<void> {
    await comes(plane, 'all is under one other master key, and the old one is gone', async () => {
      const ids = new Set(keyIds());
      return ids.size === 1 && !ids.has(before) && masterKeys().length === 1 && (await events(since))['MasterKeyRotated'] === 1;
    });
    expect(readdirSync(vault('keyrings')).filter((name) => !name.endsWith('.json'))).toEqual([]);
    for (const name of projects) expect((await ask(plane, 'POST', `/projects/${name}/secrets/mail/reveal`)).body).toMatchObject({ value: `of ${name}`, version: 1 });
  }

  it('is put in place of the old one, or not begun, with kill -9 at each point: every secret can be read, and none is left under the old one', async () => {
    faults.forget();
    const [first, start] = [keyIds()[0]!, await head()];
    expect(await rotate()).toBe(200);
    await isWhole(first, start);
    const points = faults.passed().filter(({ process, point }) => process === 'control-plane' && point.startsWith('vault:'));
    expect(points.map(({ point }) => point)).toEqual(expect.arrayContaining(['vault:master-key-renewed', 'vault:keyring-rewrap', 'vault:master-key-rewrapped']));
    expect(points.length).toBeGreaterThanOrEqual(projects.length + 2);
    for (const point of points) {
      const [before, since] = [keyIds()[0]!, await head()];
      faults.order(point);
      expect(await rotate()).not.toBe(200);
      expect(await faults.carriedOut(5_000)).toBe(true);
      await isWhole(before, since).catch((error: Error) => { throw new Error(`killed at ${point.point}#${point.nth}: ${error.message}`, { cause: error }); });
    }
  });
});

describeWithDocker('a repair', () => {
  const docker = new Docker();
  let [app, files, blog]: SiteView[] = [];
  let password: string;

  beforeAll(async () => {
    await begin({ HOSTPLANE_DOCKER: 'on' });
    const { body } = await plane.api.call('POST', '/projects', { name: 'shop' });
    await plane.operation(String(body['operationId']), 'succeeded');
    const wishes = [{ name: 'app', kind: 'app', image: testImage('app'), port: 8080, env: { GREETING: 'kept' }, healthPath: '/health' }, { name: 'files', kind: 'static' }, { name: 'blog', kind: 'wordpress' }];
    const created = await Promise.all(wishes.map((wish) => plane.api.call<SiteView>('POST', '/sites', { ...wish, projectId: 'shop' })));
    [app, files, blog] = await Promise.all(created.map(({ body: { id } }) => plane.api.settled(id, ['ACTIVE', 'FAILED'], 90_000)));
    await plane.api.call('PUT', `/sites/${files!.id}/content`, await tarGz({ 'index.html': 'first page', 'second.html': 'second page' }));
    password = await adminPassword(plane, blog!);
  });
  afterAll(async () => {
    for (const site of [app, files, blog]) if (site) await plane.api.call('DELETE', `/sites/${site.id}`);
    for (const site of [app, files, blog]) if (site) await plane.api.settled(site.id, ['DESTROYED']);
    const left = plane ? await things() : [];
    await end();
    expect(left).toEqual([]);
  });

  const label = () => `hostplane.plane=${readFileSync(join(plane.folder, 'plane-id'), 'utf8').trim()}`;
  async function things(): Promise<string[]> {
    const filters = { label: [label()] };
    const [containers, volumes, networks] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters }), docker.listNetworks({ filters })]);
    return [...containers.map(({ Names, State }) => `${Names.join()} ${State}`), ...volumes.Volumes.map(({ Name }) => Name), ...networks.map(({ Name }) => Name)].sort();
  }
  const secrets = async () => (await ask<{ items: { name: string; version: number }[] }>(plane, 'GET', '/projects/shop/secrets')).body.items.map(({ name, version }) => [name, version]);

  /** All containers are gone, the database server's too, and a file of the release. */
  async function harm(): Promise<void> {
    for (const { Id } of await docker.listContainers({ all: true, filters: { label: [label()] } })) await docker.getContainer(Id).remove({ force: true });
    rmSync(join(plane.folder, 'sites', files!.id, 'current', 'second.html'));
  }
  /** As it was before the harm, with the secrets that it had. */
  async function isWell(): Promise<void> {
    expect((await visit(app!.url)).body.trim()).toBe('kept');
    expect((await visit(`${files!.url}/second.html`)).body).toBe('second page');
    expect(await Author.signIn(blog!.url, 'admin', password)).toBeDefined();
    for (const { id } of [app!, files!, blog!]) expect(await plane.api.site(id)).toMatchObject({ status: 'ACTIVE' });
  }

  const repairs = [
    { name: 'of each site', run: async () => {
      for (const { id } of [app!, files!, blog!]) await plane.operation(String((await ask(plane, 'POST', `/sites/${id}/repair`)).body['operationId']), 'succeeded', 120_000);
    } },
    { name: 'of a whole project', run: async () => {
      const { status, body } = await ask<{ sites: readonly { operationId?: string }[] }>(plane, 'POST', '/projects/shop/repair');
      expect([status, body.sites.map(({ operationId }) => typeof operationId)]).toEqual([202, ['string', 'string', 'string']]);
      for (const { operationId } of body.sites) await plane.operation(operationId!, 'succeeded', 120_000);
    } },
  ];

  async function told(run: () => Promise<void>) {
    await harm();
    const since = await head();
    await run();
    await isBack(plane);
    await isWell();
    return { events: await events(since), things: await things(), secrets: await secrets() };
  }
  /** What is done to the host, and before and after each message; of the control plane the messages that begin a repair. A launch's own are killed at in the other suites. */
  const isPoint: Readonly<Record<'provisioner' | 'control-plane', (point: string) => boolean>> = {
    provisioner: (point) => /^(docker:(?!list|inspect|version|logs|stat)[\w-]+:done|files:\w+|handler:(EnsureDatabase|EnsureWorkload|InstallWorkload|EnsureEdge|ConfirmPage):(received|done))$/.test(point),
    'control-plane': (point) => /^handler:SiteSwitchRequested:(received|done)$/.test(point),
  };

  it.each(repairs.map((repair) => [repair.name, repair] as const))('%s makes anew what is missing, and nothing twice, with kill -9 at each point', async (name, { run }) => {
    faults.forget();
    const outcome = await told(run);
    const parts = ['provisioner', 'control-plane'] as const;
    const points = (part: Part & keyof typeof isPoint) => [...new Set(faults.passed().filter(({ process, point }) => process === part && isPoint[part](point)).map(({ point }) => point))];
    const orders = parts.map((part) => [part, points(part)] as const);
    const all = orders.flatMap(([, some]) => some);
    expect(all).toEqual(expect.arrayContaining(['docker:create-container:done', 'docker:start-container:done', 'handler:InstallWorkload:done', 'files:place', 'handler:SiteSwitchRequested:done']));
    for (const [part, some] of orders) faults.orderAll(part, some);
    const found = await told(run);
    const missed = orders.flatMap(([part, some]) => faults.missed(part, some));
    process.stderr.write(`  ${name}: ${all.length - missed.length} of ${all.length} deaths${missed.length ? `, not at ${missed.join(', ')}` : ''}\n`);
    expect(found).toEqual(outcome);
    expect(missed.length).toBeLessThanOrEqual(Math.ceil(all.length * 0.1));
  });
});
