import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { VaultKey } from '#contracts/gen/hostplane/v1/ask.js';
import { listenToProbes } from '#contracts/probe.js';
import { databasePasswordKey, hostKeyring, hostRootPasswordKey } from '#domain/naming/naming.js';
import { EventStore } from '#eventstore/event-store.js';
import { BusClient } from '#messaging/bus-client.js';
import { PARTITIONS } from '#messaging/subjects.js';
import { seal } from '#messaging/sealed-box.js';
import { fileKeys } from '#providers/local-keys/file-keys.js';
import { deliverAgain, silent } from '../../test/support/bus.js';
import { META } from '../../test/support/messages.js';
import { TestVault } from '../../test/support/vault.js';
import { KeyringFiles } from './keyring-files.js';
import { Vault } from './vault.js';

let world: TestVault;
let gateway: BusClient;
let store: EventStore;

beforeAll(async () => {
  world = await TestVault.start();
  gateway = await BusClient.connect({ url: world.nats.url('api-gateway'), app: 'api-gateway', log: silent });
  store = new EventStore({ connectionString: world.database.urlOf('secrets'), app: 'secrets' });
});
afterEach(() => listenToProbes(() => undefined));
afterAll(async () => {
  await store?.close();
  await gateway?.close();
  await world?.stop();
});

const cause = () => ({ id: randomUUID(), meta: META });
const showKey = (projectId: string) => gateway.ask<'ShowPublicKey', VaultKey>('secrets', 'ShowPublicKey', { projectId }, cause());
const fileOf = (projectId: string) => join(world.keyrings, `${projectId}.json`);
const typesIn = async (stream: string) => (await store.readStream(stream)).map(({ type }) => type);
const wishFor = (siteId: string) => [{ name: databasePasswordKey(siteId), length: 32, alphabet: 'letters-digits' }];
/** Another instance over the same folder, as after a death. */
const restarted = async () => new Vault(store, new KeyringFiles(world.keyrings, await fileKeys(join(world.folder, 'vault', 'master.key'), false)));

async function projectWithKeys(): Promise<string> {
  const projectId = await world.project();
  expect(await world.command('EnsureKeyring', { projectId })).toMatchObject({ type: 'SecretsReady', data: { projectId, turn: 3 }, meta: { owner: META.owner, actor: 'system:secrets' } });
  return projectId;
}

describe('the keys of a project', () => {
  it('are made on command, in a file for this user alone, and only the public one is told', async () => {
    const projectId = await projectWithKeys();
    const { publicKey } = await showKey(projectId);
    expect((await store.readStream(`keyring/${projectId}`)).map(({ type, data }) => [type, data])).toEqual([['KeyringCreated', { projectId, publicKey }]]);
    expect([statSync(fileOf(projectId)).mode & 0o777, statSync(join(world.folder, 'vault')).mode & 0o777, statSync(join(world.folder, 'vault', 'master.key')).mode & 0o777]).toEqual([0o600, 0o700, 0o600]);
    const { keyId, text } = JSON.parse(readFileSync(fileOf(projectId), 'utf8')) as { keyId: string; text: string };
    const log = JSON.stringify(await world.events());
    expect([log.includes(text), log.includes(readFileSync(join(world.folder, 'vault', 'master.key'), 'utf8').trim()), keyId]).toEqual([false, false, expect.stringMatching(/^[0-9a-f]{16}$/)]);
  });

  it('are made when they are first asked for in a project that is older than the vault', async () => {
    const projectId = await world.project();
    const keys = await Promise.all(Array.from({ length: 5 }, () => showKey(projectId)));
    expect(new Set(keys.map(({ publicKey }) => publicKey)).size).toBe(1);
    expect(await typesIn(`keyring/${projectId}`)).toEqual(['KeyringCreated']);
    expect(await world.command('EnsureKeyring', { projectId })).toMatchObject({ type: 'SecretsReady' });
    expect(await showKey(projectId)).toEqual(keys[0]);
  });

  it('are not made for what is no project, or one no more', async () => {
    await expect(showKey(randomUUID())).rejects.toMatchObject({ name: 'Refusal', code: 'not-found' });
    await expect(showKey('../../etc/passwd')).rejects.toMatchObject({ code: 'not-found' });
    const projectId = await world.project();
    await world.happen(`project/${projectId}`, 'ProjectDeleted', { projectId, operationId: 'o' });
    await expect(showKey(projectId)).rejects.toMatchObject({ code: 'not-found' });
    expect(await world.command('EnsureKeyring', { projectId: '..' })).toMatchObject({ type: 'SecretsFailed', data: { error: expect.stringMatching(/not the id of a project/) } });
  });

  it('that were lost are said to be, and never made anew', async () => {
    const projectId = await projectWithKeys();
    renameSync(fileOf(projectId), `${fileOf(projectId)}.away`);
    expect(await world.command('EnsureKeyring', { projectId })).toMatchObject({ type: 'SecretsFailed', data: { error: expect.stringMatching(/missing in the folder.*Put a copy/) } });
    expect(existsSync(fileOf(projectId))).toBe(false);
    renameSync(`${fileOf(projectId)}.away`, fileOf(projectId));
    expect(await world.command('EnsureKeyring', { projectId })).toMatchObject({ type: 'SecretsReady' });
  });

  it("of another project in a project's file are not taken", async () => {
    const [one, two] = [await projectWithKeys(), await projectWithKeys()];
    const own = readFileSync(fileOf(one));
    cpSync(fileOf(two), fileOf(one));
    expect(await world.command('EnsureKeyring', { projectId: one })).toMatchObject({ type: 'SecretsFailed', data: { error: expect.stringMatching(/cannot be unwrapped/) } });
    writeFileSync(fileOf(one), own);
  });
});

