import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { dataDecider } from '#domain/naming/claim.js';
import { siteDecider, type Site } from '#domain/site/site.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { LifecycleWorld } from '../../test/support/lifecycle-world.js';
import { ProjectCommands } from './project.commands.js';

jest.setTimeout(60_000);

let world: LifecycleWorld;
beforeAll(async () => {
  world = await LifecycleWorld.start();
});
afterAll(() => world?.stop());

const kept = async (projectId: string, server = 'shared'): Promise<string> => {
  const siteId = await world.live(projectId, server);
  await world.destroyed(siteId, true);
  return siteId;
};
const discard = (siteId: string, process: 0 | 1 = 0, operationId: string = randomUUID()) => world.sites(null, process).discardData({ siteId, operationId, name: '' }, world.by());
const restore = (projectId: string, siteId: string, process: 0 | 1 = 0) => world.sites(null, process).create(world.blog(projectId, 'shared', siteId), world.by());
const dataOf = async (siteId: string) => ((await loadState(world.store, siteDecider, siteId)).state as Site).data;
const remove = (projectId: string) => new ProjectCommands(world.store, world.settings).delete({ projectId, operationId: randomUUID() }, world.by());

describe('the data that a destroyed site left', () => {
  it('is restored or discarded, never both, when that is asked for at the same moment', async () => {
    const projectId = await world.project();
    const won: string[] = [];
    for (let round = 0; round < 12; round++) {
      const siteId = await kept(projectId);
      const outcomes = await Promise.allSettled([restore(projectId, siteId, 0), discard(siteId, 1), restore(projectId, siteId, 1)]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict', message: expect.stringMatching(/^The data of the site (is being discarded|was taken over)/) });
      won.push(await dataOf(siteId));
    }
    expect(won.every((data) => ['taken', 'discarding'].includes(data))).toBe(true);
  });

  it('is discarded by one operation, whoever asks meanwhile; what failed is asked for again; then it is gone for good', async () => {
    const projectId = await world.project();
    const siteId = await kept(projectId, 'own');
    const asked = await Promise.all([discard(siteId, 0), discard(siteId, 1), discard(siteId, 0)]);
    const [operationId] = [...new Set(asked.map((one) => one.operationId))] as [string];
    expect(new Set(asked.map((one) => one.operationId)).size).toBe(1);
    await world.ended(siteId, operationId, 'discard-wordpress-data', 'the engine is away');
    expect([await dataOf(siteId), (await world.use(projectId)).memoryBytes]).toEqual(['discarding', 2 * 1024 ** 3]);
    await expect(restore(projectId, siteId)).rejects.toMatchObject({ code: 'conflict', field: 'restoreFrom', message: expect.stringMatching(/a part of it may be gone/) });
    const again = await discard(siteId);
    await world.ended(siteId, again.operationId, 'discard-wordpress-data');
    expect([await dataOf(siteId), (await world.use(projectId)).memoryBytes]).toEqual(['gone', 0]);
    for (const ask of [() => discard(siteId), () => restore(projectId, siteId)]) await expect(ask()).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/is gone/) });
  });

  it('is not there to be discarded of a site that lives, that took it with it, or that another one goes on from', async () => {
    const projectId = await world.project();
    const [living, old] = [await world.live(projectId), await kept(projectId)];
    await expect(discard(living)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/ACTIVE/) });
    await world.destroyed(living, false);
    await expect(discard(living)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/is gone/) });
    const heir = await world.live(projectId, 'shared', old);
    await expect(discard(old)).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining(heir) });
    await world.destroyed(heir, true);
    await expect(discard(old)).rejects.toMatchObject({ code: 'conflict' });
    await discard(heir);
    await expect(discard(randomUUID())).rejects.toMatchObject({ code: 'not-found' });
  });

  it('of an older log, which does not say in its own words that another site took it over, is not discarded under that one', async () => {
    const projectId = await world.project();
    const [old, heir] = [await kept(projectId), randomUUID()];
    await handle(world.store, world.by(), [on(dataDecider, `data:${old}`, { type: 'ClaimName', name: old, holderId: heir })]);
    await expect(discard(old)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/taken over/) });
    expect(await dataOf(old)).toBe('kept');
  });

  it('gave way to a backup in the site that went on with it: nobody begins with it any more', async () => {
    const projectId = await world.project();
    const old = await kept(projectId);
    const heir = await world.live(projectId, 'shared', old);
    const { operationId } = await world.restore(await world.taken(projectId, heir, 1_000), 1_000_000);
    await world.ended(heir, operationId, 'restore-wordpress');
    await world.destroyed(heir, true);
    await expect(restore(projectId, old)).rejects.toMatchObject({ code: 'conflict' });
    expect((await loadState(world.store, dataDecider, `data:${old}`)).state.status).toBe('held');
    await restore(projectId, heir);
  });

  it('keeps its project from being deleted until it is gone', async () => {
    const projectId = await world.project();
    const siteId = await kept(projectId);
    await expect(remove(projectId)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/the data of 1 destroyed site/) });
    const { operationId } = await discard(siteId);
    await expect(remove(projectId)).rejects.toMatchObject({ code: 'conflict' });
    await world.ended(siteId, operationId, 'discard-wordpress-data');
    await remove(projectId);
  });
});
