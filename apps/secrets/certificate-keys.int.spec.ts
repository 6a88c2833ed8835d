import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { crypto } from 'acme-client';
import type { OpenedSecrets, SigningRequest } from '#contracts/gen/hostplane/v1/ask.js';
import { accountKeyName, PLANE_KEYRING } from '#domain/naming/naming.js';
import { BusClient } from '#messaging/bus-client.js';
import { BoxKeys } from '#messaging/sealed-box.js';
import { silent, until } from '../../test/support/bus.js';
import { META } from '../../test/support/messages.js';
import { TestVault } from '../../test/support/vault.js';

let world: TestVault;
let domains: BusClient;

beforeAll(async () => {
  world = await TestVault.start();
  domains = await BusClient.connect({ url: world.nats.url('domains'), app: 'domains', log: silent });
});
afterAll(async () => {
  await domains?.close();
  await world?.stop();
});

const cause = () => ({ id: randomUUID(), meta: META });
const names = ['shop.example.com', 'www.example.com'];
const sign = (projectId: string, keySecret: string) => domains.ask<'MakeSigningRequest', SigningRequest>('secrets', 'MakeSigningRequest', { projectId, siteId: 's', keySecret, names }, cause());
const account = async (authority: string) => {
  const keys = BoxKeys.fresh();
  const { secrets } = await domains.ask<'OpenAccountKey', OpenedSecrets>('secrets', 'OpenAccountKey', { authority, publicKey: keys.publicKey }, cause());
  return secrets.map(({ box }) => keys.open(box));
};

describe('the key of a certificate', () => {
  it('is made with the first request, signs each one, and leaves the vault for a host alone', async () => {
    const projectId = await world.project();
    const name = `certificate/${randomUUID()}/1`;
    const requests = await Promise.all([1, 2, 3].map(() => sign(projectId, name)));
    expect(requests.map(({ csr }) => crypto.readCsrDomains(csr).altNames)).toEqual([names, names, names]);
    const { secrets } = await world.reveal({ projectId, names: [name] });
    const own = createPublicKey(createPrivateKey(secrets[name]!)).export({ type: 'spki', format: 'pem' });
    expect(new Set(requests.map(({ csr }) => crypto.getPublicKey(secrets[name]!).toString() === String(own) && csr.includes('REQUEST')))).toEqual(new Set([true]));
    await expect(domains.ask('secrets', 'OpenSecrets', { projectId, names: [name], sealed: [], publicKey: BoxKeys.fresh().publicKey, purpose: 'theft' }, cause(), 500)).rejects.toThrow();
    expect(JSON.stringify(await world.events()) + world.log.join('')).not.toContain('PRIVATE KEY');
  });

  it('is opened for nobody once it is forgotten, and not made again', async () => {
    const projectId = await world.project();
    const name = `certificate/${randomUUID()}/1`;
    await sign(projectId, name);
    await world.happen(`operation/${randomUUID()}`, 'ForgetSecrets', { projectId, names: [name, 'certificate/none/1'] });
    await until('it is forgotten', async () => (await world.events()).some(({ type, data }) => type === 'SecretRevoked' && (data as { name: string }).name === name));
    await expect(world.reveal({ projectId, names: [name] })).rejects.toMatchObject({ code: 'conflict' });
    await expect(sign(projectId, name)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('has a name of its kind: no other secret signs', async () => {
    const projectId = await world.project();
    for (const name of ['mail-password', 'certificate/../x/1', `certificate/${randomUUID()}`]) await expect(sign(projectId, name)).rejects.toMatchObject({ name: 'Refusal', field: 'keySecret' });
  });
});

describe('the key of the account at an authority', () => {
  it('is made once for each authority, is nobody’s project’s and no host’s, and that it was opened is recorded', async () => {
    const [first, again, other] = [await account('pebble'), await account('pebble'), await account('other')];
    expect([first, first[0] === other[0], first[0]]).toEqual([again, false, expect.stringContaining('PRIVATE KEY')]);
    const about = (await world.events()).filter(({ data }) => (data as { name?: string }).name === accountKeyName('pebble'));
    await expect(world.reveal({ projectId: PLANE_KEYRING, names: [accountKeyName('pebble')] })).rejects.toMatchObject({ code: 'forbidden', field: 'names' });
    const name = `certificate/${randomUUID()}/1`;
    await sign(PLANE_KEYRING, name);
    expect((await world.reveal({ projectId: PLANE_KEYRING, names: [name] })).secrets[name]).toContain('PRIVATE KEY');
    expect(about.map(({ type, meta }) => [type, meta.owner])).toEqual([['SecretStored', 'system'], ['SecretOpened', 'system'], ['SecretOpened', 'system']]);
  });
});
