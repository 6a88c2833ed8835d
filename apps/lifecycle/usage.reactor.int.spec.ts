import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { StoredMessage } from '#contracts/message.js';
import { siteDecider } from '#domain/site/site.js';
import { usageDecider } from '#domain/usage/usage.js';
import { handle, on } from '#eventstore/handle.js';
import { LifecycleWorld } from '../../test/support/lifecycle-world.js';
import { UsageReactor } from './usage.reactor.js';

jest.setTimeout(60_000);

let world: LifecycleWorld;
beforeAll(async () => {
  world = await LifecycleWorld.start();
});
afterAll(() => world?.stop());

/** What a host records, as it reaches lifecycle. */
async function measured(projectId: string, bytes: Record<string, number>): Promise<StoredMessage<'UsageMeasured'>> {
  const data = Object.entries(bytes).flatMap(([dataId, files]) => [{ name: `v-${dataId}`, dataId, role: 'data', bytes: files - 1 }, { name: `d-${dataId}`, dataId, role: 'database', bytes: 1 }]);
  const { messages } = await handle(world.host, world.by(), [on(usageDecider, projectId, { type: 'MeasureUsage', projectId, hostId: 'local', data })]);
  return messages[0] as StoredMessage<'UsageMeasured'>;
}
const takeOn = (event: StoredMessage<'UsageMeasured'>) => new UsageReactor(world.store).takeOn(event);
const exceeded = { code: 'quota-exceeded', message: expect.stringMatching(/disk: /) };

describe('what a host has measured', () => {
  it('counts for the project once, however often and late it is told', async () => {
    const projectId = await world.project();
    const siteId = await world.live(projectId);
    const [first, second] = [await measured(projectId, { [siteId]: 5_000_000 }), await measured(projectId, { [siteId]: 9_000_000 })];
    for (const event of [first, second, second, first]) await takeOn(event);
    expect(await world.use(projectId)).toMatchObject({ writtenBytes: 9_000_000, diskBytes: 9_000_000 });
    expect((await world.store.readStream(`project/${projectId}`)).filter(({ type }) => type === 'ProjectMeasured')).toHaveLength(2);
    await expect(world.sites(9_000_000).create(world.blog(projectId, 'shared'), world.by())).rejects.toMatchObject({ code: 'quota-exceeded', message: expect.stringMatching(/8\.6 MiB written by sites.*nothing is left/) });
    await world.sites(9_000_001).create(world.blog(projectId, 'shared'), world.by());
  });

  it('is what a restore must fit beside: a copy with all of its backup, the site itself with what is more', async () => {
    const projectId = await world.project();
    const siteId = await world.live(projectId);
    await takeOn(await measured(projectId, { [siteId]: 5_000_000 }));
    const backupId = await world.taken(projectId, siteId, 6_000_000);
    await expect(world.restore(backupId, 5_999_999)).rejects.toMatchObject(exceeded);
    await expect(world.restore(backupId, 10_999_999, 'copy')).rejects.toMatchObject(exceeded);
    await world.restore(backupId, 11_000_000, 'copy');
    expect(await world.use(projectId)).toMatchObject({ writtenBytes: 11_000_000 });
    await expect(world.restore(backupId, 11_000_000, 'second')).rejects.toMatchObject(exceeded);
    await world.restore(backupId, 12_000_000);
  });
});

