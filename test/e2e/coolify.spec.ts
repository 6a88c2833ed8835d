import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { comes } from '../chaos/asking.js';
import { visit, type SiteView } from '../support/api.js';
import { describeWithCoolify } from '../support/coolify-spec.js';
import { COOLIFY_TOKEN, CoolifyStandIn } from '../support/coolify-stand-in.js';
import { startPlane, type Plane } from '../support/plane.js';

/** Others for each run, so that runs beside each other do not meet. */
const FIRST = 30_000 + 100 * Math.floor(Math.random() * 20);
const app = { kind: 'app', image: 'hostplane-test/app:latest', port: 8080, healthPath: '/health' };

describeWithCoolify('apps at Coolify', () => {
  let coolify: CoolifyStandIn;
  let plane: Plane;
  beforeAll(async () => {
    coolify = await CoolifyStandIn.start({ workMs: 50, lagMs: 50 });
    plane = await startPlane({
      env: { COOLIFY_API_URL: coolify.url, COOLIFY_API_TOKEN: COOLIFY_TOKEN, COOLIFY_PORTS: `${FIRST}-${FIRST + 99}`, HOSTPLANE_DOCKER: 'off', HOSTPLANE_HEALTH_DEADLINE_SECONDS: '2', HOSTPLANE_DELIVERIES: '2', COOLIFY_ATTEMPTS: '2', COOLIFY_REQUESTS_PER_MINUTE: '10000' },
    });
  }, 120_000);
  afterAll(async () => {
    await plane?.stop();
    await coolify?.close();
  });

  async function change(site: SiteView, action: string): Promise<void> {
    const reply = await plane.api.call('POST', `/sites/${site.id}/${action}`);
    await plane.operation(String(reply.body['operationId']), 'succeeded');
  }

  it('are the default where one is configured: made, served by our edge, switched, and gone with nothing left', async () => {
    const project = await plane.api.call<{ id: string; operationId: string }>('POST', '/projects', { name: 'team-c' });
    expect(project.status).toBe(202);
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'shop', projectId: 'team-c', ...app, env: { GREETING: 'a-value-nobody-else-sees' } });
    expect([created.status, created.body['runtime']]).toEqual([202, 'coolify']);
    const site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED']);
    expect(site.lastError ?? site.status).toBe('ACTIVE');
    expect(await visit(site.url)).toMatchObject({ status: 200, body: 'a-value-nobody-else-sees' });
    expect(JSON.stringify([await plane.api.site(site.id), (await plane.api.call('GET', `/sites/${site.id}/events`)).body])).not.toContain('a-value-nobody-else-sees');
    for (const [action, status, deployments] of [['restart', 200, 2], ['stop', 503, 2], ['start', 200, 3]] as const) {
      await change(site, action);
      expect([action, (await visit(site.url)).status, coolify.state.deployments.length]).toEqual([action, status, deployments]);
    }
    await plane.api.call('DELETE', `/sites/${site.id}`);
    await plane.api.settled(site.id, ['DESTROYED']);
    const gone = await plane.api.call('DELETE', '/projects/team-c');
    await plane.operation(String(gone.body['operationId']), 'succeeded');
    expect([await coolify.leftovers(), coolify.violations]).toEqual([[], []]);
  }, 120_000);

  it.each([
    ['an image that does not exist', { image: 'nobody/has-this:1' }, /nobody\/has-this:1 not found/],
    ['an app that is never healthy', { env: { UNHEALTHY: '1' } }, /GET \/health .*answers 404[\s\S]*listening/],
  ])('tell the step and the log when they fail, and leave nothing: %s', async (name, wrong, reason) => {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: `bad-${name.length}`, ...app, env: { GREETING: 'planted-secret' }, ...wrong });
    const site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED']);
    expect(site.lastError).toMatch(reason);
    expect(site.lastError).not.toMatch(/planted-secret|a-token-of-coolify/);
    const operation = await plane.operation(created.body.operationId, 'failed');
    expect(JSON.stringify(operation)).toContain('workload');
    expect(await coolify.leftovers()).toEqual([]);
    await plane.api.call('DELETE', `/sites/${site.id}`);
    expect((await plane.api.settled(site.id, ['DESTROYED'])).status).toBe('DESTROYED');
  });

  it('take the value that a secret of the project has when they are started again', async () => {
    const project = await plane.api.call<SiteView>('POST', '/projects', { name: 'keeper' });
    const store = (value: string) => plane.api.call('PUT', `/projects/${project.body.id}/secrets/greeting`, { value });
    expect((await store('planted-secret-1')).status).toBe(200);
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'named', projectId: 'keeper', ...app, env: { GREETING: { secret: 'greeting' } } });
    const site = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED']);
    expect([site.lastError, (await visit(site.url)).body]).toEqual([undefined, 'planted-secret-1']);
    await store('planted-secret-2');
    await change(site, 'restart');
    expect((await visit(site.url)).body).toBe('planted-secret-2');
    expect([...coolify.state.apps.values()].map(({ fields }) => String(fields['description'])).join()).not.toContain('planted');
    await plane.api.call('DELETE', `/sites/${site.id}`);
    await plane.api.settled(site.id, ['DESTROYED']);
    expect(await coolify.leftovers()).toEqual([]);
  }, 60_000);

  it('fail with their step and the reason while Coolify is away, are retried when it is back, and nobody else is kept waiting', async () => {
    coolify.fail(/./, 'status', { status: 503, times: Infinity });
    const project = await plane.api.call<{ operationId: string }>('POST', '/projects', { name: 'meanwhile' });
    await plane.operation(project.body.operationId, 'succeeded');
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'patient', projectId: 'meanwhile', ...app });
    const files = await plane.api.call<SiteView>('POST', '/sites', { name: 'pages', projectId: 'meanwhile', kind: 'static' });
    expect((await plane.api.settled(files.body.id, ['ACTIVE', 'FAILED'])).status).toBe('ACTIVE');
    const delayOf = async (id: string) => ((await plane.api.site(id))['operation'] as { delay?: string } | undefined)?.delay ?? '';
    await comes(plane, 'it says why it is not live yet', async () => /^The Coolify at http\S+ could not list its servers: 503/.test(await delayOf(created.body.id)));
    expect((await plane.api.site(created.body.id)).status).toBe('PROVISIONING');
    const failed = await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'], 120_000);
    expect(failed.lastError).toMatch(/^workload: The Coolify at http\S+ could not list its servers: 503 .*tried 2 times/);
    const { failedStep, delay } = await plane.operation(created.body.operationId, 'failed');
    expect([failedStep, delay]).toEqual(['workload', undefined]);
    // What never used Coolify can be deleted without it.
    const unused = await plane.api.call<{ operationId: string }>('POST', '/projects', { name: 'unused' });
    await plane.operation(unused.body.operationId, 'succeeded');
    await plane.operation(String((await plane.api.call('DELETE', '/projects/unused')).body['operationId']), 'succeeded');
    coolify.faults.length = 0;
    await change(failed, 'retry');
    expect(await visit(failed.url)).toMatchObject({ status: 200 });
    for (const { id } of [failed, files.body]) {
      await plane.api.call('DELETE', `/sites/${id}`);
      await plane.api.settled(id, ['DESTROYED']);
    }
    await plane.operation(String((await plane.api.call('DELETE', '/projects/meanwhile')).body['operationId']), 'succeeded');
    expect([await coolify.leftovers(), coolify.violations]).toEqual([[], []]);
  }, 240_000);

  it('leave static sites to the edge', async () => {
    const refused = await plane.api.call('POST', '/sites', { name: 'leaflet', kind: 'static', runtime: 'coolify' });
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([422, expect.stringMatching(/files or docker/)]);
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'leaflet', kind: 'static' });
    expect((await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'])).status).toBe('ACTIVE');
  });
});
