import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readConfig } from '#boot/config.js';
import type { Cause, StoredMessage } from '#contracts/message.js';
import { backupDecider } from '#domain/backup/backup.js';
import { projectDecider, useOf, type Project } from '#domain/project/project.js';
import { siteDecider } from '#domain/site/site.js';
import { usageDecider } from '#domain/usage/usage.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { BackupCommands } from './backup.commands.js';
import { lifecycleConfig } from './lifecycle.config.js';
import { ProjectCommands } from './project.commands.js';
import { settleSite } from './settle.js';
import { SiteCommands } from './site.commands.js';
import { UsageReactor } from './usage.reactor.js';

jest.setTimeout(60_000);

let database: TestDatabase;
let store: EventStore;
let host: EventStore;
beforeAll(async () => {
  database = await startPostgres();
  store = new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle' });
  host = new EventStore({ connectionString: database.urlOf('provisioner'), app: 'provisioner' });
});
afterAll(async () => {
  await Promise.all([store.close(), host.close()]);
  await database.stop();
});

const by = (): Cause => ({ id: randomUUID(), meta: { correlationId: 'c', causationId: 'c', actor: 'token:t', owner: 'ann', member: 'ann' } });
const settings = readConfig(lifecycleConfig, { HOSTPLANE_LIFECYCLE_DATABASE_URL: 'postgres://x', HOSTPLANE_LIFECYCLE_NATS_URL: 'nats://x', HOSTPLANE_DATABASE_MEMORY_LIMIT: '2G' });
const sites = (disk: number | null = null) => new SiteCommands(store, { ...settings, HOSTPLANE_QUOTA_DISK: disk });
const blog = (projectId: string, server: string, restoreFrom = '') => ({
  siteId: randomUUID(), operationId: randomUUID(), projectId, ownerId: 'ann', name: `s-${randomUUID().slice(0, 8)}`, kind: 'wordpress', runtime: 'docker', app: undefined, limits: undefined, restoreFrom,
  wordpress: { phpVersion: '', title: 'Blog', adminUser: 'admin', adminEmail: 'a@example.com', locale: '', database: server },
});
async function project(): Promise<string> {
  const projectId = randomUUID();
  await new ProjectCommands(store, settings).create({ projectId, operationId: randomUUID(), ownerId: 'ann', name: `p-${projectId.slice(0, 8)}`, hostId: 'local' }, by());
  return projectId;
}
async function live(projectId: string, server = 'shared', restoreFrom = ''): Promise<string> {
  const made = blog(projectId, server, restoreFrom);
  await sites().create(made, by());
  await handle(store, by(), [on(siteDecider, made.siteId, { type: 'BeginProvisioning', operationId: made.operationId })]);
  await handle(store, by(), [on(siteDecider, made.siteId, { type: 'ActivateSite', operationId: made.operationId, target: undefined })]);
  return made.siteId;
}
/** What a host records, as it reaches lifecycle. */
async function measured(projectId: string, bytes: Record<string, number>): Promise<StoredMessage<'UsageMeasured'>> {
  const data = Object.entries(bytes).flatMap(([dataId, files]) => [{ name: `v-${dataId}`, dataId, role: 'data', bytes: files - 1 }, { name: `d-${dataId}`, dataId, role: 'database', bytes: 1 }]);
  const { messages } = await handle(host, by(), [on(usageDecider, projectId, { type: 'MeasureUsage', projectId, hostId: 'local', data })]);
  return messages[0] as StoredMessage<'UsageMeasured'>;
}
const takeOn = (event: StoredMessage<'UsageMeasured'>) => new UsageReactor(store).takeOn(event);
const use = async (projectId: string) => useOf((await loadState(store, projectDecider, projectId)).state as Project);
async function taken(projectId: string, siteId: string, sizeBytes: number): Promise<string> {
  const [backupId, operationId] = [randomUUID(), randomUUID()];
  const backup = { backupId, operationId, siteId, projectId, ownerId: 'ann', hostId: 'local', siteName: 's', kind: 'wordpress', releaseId: '', content: undefined };
  await handle(store, by(), [on(backupDecider, backupId, { type: 'RequestBackup', backup })]);
  await handle(store, by(), [on(backupDecider, backupId, { type: 'CompleteBackup', operationId, ref: { backupId, target: 'local', key: 'k', sha256: 'a'.repeat(64), sizeBytes }, durationMs: 1, frozenMs: 1 })]);
  return backupId;
}
const restore = (backupId: string, disk: number, name = '') =>
  new BackupCommands(store, sites(disk)).restore({ backupId, operationId: randomUUID(), siteId: randomUUID(), ownerId: 'ann', name, dataId: randomUUID() }, by());
