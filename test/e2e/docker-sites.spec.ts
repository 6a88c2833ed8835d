import { afterAll, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';

const AT_ONCE = 20;

describeWithDocker('sites in containers', () => {
  let plane: Plane;
  let label: string;
  const docker = new Docker();

  beforeAll(async () => {
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'nginx', HOSTPLANE_HEALTH_DEADLINE_SECONDS: '5' } });
    label = `hostplane.plane=${(await readFile(join(plane.folder, 'plane-id'), 'utf8')).trim()}`;
  });
  afterAll(async () => plane?.stop());

  /** Names of everything in the engine that bears this plane's label. */
  async function labelled(): Promise<string[]> {
    const filters = { label: [label] };
    const [containers, volumes, networks] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listVolumes({ filters }), docker.listNetworks({ filters })]);
    return [...containers.flatMap(({ Names }) => Names), ...volumes.Volumes.map(({ Name }) => Name), ...networks.map(({ Name }) => Name)];
  }

  it(`become active ${AT_ONCE} at once, serve their own content through nginx, and leave nothing behind`, async () => {
    const names = Array.from({ length: AT_ONCE }, (_, i) => `many-${i}`);
    const created = await Promise.all(names.map((name) => plane.api.call<SiteView>('POST', '/sites', { name, kind: 'static', runtime: 'docker' })));
    expect(created.map(({ status }) => status)).toEqual(names.map(() => 202));
    const sites = await Promise.all(created.map(({ body }) => plane.api.settled(body.id, ['ACTIVE', 'FAILED'], 110_000)));
    expect(sites.map(({ status, lastError }) => lastError ?? status)).toEqual(names.map(() => 'ACTIVE'));
    const published = await Promise.all(sites.map(async ({ id, name }) => plane.api.call('PUT', `/sites/${id}/content`, await tarGz({ 'index.html': `I am ${name}` }))));
    expect(published.map(({ status }) => status)).toEqual(names.map(() => 200));
    expect(await Promise.all(sites.map(async ({ url }) => (await visit(url)).body))).toEqual(names.map((name) => `I am ${name}`));
    expect((await labelled()).length).toBeGreaterThanOrEqual(2 * AT_ONCE);

    const deleted = await Promise.all(sites.map(({ id }) => plane.api.call('DELETE', `/sites/${id}`)));
    expect(deleted.map(({ status }) => status)).toEqual(names.map(() => 202));
    await Promise.all(sites.map(({ id }) => plane.api.settled(id, ['DESTROYED'], 110_000)));
    expect(await labelled()).toEqual([]);
  }, 300_000);

  it('run an app with its environment, stop it, start it and restart it', async () => {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'app', kind: 'app', image: testImage('app'), port: 8080, env: { GREETING: 'a-value-nobody-else-sees' }, healthPath: '/health' });
    expect(created.status).toBe(202);
    const site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED']);
    expect(site).toMatchObject({ status: 'ACTIVE', kind: 'app' });
    expect((await visit(site.url)).status).toBe(200);
    expect(JSON.stringify([await plane.api.site(site.id), (await plane.api.call('GET', `/sites/${site.id}/events`)).body])).not.toContain('a-value-nobody-else-sees');
    for (const [action, status] of [['stop', 503], ['start', 200], ['restart', 200]] as const) {
      const reply = await plane.api.call('POST', `/sites/${site.id}/${action}`);
      expect(reply.status).toBe(202);
      await plane.operation(String(reply.body['operationId']), 'succeeded');
      expect((await visit(site.url)).status).toBe(status);
    }
    await plane.api.call('DELETE', `/sites/${site.id}`);
    await plane.api.settled(site.id, ['DESTROYED']);
    expect(await labelled()).toEqual([]);
  });

  it('are reached when their container was restarted, and when it got another address behind our back and was repaired', async () => {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'mover', kind: 'app', image: testImage('app'), port: 8080, healthPath: '/health' });
    const site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED']);
    const [{ Id }] = (await docker.listContainers({ filters: { label: [label, `hostplane.site=${site.id}`] } })) as [Docker.ContainerInfo];
    const until = async (status: number): Promise<number> => {
      let last = 0;
      for (const end = Date.now() + 30_000; Date.now() < end && last !== status; await new Promise((resolve) => setTimeout(resolve, 100))) last = (await visit(site.url)).status;
      return last;
    };
    await docker.getContainer(Id).restart({ t: 1 });
    expect(await until(200)).toBe(200);

    const [network, { IPAddress }] = Object.entries((await docker.getContainer(Id).inspect()).NetworkSettings.Networks)[0]!;
    await docker.getNetwork(network).disconnect({ Container: Id, Force: true });
    await docker.getNetwork(network).connect({ Container: Id, EndpointConfig: { IPAMConfig: { IPv4Address: IPAddress.replace(/\d+$/, '201') } } });
    expect(await until(502)).toBe(502);
    const { body } = await plane.api.call('POST', `/sites/${site.id}/repair`);
    await plane.operation(String(body['operationId']), 'succeeded');
    expect(await until(200)).toBe(200);
    await plane.api.call('DELETE', `/sites/${site.id}`);
    await plane.api.settled(site.id, ['DESTROYED']);
    expect(await labelled()).toEqual([]);
  }, 180_000);

  it.each([
    ['an image that does not exist', { image: 'hostplane.invalid/nothing:here', port: 80 }, /hostplane\.invalid\/nothing:here/],
    ['an app that never becomes healthy', { image: testImage('app'), port: 8080, env: { UNHEALTHY: '1' }, healthPath: '/health' }, /health/i],
    ['an app that ends at once', { image: testImage('app'), port: 8080, env: { EXIT_SECONDS: '0' } }, /exit/i],
  ])('fail with the step and the reason, and leave no trace: %s', async (name, app, reason) => {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: `bad-${name.length}`, kind: 'app', ...app });
    expect(created.status).toBe(202);
    const site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'], 60_000);
    expect(site.status).toBe('FAILED');
    expect(site.lastError).toMatch(reason);
    expect(await labelled()).toEqual([]);
    expect((await visit(site.url)).status).toBe(404);
    await plane.api.call('DELETE', `/sites/${site.id}`);
    expect((await plane.api.settled(site.id, ['DESTROYED'])).status).toBe('DESTROYED');
  });
});
