import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RotatedMasterKey, VaultKey } from '#contracts/gen/hostplane/v1/ask.js';
import { listenToProbes } from '#contracts/probe.js';
import { BusClient } from '#messaging/bus-client.js';
import { seal } from '#messaging/sealed-box.js';
import { silent } from '../../test/support/bus.js';
import { META } from '../../test/support/messages.js';
import { TestVault } from '../../test/support/vault.js';
import { VaultServer } from '../../test/support/vault-server.js';

jest.setTimeout(60_000);

let world: TestVault;
let gateway: BusClient;
/** What was sealed for each project. */
let boxes: Map<string, string>;

beforeEach(async () => {
  world = await TestVault.start();
  gateway = await BusClient.connect({ url: world.nats.url('api-gateway'), app: 'api-gateway', log: silent });
  boxes = new Map();
  for (let n = 0; n < 3; n++) await sealed();
});
afterEach(async () => {
  listenToProbes(() => undefined);
  await gateway?.close();
  await world?.stop();
});

async function sealed(): Promise<void> {
  const projectId = await world.project();
  const { publicKey } = await gateway.ask<'ShowPublicKey', VaultKey>('secrets', 'ShowPublicKey', { projectId }, { id: randomUUID(), meta: META });
  boxes.set(projectId, seal(`value of ${projectId}`, publicKey));
}

const rotate = () => gateway.ask<'RotateMasterKey', RotatedMasterKey>('secrets', 'RotateMasterKey', {}, { id: randomUUID(), meta: { ...META, owner: 'system' } }, 30_000);
const keyIds = () => [...new Set(readdirSync(world.keyrings).map((name) => (JSON.parse(readFileSync(join(world.keyrings, name), 'utf8')) as { keyId: string }).keyId))];
const rotations = async () => (await world.events()).flatMap(({ type, data }) => (type === 'MasterKeyRotated' ? [data] : []));
const masterKeys = () => readFileSync(join(world.folder, 'vault', 'master.key'), 'utf8').trim().split('\n');

async function openAll(): Promise<void> {
  for (const [projectId, box] of boxes) expect((await world.reveal({ projectId, sealed: [{ name: 'A', box }] })).sealed).toEqual({ A: `value of ${projectId}` });
}

/** Everything that was sealed can be opened, and nothing is left half-way. */
async function expectWhole(): Promise<void> {
  await openAll();
  expect(readdirSync(world.keyrings).sort()).toEqual([...boxes.keys()].map((id) => `${id}.json`).sort());
}

describe('the master key', () => {
  it('is replaced for all keyrings while they are used, and the old one is forgotten', async () => {
    const [old] = keyIds();
    const [before] = masterKeys();
    const [rotation] = await Promise.all([rotate(), openAll(), openAll()]);
    await expectWhole();
    expect(rotation).toMatchObject({ fromKeyId: old, rewrapped: 3 });
    expect([keyIds(), await rotations()]).toEqual([[rotation.toKeyId], [rotation]]);
    expect(masterKeys()).toHaveLength(1);
    expect(masterKeys()).not.toContain(before);
    await world.close();
    await world.open();
    await sealed();
    await expectWhole();
    expect([keyIds(), await rotations()]).toEqual([[rotation.toKeyId], [rotation]]);
    expect(JSON.stringify(await world.events()) + world.log.join('')).not.toContain(masterKeys()[0]);
  });

  it.each(['vault:master-key-renewed', 'vault:keyring-rewrap', 'vault:master-key-rewrapped'])('is replaced to the end at the next start when the vault died at %s', async (point) => {
    const [old] = keyIds();
    let seen = 0;
    // The second of the three keyrings.
    listenToProbes((passed) => {
      if (passed === point && ++seen >= (point === 'vault:keyring-rewrap' ? 2 : 1)) throw new Error('died');
    });
    await expect(rotate()).rejects.toThrow();
    listenToProbes(() => undefined);
    await world.close();
    await world.open();
    await expectWhole();
    const [current] = keyIds();
    expect([keyIds(), masterKeys()]).toEqual([[current], [expect.any(String)]]);
    expect(await rotations()).toEqual([{ fromKeyId: old, toKeyId: current, rewrapped: expect.any(Number) }]);
  });

  it('moves from the file to the environment, to HashiCorp Vault and back, and is renewed in the environment by people alone', async () => {
    const server = await new VaultServer().start();
    server.addKey('plane');
    const [one, two] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64'));
    const transit = { HOSTPLANE_VAULT_TRANSIT_KEY: 'plane', VAULT_ADDR: server.address, VAULT_TOKEN: server.token };
    const ids: string[] = keyIds();
    const restart = async (settings: NodeJS.ProcessEnv) => {
      await world.close();
      await world.open(settings);
      await expectWhole();
      expect(keyIds()).toHaveLength(1);
      ids.push(...keyIds());
    };
    await restart({ HOSTPLANE_MASTER_KEY: one });
    await expect(rotate()).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/put a new one in front/) });
    await restart({ HOSTPLANE_MASTER_KEY: `${two},${one}` });
    await restart({ HOSTPLANE_MASTER_KEY: two, ...transit });
    await restart(transit);
    expect((await rotate()).toKeyId).toBe('vault:transit/plane:v2');
    await restart({ ...transit, HOSTPLANE_MASTER_KEY_FROM: 'file' });
    await restart({});
    expect([ids[3], ids[4], ids[5], ids[0]]).toEqual(['vault:transit/plane:v1', 'vault:transit/plane:v1', ids[6], ids[5]]);
    expect(new Set(ids).size).toBe(4);
    expect((await rotations()).map(({ rewrapped }) => rewrapped)).toEqual([3, 3, 3, 3, 3]);
    expect(world.log.join('') + JSON.stringify(await world.events())).not.toMatch(new RegExp(`${server.token}|${one!.slice(0, 40)}|${two!.slice(0, 40)}`));
    await server.stop();
  });

  it('that is away at the start is said to be, and nothing is made anew', async () => {
    const server = await new VaultServer().start();
    server.addKey('plane');
    const transit = { HOSTPLANE_VAULT_TRANSIT_KEY: 'plane', VAULT_ADDR: server.address, VAULT_TOKEN: server.token };
    await world.close();
    server.failure = { status: 503, errors: ['Vault is sealed'] };
    await world.open(transit);
    const [[projectId, box]] = [...boxes] as [[string, string]];
    await expect(world.reveal({ projectId, sealed: [{ name: 'A', box }] })).rejects.toMatchObject({ name: 'Unavailable' });
    expect(world.log.join('')).toMatch(/Vault is sealed/);
    server.failure = undefined;
    await expectWhole();
    await server.stop();
  });
});
