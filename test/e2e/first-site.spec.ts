import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { visit, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { startPlane, type Plane } from '../support/plane.js';

let plane: Plane;
beforeAll(async () => {
  plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'off' } });
});
afterAll(async () => plane?.stop());

describe('a static site', () => {
  it('goes live, takes content, stops, starts, and is gone after a delete', async () => {
    const { api } = plane;
    const created = await api.call<SiteView>('POST', '/sites', { name: 'first', kind: 'static' });
    expect(created.status).toBe(202);
    expect(created.headers.get('location')).toBeTruthy();
    const site = await api.settled(created.body.id, ['ACTIVE']);
    expect(site.url).toBe(`http://first.localhost:${plane.edgePort}`);
    expect((await visit(site.url)).status).toBe(200);

    const published = await api.call('PUT', `/sites/${site.id}/content`, await tarGz({ 'index.html': '<h1>One</h1>', 'a/b.txt': 'deep' }));
    expect(published.status).toBe(200);
    expect((await visit(site.url)).body).toBe('<h1>One</h1>');
    expect((await visit(`${site.url}/a/b.txt`)).body).toBe('deep');
    expect((await api.call('PUT', `/sites/${site.id}/content`, await tarGz({ 'index.html': '<h1>Two</h1>' }))).status).toBe(200);
    expect((await visit(site.url)).body).toBe('<h1>Two</h1>');

    await done(await api.call('POST', `/sites/${site.id}/stop`));
    expect(await api.site(site.id)).toMatchObject({ status: 'ACTIVE', power: 'stopped' });
    expect((await visit(site.url)).status).toBe(503);
    await done(await api.call('POST', `/sites/${site.id}/start`));
    expect((await visit(site.url)).body).toBe('<h1>Two</h1>');

    const deleted = await api.call('DELETE', `/sites/${site.id}`);
    expect(deleted.status).toBe(202);
    expect((await api.settled(site.id, ['DESTROYED'])).status).toBe('DESTROYED');
    expect((await visit(site.url)).status).toBe(404);
    const listed = await api.call<{ items: SiteView[] }>('GET', '/sites');
    expect(listed.body.items.map(({ name }) => name)).not.toContain('first');
  });

  it('may have its name again once the first is gone', async () => {
    const again = await plane.api.call<SiteView>('POST', '/sites', { name: 'first', kind: 'static' });
    expect(again.status).toBe(202);
    await plane.api.settled(again.body.id, ['ACTIVE']);
    const taken = await plane.api.call('POST', '/sites', { name: 'first', kind: 'static' });
    expect([taken.status, taken.headers.get('content-type')]).toEqual([409, expect.stringContaining('application/problem+json')]);
  });

  it('takes content that is sent while it is being launched', async () => {
    const created = await plane.api.call<SiteView>('POST', '/sites', { name: 'hasty', kind: 'static' });
    const published = await plane.api.call('PUT', `/sites/${created.body.id}/content`, await tarGz({ 'index.html': 'hasty' }));
    expect(published.status).toBe(200);
    expect((await visit(created.body.url)).body).toBe('hasty');
  });
});

async function done(reply: { status: number; body: Record<string, unknown> }): Promise<void> {
  expect(reply.status).toBe(202);
  await plane.operation(String(reply.body['operationId']), 'succeeded');
}
