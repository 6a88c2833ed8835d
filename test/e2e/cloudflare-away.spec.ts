import { once } from 'node:events';
import { request } from 'node:https';
import { checkServerIdentity } from 'node:tls';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { freePort } from '../../infra/start/ports.js';
import type { SiteView } from '../support/api.js';
import { feed } from '../support/cloudflare-knot.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';
import { comes } from '../chaos/asking.js';

jest.setTimeout(180_000);

const HERE = '127.0.0.1';
/** What a call to Cloudflare has unless something else is set. */
const CALL_MS = 15_000;
/** More than are worked on at once with whoever keeps zones. */
const MANY = 9;

interface DomainView extends Record<string, unknown> {
  readonly status: string;
  readonly managed?: { readonly phase: string };
  readonly expected: readonly { readonly purpose: string; readonly name: string; readonly value: string }[];
}

describeWithPebble('while Cloudflare answers nothing', () => describeWithCloudflare('that is asked for zones', () => {
  let knot: Knot;
  let cloudflare: CloudflareStandIn;
  let pebble: Pebble;
  let plane: Plane;
  let site: SiteView;

  beforeAll(async () => {
    knot = await Knot.start('example.com', 'example.org');
    cloudflare = await CloudflareStandIn.start('example.com');
    feed(cloudflare, knot);
    const httpPort = await freePort();
    pebble = await Pebble.start({ dns: knot.address, httpPort });
    plane = await startPlane({
      env: {
        HOSTPLANE_EDGE: 'embedded', HOSTPLANE_EDGE_HTTP_PORT: String(httpPort), HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: HERE,
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '2',
        HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url, HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile,
      },
    });
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'shop', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
  });
  afterAll(async () => {
    await plane?.stop();
    await Promise.all([pebble?.stop(), knot?.stop(), cloudflare?.close()]);
    expect(cloudflare.violations).toEqual([]);
  });

  const show = async (name: string) => (await plane.api.call<DomainView>('GET', `/domains/${name}`)).body;
  const certificate = async (name: string) => (await plane.api.call<{ status: string; serial?: string }>('GET', `/domains/${name}/certificate`)).body;
  const isDeployed = (name: string, withinMs: number) => comes(plane, `the certificate of ${name} is deployed`, async () => (await certificate(name)).status === 'deployed', withinMs);
  async function add(name: string): Promise<DomainView> {
    const { status, body } = await plane.api.call<DomainView>('POST', `/sites/${site.id}/domains`, { name });
    expect(status).toBe(202);
    return body;
  }
  async function addOwn(name: string): Promise<void> {
    const token = (await add(name)).expected.find(({ purpose }) => purpose === 'ownership')!;
    await knot.set('example.org', `${token.name}. TXT "${token.value}"`, `${name}. A ${HERE}`);
  }
  async function visitTls(name: string): Promise<number | undefined> {
    const asked = request({ host: HERE, port: plane.edgeTlsPort, servername: name, headers: { host: name }, ca: await pebble.root(), checkServerIdentity: (_, peer) => checkServerIdentity(name, peer), agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return response.statusCode;
  }
  const names = Array.from({ length: MANY }, (_, i) => `n${i}.example.com`);

  it('a domain of another zone gets its certificate, also while many of its own zone wait', async () => {
    for (const name of names) await add(name);
    for (const name of names) await isDeployed(name, 60_000);
    cloudflare.fail(/./, 'hang-after', { times: 100_000 });
    for (const name of names) expect((await plane.api.call('POST', `/domains/${name}/certificate/renew`)).status).toBe(202);
    let seen: readonly { readonly status: string }[] = [];
    await comes(plane, () => `all of them are about to be proven, not ${JSON.stringify(seen)}`, async () => {
      seen = await Promise.all(names.map(certificate));
      return seen.every(({ status }) => status === 'renewing' || status === 'failed');
    });
    // The next process knows no zone yet.
    await plane.crash('control-plane');
    await addOwn('own.example.org');
    await isDeployed('own.example.org', 30_000);
    expect([await visitTls('own.example.org'), await visitTls(names[0]!)]).toEqual([200, 200]);
    expect((await show('own.example.org')).status).toBe('active');
  });

  it('a domain of its own zone says what is waited for and why, and comes when it answers again', async () => {
    await add('late.example.com');
    await comes(plane, 'it says why', async () => (await show('late.example.com'))['lastError'] !== undefined);
    expect(await show('late.example.com')).toMatchObject({
      status: 'pending', failedStep: 'records', managed: { phase: 'setting' }, nextCheckAt: expect.any(String),
      lastError: expect.stringMatching(/^The records could not be set\. Whether \S*late\.example\.com is in a zone of this plane could not be found out within 5 s\. It is tried again/),
    });
    cloudflare.faults.length = 0;
    await comes(plane, 'it is active with records of ours', async () => {
      const { status, managed } = await show('late.example.com');
      return status === 'active' && managed?.phase === 'set';
    });
    await isDeployed('late.example.com', 60_000);
    for (const name of names) await isDeployed(name, 60_000);
  });

  it('a domain whose records are not answered for says so after the time of one call, and comes when they are', async () => {
    cloudflare.fail(/dns_records/, 'hang-before', { times: 100_000 });
    const begun = Date.now();
    await add('slow.example.com');
    await comes(plane, 'it says why', async () => (await show('slow.example.com'))['lastError'] !== undefined);
    expect(Date.now() - begun).toBeLessThan(2 * CALL_MS);
    expect(await show('slow.example.com')).toMatchObject({ status: 'pending', failedStep: 'records', nextCheckAt: expect.any(String), lastError: expect.stringMatching(/^The records could not be set\. Cloudflare does not answer \(nothing within 15 s\) when it is to look at the records of \S*slow\.example\.com/) });
    cloudflare.faults.length = 0;
    await isDeployed('slow.example.com', 60_000);
  });

  it('it is found out later whether the records of what went on without are ours to set: they are not', async () => {
    await comes(plane, 'it is known', async () => (await show('own.example.org')).managed === undefined);
    expect(await show('own.example.org')).toMatchObject({ status: 'active' });
    expect((await plane.api.call('DELETE', '/domains/own.example.org')).status).toBe(202);
    await comes(plane, 'it is gone', async () => (await plane.api.call('GET', '/domains/own.example.org')).status === 404);
  });

  it('a domain that a tunnel is to lead here says so after the time of one call, keeps no site waiting, and comes when Cloudflare answers', async () => {
    const tunnel = cloudflare.tunnels.add();
    const env = { HOSTPLANE_TUNNEL: 'cloudflare', HOSTPLANE_TUNNEL_ID: tunnel.id, HOSTPLANE_TUNNEL_ACCOUNT_ID: tunnel.accountId, HOSTPLANE_TUNNEL_API_TOKEN: CLOUDFLARE_TOKEN };
    for (const part of ['provisioner', 'control-plane'] as const) {
      await plane.kill(part);
      await plane.start(part, env);
    }
    const launched = async (name: string) => plane.api.settled((await plane.api.call<SiteView>('POST', '/sites', { name, kind: 'static' })).body.id, ['ACTIVE', 'FAILED']);
    expect((await launched('before')).status).toBe('ACTIVE');

    cloudflare.fail(/cfd_tunnel/, 'hang-before', { times: 100_000 });
    const begun = Date.now();
    await add('behind.example.com');
    await comes(plane, 'it says why', async () => (await show('behind.example.com'))['lastError'] !== undefined);
    expect(Date.now() - begun).toBeLessThan(2 * CALL_MS);
    expect(await show('behind.example.com')).toMatchObject({ status: 'routing', failedStep: 'tunnel', lastError: expect.stringMatching(/^The tunnel \S+ could not be changed\. Cloudflare does not answer \(nothing within 15 s\) when it is to look at the configuration/) });
    cloudflare.faults.length = 0;
    await comes(plane, 'it is active', async () => (await show('behind.example.com')).status === 'active', 60_000);
    const { tunnel: leadsHere, lastError, failedStep } = await show('behind.example.com');
    expect([leadsHere, lastError, failedStep]).toEqual([tunnel.id, undefined, undefined]);

    cloudflare.fail(/cfd_tunnel/, 'hang-before', { times: 100_000 });
    expect((await launched('meanwhile')).status).toBe('ACTIVE');
    cloudflare.faults.length = 0;
  });
}));
