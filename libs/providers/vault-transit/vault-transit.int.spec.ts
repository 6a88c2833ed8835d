import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { VaultServer } from '../../../test/support/vault-server.js';
import { keyContract } from '../contract/key.contract.js';
import { VaultTransit } from './vault-transit.js';

const providerOf = (server: VaultServer, key = 'hostplane', token = server.token) => new VaultTransit({ address: server.address, token, namespace: server.namespace, mount: 'transit', key });

keyContract('vault-transit', async () => {
  const server = await new VaultServer({ namespace: 'team/a' }).start();
  for (const key of ['hostplane', 'other']) server.addKey(key);
  return {
    provider: providerOf(server),
    restarted: () => Promise.resolve(providerOf(server)),
    foreign: () => Promise.resolve(providerOf(server, 'other')),
    close: () => server.stop(),
  };
});

describe('the vault-transit key provider', () => {
  let server: VaultServer;
  beforeAll(async () => {
    server = await new VaultServer().start();
    server.addKey('hostplane');
  });
  afterAll(() => server?.stop());

  it('wraps anew without being given the key', async () => {
    const [provider, key] = [providerOf(server), randomBytes(90)];
    const wrapped = await provider.wrap(key, 'p');
    expect(wrapped).toEqual({ keyId: 'vault:transit/hostplane:v1', text: expect.stringMatching(/^vault:v1:/) });
    await provider.renew();
    server.requests.length = 0;
    const again = await provider.rewrap(wrapped, 'p');
    expect(again.keyId).toBe('vault:transit/hostplane:v2');
    expect(server.requests.map(({ path }) => path)).toEqual(['/v1/transit/rewrap/hostplane']);
    for (const one of [wrapped, again]) expect(Buffer.from(await provider.unwrap(one, 'p')).equals(key)).toBe(true);
    expect(await provider.keyIds()).toEqual(['vault:transit/hostplane:v2', 'vault:transit/hostplane:v1']);
  });

  it.each([
    [400, ['cipher: message authentication failed'], false, /message authentication failed/],
    [403, ['permission denied'], false, /permission denied.*policy/],
    [404, [], false, /no such key/],
    [412, ['required index state not present'], true, /412/],
    [429, ['request path "transit/encrypt/hostplane": rate limit quota exceeded'], true, /too often/],
    [500, ['internal error'], true, /internal error/],
    [503, ['Vault is sealed'], true, /sealed/],
  ])('says of %i whether it may pass, and why', async (status, errors, retryable, message) => {
    server.failure = { status, errors };
    const failed = await providerOf(server).wrap(Buffer.from('planted-key'), 'p').catch((error: unknown) => error);
    server.failure = undefined;
    expect(failed).toMatchObject({ name: 'ProviderError', retryable, message: expect.stringMatching(message) });
    expect(JSON.stringify(failed) + String((failed as Error).stack)).not.toMatch(new RegExp(`${server.token}|planted-key|${Buffer.from('planted-key').toString('base64').slice(0, 12)}`));
  });

  it('is refused with a token that is not valid, and never repeats it', async () => {
    const failed = await providerOf(server, 'hostplane', 'hvs.planted-token').currentKeyId().catch((error: unknown) => String((error as Error).stack));
    expect(failed).toMatch(/403/);
    expect(failed).not.toContain('planted-token');
  });

  it('may be away', async () => {
    const gone = await new VaultServer().start();
    const provider = providerOf(gone);
    await gone.stop();
    await expect(provider.currentKeyId()).rejects.toMatchObject({ retryable: true, message: expect.stringMatching(/ECONNREFUSED/) });
  });
});