describe('a secret', () => {
  it('is generated once, opened for a host, and each opening of it is recorded', async () => {
    const [projectId, siteId] = [await projectWithKeys(), randomUUID()];
    const name = databasePasswordKey(siteId);
    for (let again = 0; again < 2; again++) expect(await world.command('EnsureSecrets', { projectId, siteId, wishes: wishFor(siteId) })).toMatchObject({ type: 'SecretsReady', data: { siteId } });
    const command = randomUUID();
    const first = await world.reveal({ projectId, names: [name] }, command);
    expect(first.secrets[name]).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(await world.reveal({ projectId, names: [name] }, command)).toEqual(first);
    expect(await world.reveal({ projectId, names: [name] })).toEqual(first);
    const events = (await world.events()).filter(({ data }) => (data as { name?: string }).name === name);
    expect(events.map(({ type, meta }) => [type, meta.actor])).toEqual([['SecretStored', 'system:secrets'], ['SecretOpened', 'system:provisioner'], ['SecretOpened', 'system:provisioner']]);
    expect(events[1]!.data).toMatchObject({ projectId, version: 1, purpose: 'workload' });
    expect(JSON.stringify(await world.events()) + world.log.join('')).not.toContain(first.secrets[name]);
  });

  it('is made with the keys of a project that had none', async () => {
    const [projectId, siteId] = [await world.project(), randomUUID()];
    expect(await world.command('EnsureSecrets', { projectId, siteId, wishes: wishFor(siteId) })).toMatchObject({ type: 'SecretsReady' });
    expect(Object.keys((await world.reveal({ projectId, names: [databasePasswordKey(siteId)] })).secrets)).toEqual([databasePasswordKey(siteId)]);
  });

  it("of a host itself is nobody's project's", async () => {
    const projectId = hostKeyring('local');
    const name = hostRootPasswordKey('local');
    expect(await world.command('EnsureSecrets', { projectId, siteId: '', wishes: [{ name, length: 32, alphabet: 'letters-digits' }] })).toMatchObject({ type: 'SecretsReady', meta: { owner: META.owner } });
    await world.reveal({ projectId, names: [name] });
    const events = (await world.events()).filter(({ streamId, data }) => streamId === `keyring/${projectId}` || (data as { name?: string }).name === name);
    expect(events.map(({ type, meta }) => [type, meta.owner])).toEqual([['KeyringCreated', 'system'], ['SecretStored', 'system'], ['SecretOpened', 'system']]);
  });

  it('that cannot be made is refused with the reason', async () => {
    const projectId = await projectWithKeys();
    expect(await world.command('EnsureSecrets', { projectId, siteId: 's', wishes: [{ name: 'x', length: 4, alphabet: 'letters-digits' }] })).toMatchObject({ type: 'SecretsFailed', data: { error: expect.stringMatching(/20 to 256/) } });
  });

  it('that is not there, or is another project’s, is not opened', async () => {
    const [one, two, siteId] = [await projectWithKeys(), await projectWithKeys(), randomUUID()];
    await world.command('EnsureSecrets', { projectId: one, siteId, wishes: wishFor(siteId) });
    await expect(world.reveal({ projectId: two, names: [databasePasswordKey(siteId)] })).rejects.toMatchObject({ code: 'not-found' });
    await expect(world.reveal({ projectId: await world.project(), names: ['x'] })).rejects.toMatchObject({ code: 'not-found', message: expect.stringMatching(/has no keys/) });
  });

  it('is not doubled when every command comes twice', async () => {
    const [projectId, siteId] = [await projectWithKeys(), randomUUID()];
    await world.command('EnsureSecrets', { projectId, siteId, wishes: wishFor(siteId) });
    const before = (await world.events()).length;
    await world.close();
    await deliverAgain(world.admin, ...Array.from({ length: PARTITIONS }, (_, partition) => `secrets-${partition}`));
    await world.open();
    await world.command('EnsureKeyring', { projectId });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect((await world.events()).length).toBe(before + 2);
  });
});

