import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RevealedSecret, VaultKey } from '#contracts/gen/hostplane/v1/ask.js';
import type { Messages } from '#contracts/registry.js';
import { adminPasswordKey, databasePasswordKey, projectRootPasswordKey, secretIdOf } from '#domain/naming/naming.js';
import { BusClient } from '#messaging/bus-client.js';
import { BoxKeys, seal } from '#messaging/sealed-box.js';
import { silent } from '../../test/support/bus.js';
import { META } from '../../test/support/messages.js';
import { TestVault } from '../../test/support/vault.js';

let world: TestVault;
let gateway: BusClient;

beforeAll(async () => {
  world = await TestVault.start();
  gateway = await BusClient.connect({ url: world.nats.url('api-gateway'), app: 'api-gateway', log: silent });
});
afterAll(async () => {
  await gateway?.close();
  await world?.stop();
});

type Ask = 'StoreSecret' | 'RotateSecret' | 'RevokeSecret' | 'RevealSecret';

const as = (member: string = META.owner) => ({ id: randomUUID(), meta: { ...META, member } });
const ask = <K extends Ask, R>(type: K, data: Messages[K], cause = as()) => gateway.ask<K, R>('secrets', type, data, cause);

async function store(projectId: string, name: string, value: string, cause = as()): Promise<void> {
  const { publicKey } = await gateway.ask<'ShowPublicKey', VaultKey>('secrets', 'ShowPublicKey', { projectId }, as());
  await ask('StoreSecret', { projectId, name, box: seal(value, publicKey), length: 0 }, cause);
}

async function reveal(projectId: string, name: string, member?: string): Promise<{ version: number; value: string | undefined }> {
  const keys = BoxKeys.fresh();
  const { version, box } = await ask<'RevealSecret', RevealedSecret>('RevealSecret', { projectId, name, publicKey: keys.publicKey }, as(member));
  return { version, value: keys.open(box) };
}

const historyOf = async (projectId: string, name: string) =>
  (await world.events()).filter(({ streamId }) => streamId === `secret/${secretIdOf(projectId, name)}`).map(({ type, meta, data }) => [type, meta.actor, (data as { purpose?: string }).purpose ?? (data as { version?: number }).version]);

