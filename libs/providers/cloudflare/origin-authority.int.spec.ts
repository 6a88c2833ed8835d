import { X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { describeWithCloudflare } from '../../../test/support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../../../test/support/cloudflare-stand-in.js';
import { readChain } from '../certificate-chain.js';
import { certificateAuthorityContract } from '../contract/certificate-authority.contract.js';
import { freshKey, signingRequest } from '../signing-request.js';
import { CloudflareApi, type CloudflareSettings } from './cloudflare-api.js';
import { CloudflareOriginAuthority, type OriginAuthorityOptions } from './origin-authority.js';

jest.setTimeout(60_000);

const authorityAt = (cloudflare: CloudflareStandIn, settings: Partial<CloudflareSettings> = {}, options: Partial<OriginAuthorityOptions> = {}) =>
  new CloudflareOriginAuthority(new CloudflareApi({ token: CLOUDFLARE_TOKEN, url: cloudflare.url, callMs: 20_000, pauseMs: 5, waitsWhenLimited: false, ...settings }), { days: 90, ...options });

describeWithCloudflare('cloudflare', () => {
  let cloudflare: CloudflareStandIn;
  let count = 0;
  beforeAll(async () => void (cloudflare = await CloudflareStandIn.start('example.com')));
  afterAll(async () => {
    await cloudflare.close();
    expect(cloudflare.violations).toEqual([]);
  });
  certificateAuthorityContract('cloudflare-origin', { make: () => authorityAt(cloudflare), prove: () => Promise.resolve(), freshName: () => `name-${++count}.example.com` });
});

describeWithCloudflare('cloudflare origin certificates themselves', () => {
  let cloudflare: CloudflareStandIn;
  const key = freshKey();
  const names = ['shop.example.com', '*.shop.example.com'];
  beforeEach(async () => void (cloudflare = await CloudflareStandIn.start('example.com', 'example.org')));
  afterEach(async () => {
    await cloudflare.close();
    expect(cloudflare.violations).toEqual([]);
  });

  async function issued(settings: Partial<CloudflareSettings> = {}, wanted: readonly string[] = names): Promise<string> {
    const authority = authorityAt(cloudflare, settings);
    const order = await authority.order(wanted, 'http-01');
    return authority.issue(order, await signingRequest(wanted, key));
  }

  it('are for the names and the time that were asked for, signed by what Cloudflare trusts, without a proof', async () => {
    const [leaf] = readChain(await issued());
    expect(leaf.verify(new X509Certificate(await cloudflare.origin.root()).publicKey)).toBe(true);
    expect(leaf.subjectAltName).toBe('DNS:shop.example.com, DNS:*.shop.example.com');
    expect(cloudflare.origin.live()).toMatchObject([{ request_type: 'origin-ecc', requested_validity: 90 }]);
    expect(await authorityAt(cloudflare).renewal()).toBeUndefined();
  });

  it('are found again after a death by names and key alone, among more than a page of others', async () => {
    const authority = authorityAt(cloudflare);
    for (let i = 0; i < 55; i++) await issued({}, [`n${i}.example.com`]);
    const order = await authority.order(names, 'http-01');
    const chain = await authority.issue(order, await signingRequest(names, key));
    const other = await authority.issue(order, await signingRequest(names, freshKey()));
    expect(other).not.toBe(chain);
    expect(await authorityAt(cloudflare).issue(order, await signingRequest(names, key))).toBe(chain);
    expect(cloudflare.origin.live().filter(({ hostnames }) => hostnames.length === 2)).toHaveLength(2);
  });

  it('that two processes made at the same time become one', async () => {
    const authority = authorityAt(cloudflare);
    const order = await authority.order(names, 'http-01');
    const csr = await signingRequest(names, key);
    await Promise.all([1, 2].map(() => authority.issue(order, csr)));
    const again = await Promise.all([1, 2].map(() => authority.issue(order, csr)));
    expect([new Set(again).size, cloudflare.origin.live().length]).toEqual([1, 1]);
  });

  const faults = [
    ['does not answer', 'reset', {}],
    ['takes it and loses the answer', 'reset-after', {}],
    ['fails', 'status', { status: 503 }],
    ['takes it and fails', 'status-after', { status: 502 }],
  ] as const;
  const calls = [['zones', /GET \/zones$/], ['a look', /GET \/certificates/], ['a creation', /POST/], ['a revocation', /DELETE/]] as const;
  it.each(calls.flatMap(([call, on]) => faults.map(([what, kind, more]) => [call, what, on, kind, more] as const)))('are one, and then none, when at %s Cloudflare once %s', async (_call, _what, on, kind, more) => {
    cloudflare.fail(on, kind, more);
    const chain = await issued();
    expect(cloudflare.origin.live().map(({ certificate }) => new X509Certificate(certificate).serialNumber)).toEqual([new X509Certificate(chain).serialNumber]);
    await authorityAt(cloudflare).revoke(chain, 'superseded');
    expect([cloudflare.origin.live(), cloudflare.faults[0]!.times]).toEqual([[], 0]);
  });

  it.each(calls)('are one, and then none, at the second try when at %s nothing came in time, which is said at once', async (call, on) => {
    cloudflare.fail(on, 'hang-after');
    const authority = authorityAt(cloudflare, { callMs: 500 });
    const told: string[] = [];
    const tried = <T>(work: () => Promise<T>) =>
      work().catch((error: Error) => {
        told.push(error.message);
        return work();
      });
    const order = await tried(() => authority.order(names, 'http-01'));
    const chain = await tried(async () => authority.issue(order, await signingRequest(names, key)));
    expect(cloudflare.origin.live()).toHaveLength(1);
    await tried(() => authority.revoke(chain, 'superseded'));
    expect([cloudflare.origin.live(), cloudflare.faults[0]!.times]).toEqual([[], 0]);
    expect(told).toEqual(call === 'a creation' ? [] : [expect.stringMatching(/^Cloudflare does not answer \(nothing within 0\.5 s\) when it is to /)]);
  });

  it('are said to be got from nobody after two of them, while no creation is answered', async () => {
    cloudflare.fail(/POST/, 'hang-before', { times: 99 });
    await expect(issued({ callMs: 1_000 })).rejects.toMatchObject({ retryable: true, message: expect.stringMatching(/nothing within 1 s/) });
    expect(cloudflare.asked.filter((one) => one.startsWith('POST'))).toHaveLength(2);
  });

  describe('when Cloudflare', () => {
    it.each([['zones', /GET \/zones$/], ['a look', /GET \/certificates/], ['a creation', /POST/]] as const)('asks for patience at %s are waited for by nobody here, but by whoever asks', async (_, on) => {
      cloudflare.fail(on, 'status', { status: 429, headers: { 'retry-after': '120' } });
      const error = (await issued().catch((e: unknown) => e)) as Error & { notBefore: string };
      expect(error).toMatchObject({ name: 'ProviderError', retryable: true, message: expect.stringMatching(/Cloudflare could not .*: 429/) });
      expect(Date.parse(error.notBefore) - Date.now()).toBeGreaterThan(100_000);
      expect(cloudflare.origin.live()).toEqual([]);
      expect(readChain(await issued())).toHaveLength(1);
    });

    it('asks for patience at a revocation, it is waited for by whoever asks, and the certificate is good until then', async () => {
      const chain = await issued();
      cloudflare.fail(/DELETE/, 'status', { status: 429 });
      expect(await authorityAt(cloudflare).revoke(chain, 'superseded').catch((e: unknown) => e)).toMatchObject({ name: 'ProviderError', retryable: true, notBefore: '', message: expect.stringMatching(/could not revoke the origin certificate \d+: 429/) });
      expect(cloudflare.origin.live()).toHaveLength(1);
      await authorityAt(cloudflare).revoke(chain, 'superseded');
      expect(cloudflare.origin.live()).toEqual([]);
    });

    it('says what stays wrong, it is told in its words, and never with the token', async () => {
      const told = async (settings: Partial<CloudflareSettings>, wanted = names) => {
        const error = (await issued({ attempts: 2, ...settings }, wanted).catch((e: unknown) => e)) as Error & { retryable: boolean };
        expect(error.message).not.toMatch(/a-token-of|planted-token/);
        return [error.name, error.retryable, error.message];
      };
      expect(await told({ token: 'planted-token' })).toEqual(['ProviderError', false, expect.stringMatching(/403 \(Invalid access token \[9109\]\).*SSL and Certificates Edit/)]);
      expect(await told({}, ['shop.example.net'])).toEqual(['ProviderError', false, expect.stringMatching(/for names of one zone of the token's account, and shop\.example\.net is in none/)]);
      expect(await told({}, ['shop.example.com', 'shop.example.org'])).toEqual(['ProviderError', false, expect.stringMatching(/names of one zone/)]);
      cloudflare.fail(/POST/, 'status', { status: 400, times: 9 });
      expect(await told({})).toEqual(['ProviderError', false, expect.stringMatching(/could not issue an origin certificate for shop\.example\.com, .*400 \(Injected\. \[10013\]\)/)]);
      cloudflare.faults.length = 0;
      cloudflare.fail(/POST/, 'reset', { times: 99 });
      expect(await told({})).toEqual(['ProviderError', true, expect.stringMatching(/does not answer/)]);
      expect(cloudflare.origin.certificates).toEqual([]);
    });
  });
});
