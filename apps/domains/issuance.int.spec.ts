import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { AcmeAuthority } from '#providers/acme/acme-authority.js';
import type { Certificate } from '#domain/certificate/certificate.js';
import { describeChain } from '#providers/certificate-chain.js';
import { freshKey, signingRequest } from '#providers/signing-request.js';
import { AcmeProxy, type AcmeFault } from '../../test/support/acme-proxy.js';
import { describeWithPebble } from '../../test/support/docker.js';
import type { Pebble } from '../../test/support/pebble.js';
import { ProofPlaces } from '../../test/support/proof-places.js';
import { Authorities } from './authorities.js';
import { Issuance } from './issuance.js';

jest.setTimeout(60_000);

const NAME = 'shop.example.com';
const HOUR_SECONDS = 3_600;

describeWithPebble('when a certificate is to be renewed', () => {
  let places: ProofPlaces;
  let pebble: Pebble;
  let proxy: AcmeProxy;
  let issuance: Issuance;
  let certificate: Certificate;

  beforeAll(async () => {
    places = await ProofPlaces.open();
    pebble = await places.pebble({ isSteady: true });
    proxy = await AcmeProxy.before(pebble, 0);
    const accountKey = freshKey();
    const authority = new AcmeAuthority({ directoryUrl: proxy.directoryUrl, trustedRoots: proxy.ca, email: '', accountKey: () => Promise.resolve(accountKey), answerMs: 10_000 });
    issuance = new Issuance(new Authorities([authority], undefined), undefined as never, undefined as never, undefined as never);
    const order = await authority.order([NAME], 'http-01');
    await places.put(order.proofs);
    const chain = await authority.issue(order, await signingRequest([NAME], freshKey()));
    certificate = { issued: describeChain(chain), issuedBy: authority.name } as unknown as Certificate;
  });
  afterAll(async () => {
    await proxy?.close();
    await pebble?.stop();
    await places?.close();
  });

  /** In how many seconds the authority is asked again after a call that failed so. */
  async function askedAgainAfter(fault: AcmeFault, patienceSeconds: number, kind = 'renewalInfo'): Promise<number> {
    proxy.forget();
    proxy.patienceSeconds = patienceSeconds;
    proxy.fail(kind, fault);
    const { askAgainAt, problem, suggested } = await issuance.renewal(certificate);
    expect([proxy.met.length, suggested]).toEqual([1, undefined]);
    expect(problem).toMatch(/^The certificate authority could not tell when to renew/);
    return Math.round((Date.parse(askAgainAt) - Date.now()) / 10_000) * 10;
  }

  it('is what the authority suggests', async () => {
    const { suggested, problem, askAgainAt } = await issuance.renewal(certificate);
    expect([suggested!.renewAt > new Date().toISOString(), askAgainAt > new Date().toISOString(), problem]).toEqual([true, true, undefined]);
  });

  it('is asked again an hour after it could not be found out', async () => {
    expect([await askedAgainAfter('fails', 0), await askedAgainAfter('cut-before', 0), await askedAgainAfter('limits', 60)]).toEqual([HOUR_SECONDS, HOUR_SECONDS, HOUR_SECONDS]);
  });

  it('is asked again no sooner than the authority allows it, but within a day', async () => {
    expect([await askedAgainAfter('limits', 2 * HOUR_SECONDS), await askedAgainAfter('is-busy', 2 * HOUR_SECONDS, 'directory'), await askedAgainAfter('limits', 1_000 * HOUR_SECONDS)]).toEqual([2 * HOUR_SECONDS, 2 * HOUR_SECONDS, 24 * HOUR_SECONDS]);
  });
});