describe('a secret of a member', () => {
  it('is stored, replaced, revealed with a record of who asked, and never seen on the way', async () => {
    const projectId = await world.project();
    const cause = as();
    await store(projectId, 'mail', 'planted-one', cause);
    await store(projectId, 'mail', 'planted-two');
    expect(await reveal(projectId, 'mail')).toEqual({ version: 2, value: 'planted-two' });
    expect(await historyOf(projectId, 'mail')).toEqual([['SecretStored', META.actor, 1], ['SecretStored', META.actor, 2], ['SecretOpened', META.actor, 'reveal']]);
    expect(JSON.stringify(await world.events()) + world.log.join('')).not.toMatch(/planted-/);
  });

  it('is stored once however often the same ask comes', async () => {
    const [projectId, cause] = [await world.project(), as()];
    await store(projectId, 'mail', 'one', cause);
    await store(projectId, 'mail', 'one', cause);
    expect(await historyOf(projectId, 'mail')).toHaveLength(1);
  });

  it('has one version for each of those that store at once', async () => {
    const projectId = await world.project();
    await Promise.all(Array.from({ length: 6 }, (_, n) => store(projectId, 'mail', `value-${n}`)));
    expect((await historyOf(projectId, 'mail')).map(([, , version]) => version)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is generated and rotated by the vault, and what a member gave is not', async () => {
    const projectId = await world.project();
    await ask('StoreSecret', { projectId, name: 'made', box: '', length: 40 });
    const { value } = await reveal(projectId, 'made');
    expect(value).toMatch(/^[A-Za-z0-9]{40}$/);
    await ask('RotateSecret', { projectId, name: 'made' });
    const next = await reveal(projectId, 'made');
    expect([next.version, next.value]).toEqual([2, expect.stringMatching(/^[A-Za-z0-9]{40}$/)]);
    expect(next.value).not.toBe(value);
    await store(projectId, 'given', 'x');
    await expect(ask('RotateSecret', { projectId, name: 'given' })).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/store a new value/) });
  });

  it('is opened for nobody once it was revoked, until a value is stored again', async () => {
    const projectId = await world.project();
    await store(projectId, 'mail', 'one');
    for (let again = 0; again < 2; again++) await ask('RevokeSecret', { projectId, name: 'mail' });
    await expect(reveal(projectId, 'mail')).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/revoked/) });
    await expect(world.reveal({ projectId, names: ['mail'] })).rejects.toMatchObject({ code: 'conflict' });
    await store(projectId, 'mail', 'two');
    expect(await reveal(projectId, 'mail')).toEqual({ version: 2, value: 'two' });
  });

  it.each(['site/x/y', '../x', 'Ä', '', 'UPPER'])('cannot be called %j', async (name) => {
    await expect(store(await world.project(), name, 'x')).rejects.toMatchObject({ code: 'invalid', field: 'name' });
  });

  it('is for members alone, as the log has them now, and its value for those who may read it', async () => {
    const projectId = await world.project();
    await store(projectId, 'mail', 'one');
    await expect(reveal(projectId, 'mail', 'bob')).rejects.toMatchObject({ code: 'not-found' });
    await world.happen(`member/${projectId}`, 'MemberAdded', { projectId, memberId: 'bob', role: 'developer' });
    await expect(reveal(projectId, 'mail', 'bob')).rejects.toMatchObject({ code: 'forbidden', message: expect.stringMatching(/secrets:read/) });
    await store(projectId, 'mail', 'two', as('bob'));
    await world.happen(`member/${projectId}`, 'MemberRemoved', { projectId, memberId: 'bob' });
    await expect(store(projectId, 'mail', 'three', as('bob'))).rejects.toMatchObject({ code: 'not-found' });
    await expect(reveal(projectId, 'mail', '')).rejects.toMatchObject({ code: 'not-found' });
    await world.happen(`project/${projectId}`, 'ProjectDeleted', { projectId, operationId: 'o' });
    await expect(reveal(projectId, 'mail')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('is stored and told only to who is a member at that moment, also when they are being removed', async () => {
    for (let round = 0; round < 6; round++) {
      const projectId = await world.project();
      await store(projectId, 'mail', 'planted-0');
      await world.happen(`member/${projectId}`, 'MemberAdded', { projectId, memberId: 'bob', role: 'admin' });
      const removing = new Promise((resolve) => setTimeout(resolve, 10 * round)).then(() => world.happen(`member/${projectId}`, 'MemberRemoved', { projectId, memberId: 'bob' }));
      const asked = Array.from({ length: 6 }, (_, n) => (n % 2 === 0 ? store(projectId, `own-${n}`, 'planted', as('bob')) : reveal(projectId, 'mail', 'bob')));
      for (const outcome of await Promise.allSettled(asked)) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'not-found' });
      await removing;
      const log = await world.events();
      const removed = log.find(({ streamId, type }) => streamId === `member/${projectId}` && type === 'MemberRemoved')!;
      const bobs = log.filter(({ meta, data }) => meta.member === 'bob' && (data as { projectId?: string }).projectId === projectId);
      expect(bobs.filter(({ position }) => position > removed.position)).toEqual([]);
    }
  }, 60_000);
});

describe('a secret that the environment of a site names', () => {
  it('is not revoked while there is the site', async () => {
    const [projectId, siteId] = [await world.project(), randomUUID()];
    await store(projectId, 'mail', 'planted');
    const app = { image: 'shop:1', port: 80, env: {}, healthPath: '/', sealedEnv: [], secretEnv: [{ name: 'PASSWORD', secret: 'mail', version: 0 }] };
    const site = { siteId, projectId, operationId: 'o', ownerId: META.owner, name: 'shop', kind: 'app', runtime: 'docker', hostId: 'local', hostname: 'shop', address: '', subnet: '', app, wordpress: undefined, limits: undefined, dataId: '', backupId: '', releaseId: '', content: undefined };
    await world.happen(`project/${projectId}`, 'SiteAdmitted', { projectId, siteId, runtime: 'docker', address: '', memoryBytes: 0, cpuMillis: 0 });
    await world.happen(`site/${siteId}`, 'SiteRequested', site);
    await expect(ask('RevokeSecret', { projectId, name: 'mail' })).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('site "shop" needs "mail"') });
    await world.happen(`project/${projectId}`, 'SiteReleased', { projectId, siteId, memoryBytes: 0, cpuMillis: 0, diskBytes: 0 });
    await ask('RevokeSecret', { projectId, name: 'mail' });
    expect(await historyOf(projectId, 'mail')).toEqual([['SecretStored', META.actor, 1], ['SecretRevoked', META.actor, undefined]]);
  });
});

