import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithNginx } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';

let plane: Plane;
let site: SiteView;
const folder = mkdtempSync(join(tmpdir(), 'hostplane-outages-'));
const env = { HOSTPLANE_DOCKER: 'off', HOSTPLANE_REDELIVERY_SECONDS: '1' };

beforeAll(async () => {
  plane = await startPlane({ env, folder });
  const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
  site = await plane.api.settled(created.body.id, ['ACTIVE']);
  await plane.api.call('PUT', `/sites/${site.id}/content`, await tarGz({ 'index.html': 'steady' }));
});
afterAll(async () => {
  await plane?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function until(holds: () => Promise<boolean>, withinMs = 30_000): Promise<void> {
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(100)) if (await holds().catch(() => false)) return;
  throw new Error(`Not within ${withinMs} ms.\n${await plane.complaints()}`);
}

describe('while a server is away', () => {
  it.each(['nats', 'postgres'] as const)('(%s) visitors are served, requests are answered with 503, and everything goes on when it is back', async (server) => {
    await plane.kill(server);
    expect((await visit(site.url)).body).toBe('steady');
    const refused = await plane.api.call('POST', '/sites', { name: `during-${server}`, kind: 'static' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBeTruthy();
    await until(async () => (await plane.api.call('GET', '/health/ready')).status === 503);
    await plane.start(server);
    await until(async () => (await plane.api.call('GET', '/health/ready')).status === 200);
    // Other services may need a moment more; a refusal that says so is asked again, as its Retry-After says.
    let created = await plane.api.call<SiteView>('POST', '/sites', { name: `after-${server}`, kind: 'static' });
    for (let n = 0; created.status === 503 && n < 10; n++) {
      await sleep(1000 * Number(created.headers.get('retry-after')));
      created = await plane.api.call<SiteView>('POST', '/sites', { name: `after-${server}`, kind: 'static' });
    }
    expect(created.status).toBe(202);
    expect((await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'])).status).toBe('ACTIVE');
    const listed = await plane.api.call<{ items: SiteView[] }>('GET', `/sites?name=during-${server}`);
    expect(listed.body.items).toEqual([]);
  });

  it('(the provisioner) an operation waits for it, and ends when it is back', async () => {
    await plane.kill('provisioner');
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'patient', kind: 'static' });
    expect(created.status).toBe(202);
    await sleep(500);
    expect((await plane.api.site(created.body.id)).status).toBe('PROVISIONING');
    await plane.start('provisioner');
    expect((await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'])).status).toBe('ACTIVE');
  });

  it('(the provisioner) a launch can be given up meanwhile, is taken back, and is retried', async () => {
    await plane.kill('provisioner');
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'hesitant', kind: 'static' });
    await until(async () => (await plane.api.site(created.body.id)).status === 'PROVISIONING');
    const cancelled = await plane.api.call('POST', `/operations/${created.body.operationId}/cancel`, { reason: 'changed my mind' });
    expect(cancelled.status).toBe(202);
    expect((await plane.api.call('DELETE', `/sites/${created.body.id}`)).status).toBe(409);
    await plane.start('provisioner');
    expect(await plane.api.settled(created.body.id, ['FAILED'])).toMatchObject({ lastError: expect.stringContaining('changed my mind') });
    expect((await visit(created.body.url)).status).toBe(404);
    expect((await plane.api.call('POST', `/sites/${created.body.id}/retry`)).status).toBe(202);
    expect((await plane.api.settled(created.body.id, ['ACTIVE'])).lastError).toBeUndefined();
    expect((await visit(created.body.url)).status).toBe(200);
  });
});

describeWithNginx('an edge', () => {
  it('that dies is brought up again', async () => {
    const pid = Number(readFileSync(join(folder, 'edge', 'nginx.pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await until(async () => (await visit(site.url)).body === 'steady');
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'after-edge', kind: 'static' });
    expect(await plane.api.settled(created.body.id, ['ACTIVE', 'FAILED'])).toMatchObject({ status: 'ACTIVE' });
    expect((await visit(created.body.url)).status).toBe(200);
  });
});

it('everything is still there after a stop and a start', async () => {
  const before = await plane.api.site(site.id);
  const { token } = plane.api;
  await plane.stop();
  plane = await startPlane({ env: { ...env, HOSTPLANE_API_PORT: new URL(plane.api.base).port, HOSTPLANE_EDGE_HTTP_PORT: new URL(site.url).port }, folder });
  expect(await plane.api.as(token).site(site.id)).toEqual(before);
  expect((await visit(site.url)).body).toBe('steady');
});
