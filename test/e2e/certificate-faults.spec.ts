import { once } from 'node:events';
import { request } from 'node:https';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { run } from '../../apps/cli/program.js';
import { freePort } from '../../infra/start/ports.js';
import { comes } from '../chaos/asking.js';
import { SteadyVisitor } from '../chaos/steady-visitor.js';
import { AcmeProxy, type AcmeFault } from '../support/acme-proxy.js';
import { causeOf, wordsOf } from '../support/acme-words.js';
import { visit, type SiteView } from '../support/api.js';
import { describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';

jest.setTimeout(180_000);

const HERE = '127.0.0.1';
const NAME = 'shop.example.com';
const ANSWER_MS = 2_000;
const PATIENCE_SECONDS = 2;
/** What ends a try; the others are gone on from within it. */
const ENDING: readonly AcmeFault[] = ['cut-after', 'fails', 'is-busy', 'half', 'limits', 'cut-before', 'refuses', 'hang-after'];

/** What comes before any other call, in this order when each fails once. */
const SIGNING_IN = ['directory', 'newNonce', 'newAccount that only finds', 'newAccount', 'account', 'account that is changed'];
/** The steps whose call it is; an account is found or opened in any. */
const STEPS: readonly (readonly [RegExp, string])[] = [[/^(newOrder|authorization)/, 'order'], [/^(order|challenge|finalize|certificate)/, 'issuance'], [/^revokeCert/, 'revocation']];

interface CertificateView extends Record<string, unknown> {
  readonly status: string;
  readonly serial?: string;
  readonly lastError?: string;
  readonly failedStep?: string;
  readonly nextTryAt?: string;
}
interface Happened {
  readonly type: string;
  readonly recordedAt: string;
  readonly data: { readonly step: string; readonly error: string; readonly nextAt: string };
}

describeWithPebble('a certificate whose authority fails at each call', () => {
  let knot: Knot;
  let pebble: Pebble;
  let proxy: AcmeProxy;
  let plane: Plane;
  let root: string;
  let site: SiteView;
  let visitor: SteadyVisitor;

  beforeAll(async () => {
    knot = await Knot.start('example.com');
    const httpPort = await freePort();
    pebble = await Pebble.start({ dns: knot.address, httpPort, isSteady: true });
    proxy = await AcmeProxy.before(pebble, PATIENCE_SECONDS);
    plane = await startPlane({
      env: {
        HOSTPLANE_EDGE: 'embedded', HOSTPLANE_EDGE_HTTP_PORT: String(httpPort), HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: HERE,
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '1', HOSTPLANE_CERTIFICATE_LONGEST_RETRY_SECONDS: '1',
        HOSTPLANE_ACME_DIRECTORY: proxy.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile, HOSTPLANE_ACME_EMAIL: 'me@example.com', HOSTPLANE_ACME_TIMEOUT_MS: String(ANSWER_MS),
      },
    });
    root = await pebble.root();
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'shop', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
    visitor = new SteadyVisitor(async () => {
      const { status } = await visit(site.url);
      return status === 200 ? undefined : `${status}`;
    });
  });
  afterAll(async () => {
    await visitor?.leave();
    await plane?.stop();
    await proxy?.close();
    await Promise.all([pebble?.stop(), knot?.stop()]);
  });

  const certificate = async () => (await plane.api.call<CertificateView>('GET', `/domains/${NAME}/certificate`)).body;
  async function failures(): Promise<readonly Happened[]> {
    const { body } = await plane.api.call<{ items: Happened[] }>('GET', `/sites/${site.id}/events?limit=200&type=CertificateFailed`);
    return body.items;
  }
  /** The serial of what a visitor is served who trusts the authority alone. */
  async function served(): Promise<string> {
    const asked = request({ host: HERE, port: plane.edgeTlsPort, servername: NAME, headers: { host: NAME }, ca: root, checkServerIdentity: (_, peer) => checkServerIdentity(NAME, peer), agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return (response.socket as TLSSocket).getPeerCertificate().serialNumber.toLowerCase();
  }
  /** Begins something that ends with this status, while each kind of call but those meets a fault when it first comes: each ends a try, is shown and recorded with its step, its cause and the next try, and is done at that. */
  async function failsAtEachCall(begin: () => Promise<void>, isEnd: (view: CertificateView) => boolean, but: readonly string[] = []): Promise<readonly string[]> {
    const before = (await failures()).length;
    const shown = new Set<string>();
    proxy.forget();
    proxy.failEachKindOnce(ENDING, but);
    await begin();
    await comes(plane, 'it has come to its end', async () => {
      const view = await certificate();
      if (view.nextTryAt && view.lastError) shown.add(`${view.failedStep}: ${view.lastError}`);
      return isEnd(view);
    });
    const recorded = (await failures()).slice(before);
    // When to renew is a word of advice: without it there is a time of our own.
    const met = proxy.met.filter(({ kind }) => kind !== 'renewalInfo');
    for (const [i, { kind, fault }] of met.entries()) {
      const { data: { step, error, nextAt }, recordedAt } = recorded[i]!;
      expect(error).toMatch(wordsOf(kind));
      expect(error).toMatch(causeOf(kind, fault));
      expect(step).toBe(STEPS.find(([on]) => on.test(kind))?.[1] ?? step);
      expect(Date.parse(nextAt) - Date.parse(recordedAt)).toBeGreaterThan(fault === 'limits' || fault === 'is-busy' ? 1_000 * PATIENCE_SECONDS - 500 : 500);
    }
    expect(recorded.filter(({ data }) => !shown.has(`${data.step}: ${data.error}`))).toEqual([]);
    expect([recorded.length, new Set(met.map(({ kind }) => kind)).size]).toEqual([met.length, met.length]);
    return met.map(({ kind }) => kind);
  }

  it('has its site served, says at each which step failed and why, and is issued in the end, with one account', async () => {
    const { body } = await plane.api.call<{ expected: readonly { purpose: string; name: string; value: string }[] }>('POST', `/sites/${site.id}/domains`, { name: NAME });
    const token = body.expected.find(({ purpose }) => purpose === 'ownership')!;
    const kinds = await failsAtEachCall(() => knot.set('example.com', `${token.name}. TXT "${token.value}"`, `${NAME}. A ${HERE}`), ({ status }) => status === 'deployed');
    expect(kinds).toEqual([...SIGNING_IN, 'newOrder', 'authorization', 'order after newOrder', 'challenge', 'order after challenge', 'finalize', 'order after finalize', 'certificate']);
    expect([await served(), proxy.made.filter((one) => one.startsWith('newAccount'))]).toEqual([(await certificate()).serial, ['newAccount']]);
  });

  it('is renewed in the end, and until then the one before is served', async () => {
    const { serial } = await certificate();
    const tls = new SteadyVisitor(async () => void (await served()));
    const kinds = await failsAtEachCall(async () => {
      expect((await plane.api.call('POST', `/domains/${NAME}/certificate/renew`)).status).toBe(202);
    }, (view) => view.status === 'deployed' && view.serial !== serial, SIGNING_IN);
    expect(kinds).toEqual(['newOrder that replaces', 'authorization', 'order after newOrder', 'challenge', 'order after challenge', 'finalize', 'order after finalize', 'certificate']);
    expect([await tls.leave(), await served()]).toEqual([[], (await certificate()).serial]);
  });

  it('waits as long as its authority asks for, and is tried again by hand', async () => {
    const { serial } = await certificate();
    proxy.forget();
    proxy.patienceSeconds = 7_200;
    proxy.fail('newOrder that replaces', 'limits');
    const io = { out: { write: () => true }, err: { write: () => true }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
    const renew = () => run(['domain', 'certificate', 'renew', NAME], io);
    const begun = renew();
    await comes(plane, 'it waits', async () => (await certificate()).status === 'failed');
    const { nextTryAt, lastError, failedStep } = await certificate();
    expect([failedStep, lastError]).toEqual(['order', expect.stringMatching(causeOf('newOrder', 'limits'))]);
    expect(Math.round((Date.parse(nextTryAt!) - Date.now()) / 600_000)).toBe(12);
    await begun;
    expect(await renew()).toBe(0);
    await comes(plane, 'it is renewed', async () => (await certificate()).status === 'deployed' && (await certificate()).serial !== serial);
    proxy.patienceSeconds = PATIENCE_SECONDS;
  });

  it('is revoked in the end, and its site was served all the time', async () => {
    const { serial } = await certificate();
    const kinds = await failsAtEachCall(async () => {
      expect((await plane.api.call('POST', `/domains/${NAME}/certificate/revoke`, { reason: 'superseded' })).status).toBe(202);
    }, ({ status }) => status === 'revoked', SIGNING_IN);
    expect(kinds).toEqual(['revokeCert']);
    expect([await pebble.isRevoked(serial!), await visitor.leave()]).toEqual([true, []]);
  });
});
