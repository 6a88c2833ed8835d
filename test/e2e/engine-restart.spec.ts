import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { until } from '../support/bus.js';
import { describeWithOwnEngine } from '../support/docker.js';
import { OwnEngine } from '../support/engine.js';
import { startPlane, type Plane } from '../support/plane.js';
import { adminPassword, Author } from '../support/wordpress.js';

jest.setTimeout(240_000);

const A_MINUTE_MS = 60_000;

interface HealthyView extends SiteView {
  readonly health?: { readonly state: string; readonly since: string; readonly detail?: string };
}

describeWithOwnEngine('a Docker Engine that goes away', () => {
  let engine: OwnEngine;
  let plane: Plane;
  let app: HealthyView;
  let blog: HealthyView;
  let post: string;
  let password: string;

  beforeAll(async () => {
    engine = await OwnEngine.start();
    await engine.load(new Docker(), testImage('wordpress'), testImage('mariadb'), testImage('app'));
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', DOCKER_HOST: `unix://${engine.socket}`, HOSTPLANE_EDGE: 'embedded', HOSTPLANE_OBSERVE_SECONDS: '1', HOSTPLANE_REDELIVERY_SECONDS: '1' } });
    [app, blog] = (await Promise.all([create('app'), create('blog')]).then((sites) => Promise.all(sites.map(ended)))) as [SiteView, SiteView];
    expect([app.lastError ?? app.status, blog.lastError ?? blog.status]).toEqual(['ACTIVE', 'ACTIVE']);
    password = await adminPassword(plane, blog);
    post = await (await Author.signIn(blog.url, 'admin', password))!.publish('Still here', 'text');
  });
  afterAll(async () => {
    await plane?.stop();
    await engine?.remove();
  });

  async function create(name: string): Promise<SiteView> {
    const wish = name.startsWith('blog') ? { kind: 'wordpress' } : { kind: 'app', image: testImage('app'), port: 8080, healthPath: '/health' };
    return (await plane.api.call<SiteView>('POST', '/sites', { name, ...wish })).body;
  }
  const ended = ({ id }: SiteView) => plane.api.settled(id, ['ACTIVE', 'FAILED'], 120_000);
  const health = async ({ id }: SiteView) => ((await plane.api.site(id)) as HealthyView).health;
  const statusOf = (url: string) => visit(url).then(({ status }) => status, () => 0);
  const labels = async (): Promise<string[]> => (await engine.docker.listContainers({ all: true })).map(({ Names }) => Names.join());

  /** From the moment on at which the plane can know it, it says that it knows nothing. */
  async function isUnknown(): Promise<void> {
    for (const site of [app, blog]) {
      await until(`the health of ${site.name} is unknown`, async () => (await health(site))?.state === 'unknown', A_MINUTE_MS);
      expect((await health(site))?.detail).toMatch(/Docker Engine at .* does not answer/);
    }
  }

  /** Nobody has done anything but start the engine. */
  async function comesBack(): Promise<void> {
    for (const site of [app, blog]) {
      let seen: unknown;
      await until(`${site.name} serves, and is known to`, async () => {
        const [view, status] = [(await plane.api.site(site.id)) as HealthyView, await statusOf(site.url)];
        seen = [view.status, view.health?.state, status, view['operation']];
        return view.status === 'ACTIVE' && view.health?.state === 'healthy' && view['operation'] === undefined && status === 200;
      }, A_MINUTE_MS).catch(async (error: Error) => { throw new Error(`${error.message}: ${JSON.stringify(seen)}\n${await plane.complaints(5)}`); });
    }
    expect(await statusOf(post)).toBe(200);
    expect(await Author.signIn(blog.url, 'admin', password)).toBeDefined();
  }

  it('is said to be unknown while it is stopped, what is asked meanwhile waits for it, and all comes back with it', async () => {
    const before = await labels();
    await engine.stop();
    await isUnknown();
    expect([await statusOf(app.url), await statusOf(blog.url)]).toEqual([502, 502]);
    const [restart, added] = [await plane.api.call('POST', `/sites/${app.id}/restart`), await create('app-meanwhile')];
    await plane.api.settled(added.id, ['PROVISIONING']);
    expect([(await health(app))?.state, (await health(blog))?.state]).toEqual(['unknown', 'unknown']);
    await engine.start();
    await comesBack();
    await plane.operation(String(restart.body['operationId']), 'succeeded');
    expect((await ended(added)).status).toBe('ACTIVE');
    await plane.api.call('DELETE', `/sites/${added.id}`);
    await plane.api.settled(added.id, ['DESTROYED']);
    expect(await labels()).toEqual(before);
  });

  it('serves on what runs when it is killed, says that it knows nothing, and does what was asked meanwhile', async () => {
    const before = await labels();
    await engine.kill();
    await isUnknown();
    expect([await statusOf(app.url), await statusOf(post)]).toEqual([200, 200]);
    const stop = await plane.api.call('POST', `/sites/${app.id}/stop`);
    await engine.start();
    await plane.operation(String(stop.body['operationId']), 'succeeded');
    expect([await statusOf(app.url), (await health(app))?.state]).toEqual([503, undefined]);
    const start = await plane.api.call('POST', `/sites/${app.id}/start`);
    await plane.operation(String(start.body['operationId']), 'succeeded');
    await comesBack();
    expect((await labels()).sort()).toEqual(before.sort());
  });

  it('comes back with its sites when it was killed with everything that it runs', async () => {
    const before = await labels();
    await engine.killWhole();
    await isUnknown();
    expect([await statusOf(app.url), await statusOf(post)]).toEqual([502, 502]);
    await engine.start();
    await comesBack();
    expect((await labels()).sort()).toEqual(before.sort());
  });

  it('in the middle of a launch of WordPress ends it in one of two ways, and leaves nothing that it has not', async () => {
    const before = await labels();
    const site = await create('blog-interrupted');
    await until('its container is there', async () => (await engine.docker.listContainers({ all: true })).length > before.length, A_MINUTE_MS);
    await engine.kill();
    await engine.start();
    const { status, lastError } = await ended(site);
    expect([status, lastError]).toEqual(status === 'ACTIVE' ? ['ACTIVE', undefined] : ['FAILED', expect.stringMatching(/^\w+: /)]);
    if (status === 'ACTIVE') expect(await Author.signIn(site.url, 'admin', await adminPassword(plane, site))).toBeDefined();
    else expect(await labels()).toEqual(before);
    await plane.api.call('DELETE', `/sites/${site.id}`);
    await plane.api.settled(site.id, ['DESTROYED']);
    expect(await labels()).toEqual(before);
    await comesBack();
  });
});
