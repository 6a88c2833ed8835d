import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { describeWithPebble } from '../../../test/support/docker.js';
import type { Pebble } from '../../../test/support/pebble.js';
import { ProofPlaces } from '../../../test/support/proof-places.js';
import { readChain } from '../certificate-chain.js';
import type { PlacedOrder } from '../certificate-authority.js';
import { certificateAuthorityContract } from '../contract/certificate-authority.contract.js';
import { freshKey, signingRequest } from '../signing-request.js';
import { AcmeAuthority, type AcmeSettings } from './acme-authority.js';

jest.setTimeout(60_000);

const EAB = { kid: 'kid-1', hmacKey: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' };

describeWithPebble('ACME with pebble', () => {
  let places: ProofPlaces;
  let pebble: Pebble;
  const accountKey = freshKey();
  const key = freshKey();
  let count = 0;

  beforeAll(async () => {
    places = await ProofPlaces.open();
    pebble = await places.pebble({ blocked: ['blocked.org'] });
  });
  afterAll(async () => {
    await pebble?.stop();
    await places?.close();
  });

  const make = (more: Partial<AcmeSettings> = {}, at = pebble) => new AcmeAuthority({ directoryUrl: at.directoryUrl, trustedRoots: at.ca, email: 'me@example.com', accountKey: () => Promise.resolve(accountKey), answerMs: 30_000, ...more });
  const freshName = () => `name-${++count}.example.com`;
  const prove = ({ proofs }: PlacedOrder) => places.put(proofs);
  async function issued(names: readonly string[], proof: 'http-01' | 'dns-01', authority = make()): Promise<string> {
    const order = await authority.order(names, proof);
    await prove(order);
    return authority.issue(order, await signingRequest(names, key));
  }

  certificateAuthorityContract('ACME', { make: () => make(), prove, freshName });

  it('proves a wildcard, and the name above it, by the DNS', async () => {
    const [leaf] = readChain(await issued(['*.example.com', 'example.com'], 'dns-01'));
    expect([leaf.checkHost('any.example.com', { subject: 'never' }), leaf.checkHost('example.com', { subject: 'never' })]).not.toContain(undefined);
    await expect(make().order(['*.example.com'], 'http-01')).rejects.toMatchObject({ retryable: false, message: expect.stringContaining('does not take http-01 as a proof of') });
  });

  it('says what the authority found where the proof should be, and takes the next order', async () => {
    const [authority, hostname] = [make(), freshName()];
    const order = await authority.order([hostname], 'http-01');
    await expect(authority.issue(order, await signingRequest([hostname], key))).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(new RegExp(`${hostname}.*404`)) });
    await expect(authority.issue(order, await signingRequest([hostname], key))).rejects.toMatchObject({ retryable: false });
    expect(readChain(await issued([hostname], 'http-01', authority))).toHaveLength(2);
  });

  it('says what the authority does not issue for', async () => {
    await expect(make().order(['blocked.org'], 'http-01')).rejects.toMatchObject({ retryable: false, message: expect.stringContaining('rejectedIdentifier') });
  });

  it('orders in place of an older certificate, and is told when to renew one', async () => {
    const hostname = freshName();
    const chain = await issued([hostname], 'http-01');
    const { start, end, askAgainAt } = (await make().renewal(chain))!;
    const { validFromDate, validToDate } = new X509Certificate(chain);
    expect([validFromDate.toISOString() < start, start <= end, end <= validToDate.toISOString(), askAgainAt > new Date().toISOString()]).toEqual([true, true, true, true]);
    const soon = { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' };
    await pebble.suggestRenewal(chain, soon);
    expect(await make().renewal(chain)).toMatchObject({ start: '2026-01-01T00:00:00.000Z', end: '2026-01-02T00:00:00.000Z' });
    const authority = make();
    const order = await authority.order([hostname], 'http-01', { replaces: chain });
    await prove(order);
    const next = await authority.issue(order, await signingRequest([hostname], key));
    expect(new X509Certificate(next).serialNumber).not.toBe(new X509Certificate(chain).serialNumber);
    // Only one order may replace it: the next one is placed without saying so.
    expect((await authority.order([hostname], 'http-01', { replaces: chain })).reference).not.toBe(order.reference);
  });

  it('has it revoked', async () => {
    const chain = await issued([freshName()], 'http-01');
    await make().revoke(chain, 'keyCompromise');
    expect(await pebble.isRevoked(new X509Certificate(chain).serialNumber.toLowerCase())).toBe(true);
  });

  it('opens an account by external binding alone where the authority wants that', async () => {
    const strict = await places.pebble({ eab: EAB });
    try {
      await expect(make({}, strict).order([freshName()], 'http-01')).rejects.toMatchObject({ retryable: false, message: expect.stringContaining('externalAccountRequired') });
      await expect(make({ eab: EAB }, strict).order([freshName()], 'http-01')).resolves.toMatchObject({ proofs: [{ type: 'http-01' }] });
    } finally {
      await strict.stop();
    }
  });

  it('finds its account again after a death, whether or not there is somebody to write to', async () => {
    for (const email of ['', 'me@example.com', '']) await expect(make({ email }).order([freshName()], 'http-01')).resolves.toMatchObject({ proofs: [{ type: 'http-01' }] });
    const accountKeyOfNobody = freshKey();
    for (let time = 0; time < 2; time++) await expect(make({ email: '', accountKey: () => Promise.resolve(accountKeyOfNobody) }).order([freshName()], 'http-01')).resolves.toMatchObject({ proofs: [{ type: 'http-01' }] });
  });

  it('is told that an authority which cannot be reached may be later', async () => {
    const gone = await places.pebble();
    await gone.stop();
    await expect(make({}, gone).order([freshName()], 'http-01')).rejects.toMatchObject({ retryable: true, message: expect.stringContaining('ECONNREFUSED') });
    await expect(make({ trustedRoots: undefined as never }).order([freshName()], 'http-01')).rejects.toMatchObject({ retryable: true, message: expect.stringMatching(/self-signed|certificate/) });
  });
});
