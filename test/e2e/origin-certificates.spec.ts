import { once } from 'node:events';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkServerIdentity } from 'node:tls';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import type { SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { feed } from '../support/cloudflare-knot.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithKnot, describeWithNginx, describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';

jest.setTimeout(180_000);

interface CertificateView extends Record<string, unknown> {
  readonly status: string;
  readonly failedStep?: string;
  readonly lastError?: string;
  readonly serial?: string;
}

const HERE = '198.51.100.7';
const describeAll = (name: string, tests: () => void) => describeWithKnot(name, () => describeWithCloudflare('at Cloudflare', () => describeWithPebble('beside ACME', () => describeWithNginx('with nginx', tests))));

describeAll('certificates between a proxy and the edge', () => {
  let knot: Knot;
  let cloudflare: CloudflareStandIn;
  let pebble: Pebble;
  let plane: Plane;
  let site: SiteView;

  beforeAll(async () => {
    knot = await Knot.start('example.com', 'example.net');
    cloudflare = await CloudflareStandIn.start('example.com');
    feed(cloudflare, knot);
    pebble = await Pebble.start({ dns: knot.address, httpPort: 1 });
    plane = await startPlane({
      env: {
        HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_DNS_TIMEOUT_MS: '1000', HOSTPLANE_PUBLIC_ADDRESSES: HERE, HOSTPLANE_DNS_PROXIED: 'yes',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '3600',
        HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url, HOSTPLANE_CLOUDFLARE_TIMEOUT_MS: '5000',
        HOSTPLANE_ORIGIN_CERTIFICATES: 'cloudflare', HOSTPLANE_ORIGIN_CERTIFICATE_DAYS: '90', HOSTPLANE_ACME_CA_FILE: pebble.caFile,
      },
    });
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'shop', kind: 'static' });
    await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
    await plane.api.call('PUT', `/sites/${body.id}/content`, await tarGz({ 'index.html': 'I am the shop' }));
    site = await plane.api.site(body.id);
  });
  afterAll(async () => {
    await plane?.stop();
    await Promise.all([pebble?.stop(), knot?.stop(), cloudflare?.close()]);
    expect(cloudflare.violations).toEqual([]);
  });

  async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    let last: unknown;
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) {
      const found = await look().catch((error: unknown) => void (last = error));
      if (found) return found;
    }
    throw new Error(`Not so in time: ${what}: ${String(last)}\n${await plane.complaints()}`);
  }
  const add = async (name: string) => (await plane.api.call<{ expected: readonly { purpose: string; name: string; value: string }[] }>('POST', `/sites/${site.id}/domains`, { name })).body;
  const certified = (name: string, isSo: (one: CertificateView) => boolean = ({ status }) => status === 'deployed') => until(`the certificate of ${name}`, async () => {
    const { body } = await plane.api.call<CertificateView>('GET', `/domains/${name}/certificate`);
    return isSo(body) && body;
  });

  /** The page by HTTPS for who trusts this root alone. */
  async function visit(name: string, ca: string): Promise<string> {
    const asked = request({ host: '127.0.0.1', port: plane.edgeTlsPort, servername: name, headers: { host: name }, ca, checkServerIdentity: (_, peer) => checkServerIdentity(name, peer), agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    let text = '';
    for await (const part of response) text += String(part);
    return text;
  }

  it('come by themselves for what visitors reach by the proxy, without a proof, also when an answer is lost and the process dies', async () => {
    cloudflare.fail(/POST \/certificates/, 'hang-after', { times: 1_000 });
    await add('shop.example.com');
    await until('it is made, and nobody was told', async () => cloudflare.origin.live().length === 1);
    await plane.kill('control-plane');
    cloudflare.faults.length = 0;
    await plane.start('control-plane');
    expect(await certified('shop.example.com')).toMatchObject({ authority: 'cloudflare-origin', issuer: expect.stringContaining('Origin CA'), names: ['shop.example.com'], proof: { kind: 'none' }, renewAt: expect.any(String) });
    expect(await visit('shop.example.com', await cloudflare.origin.root())).toBe('I am the shop');
    expect([cloudflare.origin.certificates.length, cloudflare.zones.all().filter(({ name }) => name.startsWith('_acme')).length]).toEqual([1, 0]);
  });

  it('are renewed, revoked and had anew', async () => {
    const { serial } = await certified('shop.example.com');
    expect((await plane.api.call('POST', '/domains/shop.example.com/certificate/renew')).status).toBe(202);
    const renewed = await certified('shop.example.com', (one) => one.status === 'deployed' && one.serial !== serial);
    await plane.api.call('POST', '/domains/shop.example.com/certificate/revoke', { reason: 'superseded' });
    await certified('shop.example.com', ({ status }) => status === 'revoked');
    expect(cloudflare.origin.live().map(({ id }) => BigInt(id).toString(16))).toEqual([serial]);
    await until('it can be had anew', async () => (await plane.api.call('POST', '/domains/shop.example.com/certificate/renew')).status === 202);
    const anew = await certified('shop.example.com');
    expect([serial, renewed.serial]).not.toContain(anew.serial);
    expect(await visit('shop.example.com', await cloudflare.origin.root())).toBe('I am the shop');
  });

  it.each([
    ['order', /GET \/certificates/, { status: 503 }, /^Cloudflare could not list the origin certificates of example\.com: 503/],
    ['order', /GET \/certificates/, { status: 429, headers: { 'retry-after': '7200' } }, /^Cloudflare could not list the origin certificates of example\.com: 429/],
    ['issuance', /POST \/certificates/, { status: 403 }, /^Cloudflare could not issue an origin certificate for shop\.example\.com: 403.*SSL and Certificates Edit/],
    ['issuance', /POST \/certificates/, { status: 500 }, /^Cloudflare could not issue an origin certificate for shop\.example\.com: 500/],
  ] as const)('say at which step Cloudflare failed and why (%s, %s %j), are served on, and are renewed by a retry', async (failedStep, on, more, why) => {
    const { serial } = await certified('shop.example.com');
    const live = cloudflare.origin.live().length;
    cloudflare.fail(on, 'status', { ...more, times: 1_000 });
    const began = Date.now();
    expect((await plane.api.call('POST', '/domains/shop.example.com/certificate/renew')).status).toBe(202);
    const failed = await certified('shop.example.com', ({ status }) => status === 'failed');
    expect(failed).toMatchObject({ failedStep, serial, lastError: expect.stringMatching(why), nextTryAt: expect.any(String) });
    // Where Cloudflare names a time, nobody asks before it.
    expect(Date.parse(String(failed['nextTryAt'])) - began).toBeGreaterThan(more.status === 429 ? 7_190_000 : 3_590_000);
    expect([await visit('shop.example.com', await cloudflare.origin.root()), cloudflare.origin.live().length]).toEqual(['I am the shop', live]);
    cloudflare.faults.length = 0;
    expect((await plane.api.call('POST', '/domains/shop.example.com/certificate/renew')).status).toBe(202);
    const renewed = await certified('shop.example.com', (one) => one.status === 'deployed' && one.serial !== serial);
    expect([renewed.lastError, cloudflare.origin.live().length]).toEqual([undefined, live + 1]);
  });

  it('that cannot be revoked say why, and are by a retry', async () => {
    const { serial } = await certified('shop.example.com');
    cloudflare.fail(/DELETE \/certificates/, 'status', { status: 500, times: 4 });
    await plane.api.call('POST', '/domains/shop.example.com/certificate/revoke', { reason: 'superseded' });
    expect(await certified('shop.example.com', ({ failedStep }) => failedStep !== undefined)).toMatchObject({ status: 'revoking', failedStep: 'revocation', lastError: expect.stringMatching(/^Cloudflare could not revoke the origin certificate \d+: 500/), nextTryAt: expect.any(String) });
    expect(cloudflare.origin.live().map(({ id }) => BigInt(id).toString(16))).toContain(serial);
    expect((await plane.api.call('POST', '/domains/shop.example.com/certificate/revoke', { reason: 'superseded' })).status).toBe(202);
    await certified('shop.example.com', ({ status }) => status === 'revoked');
    expect(cloudflare.origin.live().map(({ id }) => BigInt(id).toString(16))).not.toContain(serial);
  });

  it('are revoked when their domain goes, also when that fails at first', async () => {
    await add('leaving.example.com');
    const { serial = '' } = await certified('leaving.example.com');
    const live = () => cloudflare.origin.live().map(({ id }) => BigInt(id).toString(16));
    expect(live()).toContain(serial);
    cloudflare.fail(/DELETE \/certificates/, 'status', { status: 500, times: 1 });
    expect((await plane.api.call('DELETE', '/domains/leaving.example.com')).status).toBe(202);
    await until('it is revoked', async () => !live().includes(serial));
    await until('nothing of it is left', async () => (await plane.api.call('GET', '/domains/leaving.example.com')).status === 404);
  });

  it('are not for a name that visitors reach without the proxy, which is told, and gets one of a public authority once there is one', async () => {
    const { expected } = await add('own.example.net');
    const token = expected.find(({ purpose }) => purpose === 'ownership')!;
    await knot.set('example.net', `${token.name}. TXT "${token.value}"`, `own.example.net. A ${HERE}`);
    const refused = await certified('own.example.net', ({ status }) => status === 'failed');
    expect(refused).toMatchObject({ failedStep: 'order', lastError: expect.stringMatching(/trusted by Cloudflare's proxy alone, and the plane sets no proxied record for own\.example\.net.*HOSTPLANE_ACME_DIRECTORY/) });

    const env = { HOSTPLANE_ORIGIN_CERTIFICATES: 'off', HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl };
    await plane.kill('control-plane');
    await plane.start('control-plane', env);
    await add('proxied.example.com');
    expect(await certified('proxied.example.com')).toMatchObject({ authority: 'acme', proof: { kind: 'dns-01' } });
    expect(await visit('proxied.example.com', await pebble.root())).toBe('I am the shop');
    await plane.api.call('POST', '/domains/own.example.net/certificate/renew');
    // Nobody answers at that address: that it was asked for by HTTP is what is seen here.
    expect(await certified('own.example.net', (one) => one.status === 'failed' && one['lastError'] !== refused['lastError'])).toMatchObject({ authority: 'acme', proof: { kind: 'http-01' }, failedStep: 'issuance' });
    await until('no proof is left', async () => cloudflare.zones.all().every(({ name }) => !name.startsWith('_acme')));
  });
});
