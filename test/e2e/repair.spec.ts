import { afterAll, beforeAll, expect, it } from '@jest/globals';
import Docker from 'dockerode';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';


interface Switched extends Record<string, unknown> {
  readonly sites: readonly { readonly name: string; readonly status: string; readonly operationId?: string; readonly reason?: string }[];
}

describeWithDocker('a repair', () => {
  let plane: Plane;
  let [app, files, off]: SiteView[] = [];
  const docker = new Docker();

  beforeAll(async () => {
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'nginx', HOSTPLANE_HEALTH_DEADLINE_SECONDS: '20' } });
    await plane.api.call('POST', '/projects', { name: 'shop' });
    const wishes = [
      { name: 'app', kind: 'app', image: testImage('app'), port: 8080, env: { GREETING: 'kept' }, healthPath: '/health' },
      { name: 'files', kind: 'static' },
      { name: 'off', kind: 'static', runtime: 'docker' },
    ];
    const created = await Promise.all(wishes.map((wish) => plane.api.call<SiteView>('POST', '/sites', { ...wish, projectId: 'shop' })));
    [app, files, off] = await Promise.all(created.map(({ body }) => plane.api.settled(body.id, ['ACTIVE'])));
    await plane.api.call('PUT', `/sites/${files!.id}/content`, await tarGz({ 'index.html': 'first page', 'second.html': 'second page' }));
    await done(await plane.api.call('POST', '/sites/off/stop'));
  }, 180_000);
  afterAll(async () => {
    for (const name of ['app', 'files', 'off']) await plane?.api.call('DELETE', `/sites/${name}`);
    await Promise.all([app, files, off].map(async (site) => site && (await plane.api.settled(site.id, ['DESTROYED']))));
    await plane?.stop();
  }, 120_000);

  async function done(reply: { body: Record<string, unknown> }): Promise<void> {
    await plane.operation(String(reply.body['operationId']), 'succeeded');
  }

  async function containers(): Promise<{ siteId: string; id: string; running: boolean; startedAt: string }[]> {
    const found = await docker.listContainers({ all: true, filters: { label: [`hostplane.plane=${readFileSync(join(plane.folder, 'plane-id'), 'utf8').trim()}`] } });
    const all = await Promise.all(found.map(async ({ Id, Labels }) => ({ siteId: Labels['hostplane.site'] ?? '', id: Id, state: (await docker.getContainer(Id).inspect()).State })));
    return all.map(({ siteId, id, state }) => ({ siteId, id, running: state.Running, startedAt: state.StartedAt })).sort((a, b) => (a.siteId < b.siteId ? -1 : 1));
  }

  async function whole(action: string): Promise<Switched['sites']> {
    const reply = await plane.api.call<Switched>('POST', `/projects/shop/${action}`);
    expect(reply.status).toBe(202);
    for (const { operationId } of reply.body.sites) if (operationId) await plane.operation(operationId, 'succeeded');
    return [...reply.body.sites].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  it('leaves what is right as it is: the same containers, not started anew, the same files, and what was stopped stays so', async () => {
    const [before, release] = [await containers(), readlinkSync(join(plane.folder, 'sites', files!.id, 'current'))];
    expect((await whole('repair')).map(({ name, status }) => [name, status])).toEqual([['app', 'accepted'], ['files', 'accepted'], ['off', 'accepted']]);
    expect(await containers()).toEqual(before);
    expect(before.map(({ running }) => running).sort()).toEqual([false, true]);
    expect(readlinkSync(join(plane.folder, 'sites', files!.id, 'current'))).toBe(release);
    expect((await plane.api.site('off'))['power']).toBe('stopped');
  });

  it('brings back a container, running or not, with its sealed environment', async () => {
    for (const { id } of await containers()) await docker.getContainer(id).remove({ force: true });
    await whole('repair');
    expect((await containers()).map(({ siteId, running }) => [siteId, running]).sort()).toEqual([[app!.id, true], [off!.id, false]].sort());
    expect((await visit(app!.url)).body.trim()).toBe('kept');
    expect((await visit(off!.url)).status).toBe(503);
  });

  it('brings back a file of a release', async () => {
    const folder = join(plane.folder, 'sites', files!.id, 'current');
    rmSync(join(folder, 'second.html'));
    expect((await visit(`${files!.url}/second.html`)).status).toBe(404);
    await done(await plane.api.call('POST', '/sites/files/repair'));
    expect((await visit(`${files!.url}/second.html`)).body).toBe('second page');
  });

  it('brings back the configuration of the edge', async () => {
    const edge = join(plane.folder, 'edge');
    const generation = () => join(edge, readlinkSync(join(edge, 'current')));
    const before = readdirSync(generation()).sort();
    for (const name of before) rmSync(join(generation(), name));
    await done(await plane.api.call('POST', '/sites/files/repair'));
    expect(readdirSync(generation()).sort()).toEqual(before);
    expect((await visit(files!.url)).body).toBe('first page');
  });

  it('of a failed site provisions it again', async () => {
    const wish = { name: 'broken', kind: 'app', image: testImage('app'), port: 8080, env: { EXIT_SECONDS: '0' }, healthPath: '/health', projectId: 'shop' };
    const created = await plane.api.call<SiteView>('POST', '/sites', wish);
    await plane.api.settled(created.body.id, ['FAILED']);
    const reply = await plane.api.call('POST', '/sites/broken/repair');
    const { kind } = await plane.operation(String(reply.body['operationId']), 'failed');
    expect(kind).toBe('launch-site');
    await plane.api.call('DELETE', '/sites/broken');
    await plane.api.settled(created.body.id, ['DESTROYED']);
  });

  it('and a stop, start and restart of a project reach each of its sites to which they apply, and say why the others were left out', async () => {
    const outcomes = (sites: Switched['sites']) => sites.map(({ name, status, reason }) => [name, reason ?? status]);
    expect(outcomes(await whole('stop'))).toEqual([['app', 'accepted'], ['files', 'accepted'], ['off', 'It is stopped.']]);
    expect([(await visit(app!.url)).status, (await visit(files!.url)).status]).toEqual([503, 503]);
    expect(outcomes(await whole('restart'))).toEqual([['app', 'It is stopped.'], ['files', 'It is stopped.'], ['off', 'It is stopped.']]);
    expect(outcomes(await whole('start'))).toEqual([['app', 'accepted'], ['files', 'accepted'], ['off', 'accepted']]);
    const before = await containers();
    expect(outcomes(await whole('restart'))).toEqual([['app', 'accepted'], ['files', 'accepted'], ['off', 'accepted']]);
    for (const [n, { id, startedAt }] of (await containers()).entries()) expect([id, startedAt > before[n]!.startedAt]).toEqual([before[n]!.id, true]);
    expect([(await visit(app!.url)).status, (await visit(files!.url)).status, (await visit(off!.url)).status]).toEqual([200, 200, 200]);
  });
});
