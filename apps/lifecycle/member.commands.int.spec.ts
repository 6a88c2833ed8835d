import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Cause } from '#contracts/message.js';
import { Refusal } from '#domain/refusal.js';
import { EventStore } from '#eventstore/event-store.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { readConfig } from '#boot/config.js';
import { backupDecider } from '#domain/backup/backup.js';
import { handle, on } from '#eventstore/handle.js';
import { BackupCommands } from './backup.commands.js';
import { lifecycleConfig } from './lifecycle.config.js';
import { MemberCommands } from './member.commands.js';
import { ProjectCommands } from './project.commands.js';
import { SiteCommands } from './site.commands.js';

jest.setTimeout(60_000);

let database: TestDatabase;
/** Two processes of lifecycle, each with a log of its own to ask. */
let stores: EventStore[];

beforeAll(async () => {
  database = await startPostgres();
  stores = [0, 1].map(() => new EventStore({ connectionString: database.urlOf('lifecycle'), app: 'lifecycle' }));
});
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await database.stop();
});

const by = (member: string | undefined): Cause => ({ id: randomUUID(), meta: { correlationId: 'c', causationId: 'c', actor: 'token:t', owner: 'ann', ...(member && { member }) } });
const settings = readConfig(lifecycleConfig, { HOSTPLANE_LIFECYCLE_DATABASE_URL: 'postgres://x', HOSTPLANE_LIFECYCLE_NATS_URL: 'nats://x' });
const site = (projectId: string, ownerId = 'ann') => ({
  siteId: randomUUID(), operationId: randomUUID(), projectId, ownerId, name: `s-${randomUUID().slice(0, 8)}`, kind: 'static', runtime: 'files', app: undefined, wordpress: undefined, limits: undefined, restoreFrom: '',
});

async function project(): Promise<string> {
  const projectId = randomUUID();
  await new ProjectCommands(stores[0]!, settings).create({ projectId, operationId: randomUUID(), ownerId: 'ann', name: `p-${projectId.slice(0, 8)}`, hostId: 'local' }, by('ann'));
  return projectId;
}

describe('a quota', () => {
  it('counts what is admitted and uploaded, at once and one after another, and what is destroyed no more', async () => {
    const sites = new SiteCommands(stores[0]!, { ...settings, HOSTPLANE_QUOTA_DISK: 100, HOSTPLANE_QUOTA_SITES: 3 });
    const projectId = await project();
    const made = Array.from({ length: 6 }, () => site(projectId));
    const outcomes = await Promise.allSettled(made.map((one) => sites.create(one, by('ann'))));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'quota-exceeded', message: expect.stringContaining('sites: 3 of 3 are used') });
    const upload = (at: number, sizeBytes: number) => sites.publish({ siteId: made[at]!.siteId, operationId: randomUUID(), releaseId: randomUUID(), content: { sha256: 'a'.repeat(64), sizeBytes, format: 'zip', fileCount: 1 } }, by('ann'));
    const [a, b] = outcomes.flatMap(({ status }, at) => (status === 'fulfilled' ? [at] : [])) as [number, number];
    await upload(a, 60);
    await expect(upload(b, 50)).rejects.toMatchObject({ code: 'quota-exceeded', message: expect.stringContaining('disk: 60 bytes of 100 bytes are used, 50 bytes more') });
    expect((await stores[0]!.readStream(`site/${made[b]!.siteId}`)).map(({ type }) => type)).toEqual(['SiteRequested']);
    await upload(a, 40);
    await upload(b, 50);
    const uses = (await stores[0]!.readStream(`project/${projectId}`)).flatMap((message) => (message.type === 'SiteMeasured' ? [message.data.grownBy] : []));
    expect(uses).toEqual([60, -20, 50]);
  });
});

