import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { siteDecider } from '#domain/site/site.js';
import { handle, on } from '#eventstore/handle.js';
import { LifecycleWorld } from '../../test/support/lifecycle-world.js';

jest.setTimeout(60_000);

let world: LifecycleWorld;
beforeAll(async () => {
  world = await LifecycleWorld.start();
});
afterAll(() => world?.stop());

const QUOTA = 10_000;
const content = (sizeBytes: number) => ({ sha256: 'a'.repeat(64), sizeBytes, fileCount: 1, format: 'zip' });

async function staticSite(projectId: string): Promise<string> {
  const made = { ...world.blog(projectId), kind: 'static', runtime: 'files', wordpress: undefined };
  await world.sites().create(made, world.by());
  await handle(world.store, world.by(), [on(siteDecider, made.siteId, { type: 'BeginProvisioning', operationId: made.operationId })]);
  await world.ended(made.siteId, made.operationId, 'launch-site');
  return made.siteId;
}
async function publish(siteId: string, sizeBytes: number): Promise<string> {
  const operationId = randomUUID();
  await world.sites(QUOTA).publish({ siteId, operationId, releaseId: randomUUID(), content: content(sizeBytes) }, world.by());
  return operationId;
}

describe('content that did not go live', () => {
  it('takes no room: what is live counts again, however full the project is, or what waits for its turn', async () => {
    const projectId = await world.project();
    const siteId = await staticSite(projectId);
    const used = async () => (await world.use(projectId)).diskBytes;
    await world.ended(siteId, await publish(siteId, 8_000), 'publish-release');
    const smaller = await publish(siteId, 1_000);
    expect(await used()).toBe(1_000);
    const other = await staticSite(projectId);
    await world.ended(other, await publish(other, 9_000), 'publish-release');
    await world.ended(siteId, smaller, 'publish-release', 'the disk is away');
    expect(await used()).toBe(17_000);
    await expect(publish(siteId, 8_001)).rejects.toMatchObject({ code: 'quota-exceeded' });
    const [failing] = [await publish(siteId, 500), await publish(siteId, 700)];
    await world.ended(siteId, failing, 'publish-release', 'the disk is away');
    expect(await used()).toBe(9_700);
  });
});