describe('room for the data of backups', () => {
  async function blogs(count: number, bytes: number): Promise<{ projectId: string; siteIds: string[]; backupIds: string[] }> {
    const projectId = await world.project();
    const siteIds = [];
    for (let n = 0; n < count; n++) siteIds.push(await world.live(projectId));
    await takeOn(await measured(projectId, Object.fromEntries(siteIds.map((id) => [id, bytes]))));
    return { projectId, siteIds, backupIds: await Promise.all(siteIds.map((id) => world.taken(projectId, id, bytes + 1_000_000))) };
  }
  const won = (outcomes: readonly PromiseSettledResult<unknown>[]) => {
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(exceeded);
    return outcomes.filter(({ status }) => status === 'fulfilled').length;
  };

  it('is given to as many restores as it is there for, however many ask at once, of whichever process', async () => {
    const { projectId, siteIds, backupIds } = await blogs(6, 5_000_000);
    const most = 6 * 5_000_000 + 3_500_000;
    expect(won(await Promise.allSettled(backupIds.map((id, n) => world.restore(id, most, '', n % 2 === 0 ? 0 : 1))))).toBe(3);
    expect(await world.use(projectId)).toMatchObject({ writtenBytes: 6 * 5_000_000 + 3_000_000 });
    const restoring = (await Promise.all(siteIds.map((id) => world.store.readStream(`site/${id}`)))).filter((events) => events.some(({ type }) => type === 'SiteRestoreRequested'));
    expect(restoring).toHaveLength(3);
  });

  it('is given to a restore or to a copy or to a site that is going to write, never to more than it is there for', async () => {
    const { projectId, backupIds } = await blogs(2, 5_000_000);
    const most = 11_000_000;
    const [[first, second], another] = [backupIds as [string, string], world.blog(projectId)];
    const outcomes = await Promise.allSettled([world.restore(first, most), world.restore(second, most, '', 1), world.restore(first, most, 'copy', 1)]);
    expect([won(outcomes), outcomes[2].status]).toEqual([1, 'rejected']);
    await expect(world.sites(most).create(another, world.by())).rejects.toMatchObject(exceeded);
    expect(await world.use(projectId)).toMatchObject({ writtenBytes: most });
  });

  it('comes free again when the restore fails, and is what was measured when it has succeeded', async () => {
    const { projectId, siteIds: [one, two], backupIds: [first, second] } = await blogs(2, 5_000_000) as { projectId: string; siteIds: [string, string]; backupIds: [string, string] };
    const { operationId: failing } = await world.restore(first, 11_000_000);
    await expect(world.restore(second, 11_000_000)).rejects.toMatchObject(exceeded);
    await world.ended(one, failing, 'restore-wordpress', 'damaged');
    expect(await world.use(projectId)).toMatchObject({ writtenBytes: 10_000_000 });
    const { operationId } = await world.restore(second, 11_000_000);
    await world.ended(two, operationId, 'restore-wordpress');
    expect(await world.use(projectId)).toMatchObject({ writtenBytes: 11_000_000 });
    const restored = (await world.store.readStream(`site/${two}`)).flatMap((event) => (event.type === 'SiteRestored' ? [event.data.dataId] : []));
    await takeOn(await measured(projectId, { [one]: 5_000_000, [restored[0]!]: 5_200_000 }));
    expect(await world.use(projectId)).toMatchObject({ writtenBytes: 10_200_000 });
  });
});

describe("a project's own database server", () => {
  it('counts with the limit that it is given, from the first site to the last that leaves nothing there', async () => {
    const projectId = await world.project();
    const siteId = await world.live(projectId, 'own');
    const [before, GIB] = [await world.use(projectId), 1024 ** 3];
    expect(before).toMatchObject({ memoryBytes: 2.5 * GIB, cpuMillis: 3000 });
    await world.destroyed(siteId, true);
    expect(await world.use(projectId)).toMatchObject({ sites: 0, memoryBytes: 2 * GIB, cpuMillis: 2000 });
    const heir = await world.live(projectId, 'own', siteId);
    expect(await world.use(projectId)).toEqual(before);
    await world.destroyed(heir, false);
    expect(await world.use(projectId)).toMatchObject({ sites: 0, memoryBytes: 0, cpuMillis: 0 });
  });

  it('is not kept for what a site left that was never live', async () => {
    const projectId = await world.project();
    const made = world.blog(projectId, 'own');
    await world.sites().create(made, world.by());
    await handle(world.store, world.by(), [on(siteDecider, made.siteId, { type: 'BeginProvisioning', operationId: made.operationId })]);
    await handle(world.store, world.by(), [on(siteDecider, made.siteId, { type: 'FailSite', operationId: made.operationId, step: 'workload', error: 'x', undone: [] })]);
    expect(await world.use(projectId)).toMatchObject({ sites: 1, cpuMillis: 3000 });
    await world.destroyed(made.siteId, true);
    expect(await world.use(projectId)).toMatchObject({ sites: 0, memoryBytes: 0, cpuMillis: 0 });
  });
});