describe('a quota of the disk', () => {
  it('counts what a site begins with that comes from a backup', async () => {
    const withDisk = (most: number) => new SiteCommands(stores[0]!, { ...settings, HOSTPLANE_QUOTA_DISK: most });
    const [projectId, backupId] = [await project(), randomUUID()];
    const made = site(projectId);
    await withDisk(100).create(made, by('ann'));
    const content = { sha256: 'a'.repeat(64), sizeBytes: 60, format: 'zip', fileCount: 1 };
    const { siteId } = made;
    const taken = { backupId, operationId: randomUUID(), siteId, projectId, ownerId: 'ann', hostId: 'local', siteName: made.name, kind: 'static', releaseId: randomUUID(), content };
    await handle(stores[0]!, by('ann'), [on(backupDecider, backupId, { type: 'RequestBackup', backup: taken })]);
    const ref = { backupId, target: 'local', key: 'k', sha256: 'a'.repeat(64), sizeBytes: 1 };
    await handle(stores[0]!, by('ann'), [on(backupDecider, backupId, { type: 'CompleteBackup', operationId: taken.operationId, ref, durationMs: 1, frozenMs: 1 })]);
    const restore = (most: number) => new BackupCommands(stores[0]!, withDisk(most)).restore({ backupId, operationId: randomUUID(), siteId: randomUUID(), ownerId: 'ann', name: `r-${randomUUID().slice(0, 8)}`, dataId: '', projectId: '' }, by('ann'));
    await expect(restore(50)).rejects.toMatchObject({ code: 'quota-exceeded', message: expect.stringContaining('disk: 0 bytes of 50 bytes are used, 60 bytes more') });
    await restore(100);
    await expect(restore(100)).rejects.toMatchObject({ code: 'quota-exceeded', message: expect.stringContaining('disk: 60 bytes of 100 bytes are used') });
  });
});

describe('what is asked of lifecycle', () => {
  it('is decided for the member on whose behalf it is asked, and for nobody else', async () => {
    const [members, sites] = [new MemberCommands(stores[0]!), new SiteCommands(stores[0]!, settings)];
    const projectId = await project();
    for (const nobody of ['bob', undefined]) await expect(sites.create(site(projectId), by(nobody))).rejects.toMatchObject({ code: 'not-found' });
    await members.add({ projectId, memberId: 'bob', role: 'viewer' }, by('ann'));
    await expect(sites.create(site(projectId), by('bob'))).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('sites:create') });
    await members.changeRole({ projectId, memberId: 'bob', role: 'developer' }, by('ann'));
    const made = site(projectId, 'bob');
    await sites.create(made, by('bob'));
    const [requested] = await stores[0]!.readStream(`site/${made.siteId}`);
    expect(requested).toMatchObject({ data: { ownerId: 'ann' }, meta: { member: 'bob' } });
    await expect(sites.destroy({ siteId: made.siteId, operationId: randomUUID(), keepData: false }, by('eve'))).rejects.toBeInstanceOf(Refusal);
  });

  it('lets nobody in who is removed at the same moment', async () => {
    const [members, sites] = [new MemberCommands(stores[0]!), new SiteCommands(stores[1]!, settings)];
    for (let round = 0; round < 5; round++) {
      const projectId = await project();
      await members.add({ projectId, memberId: 'bob', role: 'developer' }, by('ann'));
      const removing = new Promise((resolve) => setTimeout(resolve, 5 * round)).then(() => members.remove({ projectId, memberId: 'bob' }, by('ann')));
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => sites.create(site(projectId), by('bob'))));
      const { position } = await removing;
      await expect(sites.create(site(projectId), by('bob'))).rejects.toMatchObject({ code: 'not-found' });
      const log = await stores[0]!.readStream(`project/${projectId}`);
      const admitted = log.filter(({ type }) => type === 'SiteAdmitted');
      expect(admitted.every((message) => message.position < position)).toBe(true);
      expect(admitted).toHaveLength(outcomes.filter(({ status }) => status === 'fulfilled').length);
      for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'not-found' });
    }
  });
});