describe("a site's secret", () => {
  async function siteWithSecrets() {
    const [projectId, siteId] = [await world.project(), randomUUID()];
    const names = [databasePasswordKey(siteId), adminPasswordKey(siteId), projectRootPasswordKey(projectId)] as const;
    await world.command('EnsureSecrets', { projectId, siteId, wishes: names.slice(0, 2).map((name) => ({ name, length: 32, alphabet: 'letters-digits' })) });
    await world.command('EnsureSecrets', { projectId, siteId: '', wishes: [{ name: names[2], length: 32, alphabet: 'letters-digits' }] });
    await world.happen(`site/${siteId}`, 'SiteActivated', { siteId, operationId: 'o', target: undefined });
    return { projectId, siteId, names };
  }

  it('is told to who may read it, and is neither rotated nor revoked while the site needs it', async () => {
    const { projectId, siteId, names } = await siteWithSecrets();
    expect((await reveal(projectId, names[1])).value).toMatch(/^[A-Za-z0-9]{32}$/);
    for (const name of names) {
      await expect(ask('RevokeSecret', { projectId, name })).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/needs/) });
      await expect(ask('RotateSecret', { projectId, name })).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/provisioning it again|in the site itself|cannot be rotated/) });
    }
    await world.happen(`site/${siteId}`, 'SiteFailed', { siteId, operationId: 'o', step: 'database', error: 'x', undone: [] });
    await ask('RotateSecret', { projectId, name: names[0] });
    expect((await reveal(projectId, names[0])).version).toBe(2);
    await expect(ask('RevokeSecret', { projectId, name: names[0] })).rejects.toMatchObject({ code: 'conflict' });
  });

  it.each([[true, 'conflict'], [false, undefined]])('can be revoked when the site is destroyed, unless its data is kept (%s)', async (keepData, code) => {
    const { projectId, siteId, names } = await siteWithSecrets();
    await world.happen(`site/${siteId}`, 'SiteDestroyRequested', { siteId, operationId: 'p', keepData });
    await expect(ask('RevokeSecret', { projectId, name: names[0] })).rejects.toMatchObject({ code: 'conflict' });
    await world.happen(`site/${siteId}`, 'SiteDestroyed', { siteId, operationId: 'p' });
    const answer = await ask('RevokeSecret', { projectId, name: names[0] }).then(() => undefined, (error: { code: string }) => error.code);
    expect(answer).toBe(code);
  });

  it('can be revoked when the data that was kept is discarded, or was taken over and went with the site that had it then', async () => {
    const [{ projectId, siteId, names }, heirId] = [await siteWithSecrets(), randomUUID()];
    const revoke = (name: string) => ask('RevokeSecret', { projectId, name });
    for (const [type, data] of [['SiteDestroyRequested', { siteId, operationId: 'p', keepData: true }], ['SiteDestroyed', { siteId, operationId: 'p' }]] as const) await world.happen(`site/${siteId}`, type, data);
    await world.happen(`site/${siteId}`, 'SiteDataDiscardRequested', { siteId, operationId: 'd' });
    await expect(revoke(names[0])).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('is kept') });
    await world.happen(`site/${siteId}`, 'SiteDataDiscarded', { siteId, operationId: 'd' });
    await revoke(names[0]);
    await world.happen(`site/${siteId}`, 'SiteDataTakenOver', { siteId, heirId });
    await world.happen(`site/${heirId}`, 'SiteActivated', { siteId: heirId, operationId: 'o', target: undefined });
    await expect(revoke(names[1])).rejects.toMatchObject({ code: 'conflict' });
    await world.happen(`site/${heirId}`, 'SiteDestroyRequested', { siteId: heirId, operationId: 'p', keepData: false });
    await world.happen(`site/${heirId}`, 'SiteDestroyed', { siteId: heirId, operationId: 'p' });
    await revoke(names[1]);
  });
});
