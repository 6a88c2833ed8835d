import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { membersDecider } from '#domain/access/members.js';
import { siteDecider, type Site } from '#domain/site/site.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { LifecycleWorld } from '../../test/support/lifecycle-world.js';

jest.setTimeout(60_000);

let world: LifecycleWorld;
beforeAll(async () => {
  world = await LifecycleWorld.start();
});
afterAll(() => world?.stop());

const add = (projectId: string, memberId: string, role: string) => handle(world.store, world.by(), [on(membersDecider, projectId, { type: 'AddMember', projectId, founderId: 'ann', by: 'ann', memberId, role })]);

describe('a backup that is restored into another project', () => {
  it('is a site of that project: there it has its room, and nothing of the project that it was taken in', async () => {
    const [here, there] = [await world.project(), await world.project()];
    const backupId = await world.taken(here, await world.live(here), 6_000_000);
    const before = await world.use(here);
    const { resourceId } = await world.restoreInto(there, backupId);
    const { state } = await loadState(world.store, siteDecider, resourceId);
    expect((state as Site).request).toMatchObject({ projectId: there, kind: 'wordpress', backupId, dataId: '', ownerId: 'ann' });
    expect([await world.use(there), await world.use(here)]).toMatchObject([{ sites: 1, writtenBytes: 6_000_000 }, before]);
  });

  it('is for those who may restore in the one and make sites in the other', async () => {
    const [here, there] = [await world.project(), await world.project()];
    const backupId = await world.taken(here, await world.live(here), 1_000);
    for (const [role, where, code] of [['admin', there, 'not-found'], ['developer', here, 'forbidden']] as const) {
      const member = `m-${randomUUID().slice(0, 8)}`;
      await add(where, member, role);
      await add(where === here ? there : here, member, 'viewer');
      await expect(world.restoreInto(there, backupId, member)).rejects.toMatchObject({ code: 'forbidden' });
      const other = `m-${randomUUID().slice(0, 8)}`;
      await add(where, other, role);
      await expect(world.restoreInto(there, backupId, other)).rejects.toMatchObject({ code });
    }
    await add(here, 'bob', 'admin');
    await add(there, 'bob', 'developer');
    expect((await world.restoreInto(there, backupId, 'bob')).operationId).not.toBe('');
  });

  it('is refused where its environment is sealed for its own project', async () => {
    const [here, there] = [await world.project(), await world.project()];
    const app = { image: 'shop:1', port: 80, env: {}, healthPath: '/', sealedEnv: [{ name: 'KEY', box: 'A'.repeat(100) }], secretEnv: [] };
    const shop = { ...world.blog(here), kind: 'app', app, wordpress: undefined };
    await world.sites().create(shop, world.by());
    const backupId = await world.taken(here, shop.siteId, 1_000);
    await expect(world.restoreInto(there, backupId)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/sealed for the project that it was taken in/) });
    expect((await world.restoreInto(here, backupId)).resourceId).not.toBe(shop.siteId);
  });
});
