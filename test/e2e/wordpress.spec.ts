import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { visit, type SiteView } from '../support/api.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';


describeWithDocker('a WordPress site', () => {
  let plane: Plane;
  let label: string;
  const docker = new Docker();

  beforeAll(async () => {
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'nginx' } });
    label = `hostplane.plane=${(await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim()}`;
  });
  afterEach(async () => {
    const { body } = await plane.api.call<{ items: SiteView[] }>('GET', '/sites');
    await Promise.all(body.items.map(remove));
    expect(await labelled()).toEqual([]);
  });
  afterAll(async () => plane?.stop());

  /** Names of everything in the engine that bears this plane's label. */
  async function labelled(): Promise<string[]> {
    const filters = { label: [label] };
    const [containers, volumes, networks] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters }), docker.listNetworks({ filters })]);
    return [...containers.flatMap(({ Names }) => Names), ...volumes.Volumes.map(({ Name }) => Name), ...networks.map(({ Name }) => Name)];
  }

  async function create(name: string, more: object = {}): Promise<SiteView> {
    const { status, body } = await plane.api.call<SiteView>('POST', '/sites', { name, kind: 'wordpress', ...more });
    expect([status, body]).toEqual([202, expect.objectContaining({ name })]);
    return body;
  }

  async function live(name: string, more: object = {}): Promise<SiteView> {
    const { id } = await create(name, more);
    const site = await plane.api.settled(id, ['ACTIVE', 'FAILED'], 90_000);
    expect(site.lastError ?? site.status).toBe('ACTIVE');
    return site;
  }

  async function remove({ id }: SiteView): Promise<void> {
    await plane.api.settled(id, ['ACTIVE', 'FAILED', 'DESTROYED'], 90_000);
    await plane.api.call('DELETE', `/sites/${id}`);
    const gone = await plane.api.settled(id, ['DESTROYED', 'FAILED'], 90_000);
    expect(gone.lastError ?? gone.status).toBe('DESTROYED');
  }

  const linksOf = (html: string) => [...new Set(html.match(/https?:\/\/[^/"' <)\\]*localhost[^/"' <)\\]*/g))];

  it('is installed when it is live: its page, its title and its links are there, by http and by TLS; it stops, starts and restarts', async () => {
    const site = await live('blog', { title: "Tom & Jerry's", adminUser: 'tom', limits: { memoryBytes: 256 * 1024 ** 2, cpuMillis: 1500 } });
    expect(site).toMatchObject({ kind: 'wordpress', wordpress: { adminUser: 'tom', adminUrl: `${site.url}/wp-admin/`, database: 'shared' }, limits: { memoryBytes: 256 * 1024 ** 2, cpuMillis: 1500 } });
    const page = await visit(site.url);
    expect([page.status, page.body]).toEqual([200, expect.stringMatching(/<title>Tom &(amp|#038); Jerry/)]);
    expect(linksOf(page.body)).toEqual([site.url]);
    expect(await visit(`${site.url}/2026/`)).toMatchObject({ status: 200 });
    expect((await visit(`${site.url}/wp-admin/install.php`)).body).toContain('Already Installed');
    expect((await visit(`${site.url}/wp-admin/`)).headers['location']).toMatch(`${site.url}/wp-login.php`);
    const secure = `https://${new URL(site.url).hostname}:${plane.edgeTlsPort}`;
    expect([secure, linksOf((await visit(`${secure}/`)).body)]).toEqual([secure, [secure]]);
    expect(linksOf((await visit(`${site.url}/`, { host: 'evil.localhost:1', 'x-forwarded-host': 'evil.localhost' })).body)).toEqual([]);
    const login = await visit(`${site.url}/wp-login.php`);
    expect(linksOf(login.body)).toEqual([site.url]);

    for (const [action, status] of [['stop', 503], ['start', 200], ['restart', 200]] as const) {
      const reply = await plane.api.call('POST', `/sites/${site.id}/${action}`);
      await plane.operation(String(reply.body['operationId']), 'succeeded');
      expect([action, (await visit(site.url)).status]).toEqual([action, status]);
    }
  }, 180_000);

  it('is repaired from what is recorded: what is right stays as it is, and containers come back to the data and passwords that are there', async () => {
    const site = await live('mended', { title: 'Mended' });
    const containers = async () => {
      const found = await docker.listContainers({ all: true, filters: { label: [label] } });
      const all = await Promise.all(found.map(({ Id }) => docker.getContainer(Id).inspect()));
      return all.map(({ Id, Name, State }) => [Name.slice(0, 7), Id, State.StartedAt]).sort();
    };
    const repair = async () => {
      const reply = await plane.api.call('POST', `/sites/${site.id}/repair`);
      return (await plane.operation(String(reply.body['operationId']), 'succeeded', 90_000))['kind'];
    };
    const before = await containers();
    expect([await repair(), await containers()]).toEqual(['repair-wordpress', before]);
    for (const [, id] of before) await docker.getContainer(id!).remove({ force: true });
    expect(await repair()).toBe('repair-wordpress');
    expect((await containers()).map(([name]) => name)).toEqual(before.map(([name]) => name));
    expect((await visit(site.url)).body).toContain('<title>Mended</title>');
    const stop = await plane.api.call('POST', `/sites/${site.id}/stop`);
    await plane.operation(String(stop.body['operationId']), 'succeeded');
    expect([await repair(), (await visit(site.url)).status]).toEqual(['repair-stopped-wordpress', 503]);
  }, 180_000);

  it('shows no password where its containers are inspected, and runs without privileges', async () => {
    await live('quiet');
    const containers = await docker.listContainers({ filters: { label: [label] } });
    const inspected = await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).inspect()));
    expect(inspected.map(({ Name }) => Name.slice(0, 7)).sort()).toEqual(['/hp-db-', '/hp-php']);
    for (const { Config, HostConfig } of inspected) {
      expect(Config.Env.filter((line) => /PASSWORD/.test(line) && !/^(MARIADB_ROOT_PASSWORD_HASH_FILE|WORDPRESS_DB_PASSWORD_FILE)=\/hostplane-secrets\//.test(line))).toEqual([]);
      expect([Config.User, HostConfig]).toEqual([expect.stringMatching(/^(33:33|999:999)$/), expect.objectContaining({ ReadonlyRootfs: true, CapDrop: ['ALL'], SecurityOpt: ['no-new-privileges'] })]);
    }
  }, 120_000);

  it('is live five at once, each with its own page, two on a database server of their project', async () => {
    const names = ['one', 'two', 'three', 'four', 'five'];
    const sites = await Promise.all(names.map((name, i) => live(name, { title: `I am ${name}`, database: i > 2 ? 'own' : 'shared' })));
    expect(await Promise.all(sites.map(async ({ url }) => /<title>(.*?)<\/title>/.exec((await visit(url)).body)?.[1]))).toEqual(names.map((name) => `I am ${name}`));
    expect((await labelled()).filter((name) => name.startsWith('/hp-db'))).toHaveLength(2);
  }, 240_000);
});