describe('a sealed value', () => {
  it('is opened for a host, after a restart too, and by no other project', async () => {
    const [one, two] = [await projectWithKeys(), await projectWithKeys()];
    const box = seal('planted-value', (await showKey(one)).publicKey);
    await world.close();
    await expect(world.reveal({ projectId: one, sealed: [{ name: 'TOKEN', box }] })).rejects.toMatchObject({ name: 'Unavailable', retryable: true });
    await world.open();
    expect(await world.reveal({ projectId: one, sealed: [{ name: 'TOKEN', box }, { name: 'EMPTY', box: seal('', (await showKey(one)).publicKey) }] })).toEqual({ secrets: {}, sealed: { TOKEN: 'planted-value', EMPTY: '' }, versions: {} });
    await expect(world.reveal({ projectId: two, sealed: [{ name: 'TOKEN', box }] })).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(/TOKEN cannot be opened/) });
    expect(world.log.join('')).not.toContain('planted-value');
  });

  it('is not answered to somebody who has no key', async () => {
    const provisioner = await BusClient.connect({ url: world.nats.url('provisioner'), app: 'provisioner', log: silent });
    const projectId = await projectWithKeys();
    const ask = { projectId, names: [], sealed: [], publicKey: 'mine', purpose: 'workload' };
    await expect(provisioner.ask('secrets', 'OpenSecrets', ask, cause())).rejects.toMatchObject({ code: 'invalid' });
    await provisioner.close();
  });
});