/** Records the end of a site as the workflow that removes it does. */
async function destroyed(siteId: string, keepData: boolean): Promise<void> {
  const operationId = randomUUID();
  await sites().destroy({ siteId, operationId, keepData }, by());
  const { state: site } = await loadState(store, siteDecider, siteId);
  const ended = { status: 'succeeded', id: operationId, kind: 'remove-wordpress', siteId, projectId: '', backupId: '', input: {}, step: 0, turn: 0, outputs: {}, failure: undefined } as const;
  await handle(store, by(), settleSite(ended, site));
}

describe('what a host has measured', () => {
  it('counts for the project once, however often and late it is told', async () => {
    const projectId = await project();
    const siteId = await live(projectId);
    const [first, second] = [await measured(projectId, { [siteId]: 5_000_000 }), await measured(projectId, { [siteId]: 9_000_000 })];
    for (const event of [first, second, second, first]) await takeOn(event);
    expect(await use(projectId)).toMatchObject({ writtenBytes: 9_000_000, diskBytes: 9_000_000 });
    expect((await store.readStream(`project/${projectId}`)).filter(({ type }) => type === 'ProjectMeasured')).toHaveLength(2);
    await expect(sites(9_000_000).create(blog(projectId, 'shared'), by())).rejects.toMatchObject({ code: 'quota-exceeded', message: expect.stringMatching(/8\.6 MiB written by sites.*nothing is left/) });
    await sites(9_000_001).create(blog(projectId, 'shared'), by());
  });

  it('is what a restore must fit beside: a copy with all of its backup, the site itself with what is more', async () => {
    const projectId = await project();
    const siteId = await live(projectId);
    await takeOn(await measured(projectId, { [siteId]: 5_000_000 }));
    const backupId = await taken(projectId, siteId, 6_000_000);
    const exceeded = { code: 'quota-exceeded', message: expect.stringMatching(/disk: /) };
    await expect(restore(backupId, 5_999_999)).rejects.toMatchObject(exceeded);
    await expect(restore(backupId, 10_999_999, 'copy')).rejects.toMatchObject(exceeded);
    await restore(backupId, 11_000_000, 'copy');
    expect(await use(projectId)).toMatchObject({ writtenBytes: 11_000_000 });
    await expect(restore(backupId, 11_000_000, 'second')).rejects.toMatchObject(exceeded);
    await restore(backupId, 12_000_000);
  });
});

describe("a project's own database server", () => {
  it('counts with the limit that it is given, from the first site to the last that leaves nothing there', async () => {
    const projectId = await project();
    const siteId = await live(projectId, 'own');
    const [before, GIB] = [await use(projectId), 1024 ** 3];
    expect(before).toMatchObject({ memoryBytes: 2.5 * GIB, cpuMillis: 3000 });
    await destroyed(siteId, true);
    expect(await use(projectId)).toMatchObject({ sites: 0, memoryBytes: 2 * GIB, cpuMillis: 2000 });
    const heir = await live(projectId, 'own', siteId);
    expect(await use(projectId)).toEqual(before);
    await destroyed(heir, false);
    expect(await use(projectId)).toMatchObject({ sites: 0, memoryBytes: 0, cpuMillis: 0 });
  });

  it('is not kept for what a site left that was never live', async () => {
    const projectId = await project();
    const made = blog(projectId, 'own');
    await sites().create(made, by());
    await handle(store, by(), [on(siteDecider, made.siteId, { type: 'BeginProvisioning', operationId: made.operationId })]);
    await handle(store, by(), [on(siteDecider, made.siteId, { type: 'FailSite', operationId: made.operationId, step: 'workload', error: 'x', undone: [] })]);
    expect(await use(projectId)).toMatchObject({ sites: 1, cpuMillis: 3000 });
    await destroyed(made.siteId, true);
    expect(await use(projectId)).toMatchObject({ sites: 0, memoryBytes: 0, cpuMillis: 0 });
  });
});