describe('destroyed keys', () => {
  it('open nothing any more, whatever is left elsewhere', async () => {
    const [projectId, siteId] = [await projectWithKeys(), randomUUID()];
    await world.command('EnsureSecrets', { projectId, siteId, wishes: wishFor(siteId) });
    const box = seal('planted-value', (await showKey(projectId)).publicKey);
    writeFileSync(`${fileOf(projectId)}.4711.new`, 'left by a death');
    expect(await world.command('DestroyKeyring', { projectId })).toMatchObject({ type: 'SecretsRemoved', data: { projectId, turn: 3 } });
    expect(readdirSync(world.keyrings).filter((name) => name.includes(projectId))).toEqual([]);
    await expect(world.reveal({ projectId, names: [databasePasswordKey(siteId)] })).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/for good/) });
    await expect(world.reveal({ projectId, sealed: [{ name: 'A', box }] })).rejects.toMatchObject({ code: 'conflict' });
    await expect(showKey(projectId)).rejects.toMatchObject({ code: 'conflict' });
    expect(await world.command('EnsureKeyring', { projectId })).toMatchObject({ type: 'SecretsFailed' });
    expect(await world.command('DestroyKeyring', { projectId })).toMatchObject({ type: 'SecretsRemoved' });
    expect(await typesIn(`keyring/${projectId}`)).toEqual(['KeyringCreated', 'KeyringDestroyed']);
  });

  it('of a project that never had any cannot come later', async () => {
    const projectId = await world.project();
    expect(await world.command('DestroyKeyring', { projectId })).toMatchObject({ type: 'SecretsRemoved' });
    await expect(showKey(projectId)).rejects.toMatchObject({ code: 'conflict' });
    expect(existsSync(fileOf(projectId))).toBe(false);
  });

  it('that an old copy of the folder brings back are taken away at the start', async () => {
    const projectId = await projectWithKeys();
    cpSync(fileOf(projectId), join(world.folder, 'copy'));
    await world.command('DestroyKeyring', { projectId });
    await world.close();
    cpSync(join(world.folder, 'copy'), fileOf(projectId));
    await world.open();
    expect(existsSync(fileOf(projectId))).toBe(false);
  });
});

describe('a death', () => {
  /** Works on a vault that dies at a point, then on another that does the same again. */
  async function dyingAt(point: string, work: (vault: Vault) => Promise<unknown>): Promise<void> {
    listenToProbes((passed) => {
      if (passed === point) throw new Error('died');
    });
    await expect(work(await restarted())).rejects.toThrow('died');
    listenToProbes(() => undefined);
    const vault = await restarted();
    await vault.sweep();
    await work(vault);
  }

  it.each(['vault:keyring-write', 'vault:keyring-written'])('at %s leaves keys that are made once', async (point) => {
    const [projectId, by] = [randomUUID(), cause()];
    await dyingAt(point, (vault) => vault.ensureKeyring(projectId, by));
    const box = seal('x', await (await restarted()).ensureKeyring(projectId, cause()));
    expect((await world.reveal({ projectId, sealed: [{ name: 'A', box }] })).sealed).toEqual({ A: 'x' });
    expect(await typesIn(`keyring/${projectId}`)).toEqual(['KeyringCreated']);
    expect(readdirSync(world.keyrings).filter((name) => name.startsWith(projectId))).toEqual([`${projectId}.json`]);
  });

  it.each(['vault:keyring-destroy', 'vault:keyring-destroyed'])('at %s leaves keys that are destroyed once', async (point) => {
    const [projectId, by] = [await projectWithKeys(), cause()];
    await dyingAt(point, (vault) => vault.destroyKeyring(projectId, by));
    expect(await typesIn(`keyring/${projectId}`)).toEqual(['KeyringCreated', 'KeyringDestroyed']);
    expect(readdirSync(world.keyrings).filter((name) => name.startsWith(projectId))).toEqual([]);
  });
});

describe('the start', () => {
  it('is refused when the master key is gone while keys need it', async () => {
    await projectWithKeys();
    await world.close();
    const file = join(world.folder, 'vault', 'master.key');
    renameSync(file, `${file}.away`);
    await expect(world.open()).rejects.toThrow(/master\.key is missing/);
    expect(existsSync(file)).toBe(false);
    renameSync(`${file}.away`, file);
    await world.open();
  });

  it('takes the master key from the environment, and then leaves none on the disk', async () => {
    const folder = join(world.folder, 'elsewhere');
    await world.close();
    await expect(world.open({ HOSTPLANE_VAULT_DIR: folder, HOSTPLANE_MASTER_KEY: 'planted-value' })).rejects.toThrow(/HOSTPLANE_MASTER_KEY is set \(its value is hidden\): a master key is 32 random bytes/);
    await world.open({ HOSTPLANE_VAULT_DIR: folder, HOSTPLANE_MASTER_KEY: Buffer.alloc(32, 7).toString('base64') });
    const projectId = await projectWithKeys();
    expect([readdirSync(folder), readdirSync(join(folder, 'keyrings'))]).toEqual([['keyrings'], [`${projectId}.json`]]);
    await world.close();
    rmSync(folder, { recursive: true });
    await world.open();
  });
});
