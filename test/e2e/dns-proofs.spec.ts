import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { run } from '../../apps/cli/program.js';
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
  readonly proof?: { readonly kind: string; readonly records?: readonly { readonly name: string }[]; readonly found?: readonly { readonly values: readonly string[] }[]; readonly removalError?: string };
}

const BASE = 'apps.example.org';
const WILDCARD = '/edge/certificate';
/** Nothing listens there: what is proven by HTTP cannot be. */
const NOBODY = '127.0.0.9';

const describeAll = (name: string, tests: () => void) => describeWithKnot(name, () => describeWithCloudflare('at Cloudflare', () => describeWithPebble('by ACME', () => describeWithNginx('with nginx', tests))));

describeAll('certificates that a TXT record proves', () => {
  let knot: Knot;
  let pebble: Pebble;
  let cloudflare: CloudflareStandIn;
  let plane: Plane;
  let root: string;
  const sites = new Map<string, SiteView>();

  beforeAll(async () => {
    knot = await Knot.start('example.com', 'example.org');
    cloudflare = await CloudflareStandIn.start('example.com', 'example.org');
    feed(cloudflare, knot);
    pebble = await Pebble.start({ dns: knot.address, httpPort: 1, blocked: ['blocked.example.com'] });
    plane = await startPlane({
      env: {
        HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', HOSTPLANE_BASE_DOMAIN: BASE, HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_DNS_TIMEOUT_MS: '1000', HOSTPLANE_PUBLIC_ADDRESSES: NOBODY,
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '3600', HOSTPLANE_CERTIFICATE_PROOF_DEADLINE_SECONDS: '4',
        HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url, HOSTPLANE_CLOUDFLARE_TIMEOUT_MS: '5000',
        HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile, HOSTPLANE_ACME_EMAIL: 'me@example.com',
      },
    });
    root = await pebble.root();
    for (const name of ['shop', 'blog']) sites.set(name, await liveSite(name));
  });
  afterAll(async () => {
    await plane?.stop();
    await Promise.all([pebble?.stop(), knot?.stop(), cloudflare?.close()]);
    expect(cloudflare.violations).toEqual([]);
  });

  async function liveSite(name: string): Promise<SiteView> {
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name, kind: 'static' });
    await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
    await plane.api.call('PUT', `/sites/${body.id}/content`, await tarGz({ 'index.html': `I am ${name}` }));
    return plane.api.site(body.id);
  }
  async function until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    let last: unknown;
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) {
      const found = await look().catch((error: unknown) => void (last = error));
      if (found) return found;
    }
    throw new Error(`Not so in time: ${what}: ${String(last)}\n${await plane.complaints()}`);
  }
  const add = (name: string, site = 'shop') => plane.api.call('POST', `/sites/${sites.get(site)!.id}/domains`, { name });
  const show = async (name: string): Promise<CertificateView> => (await plane.api.call<CertificateView>('GET', `/domains/${name}/certificate`)).body;
  const certified = (name: string, isSo: (one: CertificateView) => boolean = ({ status }) => status === 'deployed') => until(`the certificate of ${name}`, async () => {
    const one = await show(name);
    return isSo(one) && one;
  });
  const txt = (prefix = '_acme-challenge.') => cloudflare.zones.all().filter(({ type, name }) => type === 'TXT' && name.startsWith(prefix)).map(({ name }) => name);
  const proofsGone = () => until('no record of a proof is left', async () => txt().length === 0);
  const eventsOf = async (site: string, type: string) => (await plane.api.call<{ items: { data: Record<string, unknown> }[] }>('GET', `/sites/${sites.get(site)!.id}/events?limit=200&type=${type}`)).body.items;

  /** The page by HTTPS as a visitor gets it who trusts the authority alone. */
  async function visit(name: string): Promise<{ text: string; names: string }> {
    const asked = request({ host: '127.0.0.1', port: plane.edgeTlsPort, servername: name, headers: { host: name }, ca: root, checkServerIdentity: (_, peer) => checkServerIdentity(name, peer), agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    const names = (response.socket as TLSSocket).getPeerCertificate().subjectaltname ?? '';
    let text = '';
    for await (const part of response) text += String(part);
    return { text, names };
  }

  it('come for the base domain: each site has HTTPS at once, by a certificate that is the plane’s own', async () => {
    const own = await until('the hosts serve the wildcard', async () => {
      const { body } = await plane.api.call<CertificateView>('GET', WILDCARD);
      return body.status === 'deployed' && body;
    });
    expect(own).toMatchObject({ domain: BASE, names: expect.arrayContaining([BASE, `*.${BASE}`]), authority: 'acme', issuer: expect.stringContaining('Pebble'), renewAt: expect.any(String), proof: { kind: 'dns-01' }, hosts: [{ hostId: 'local', status: 'deployed' }] });
    for (const name of ['shop', 'blog']) expect(await visit(`${name}.${BASE}`)).toMatchObject({ text: `I am ${name}`, names: expect.stringContaining(`DNS:*.${BASE}`) });
    expect((await plane.api.site(sites.get('blog')!.id)).url).toBe(`https://blog.${BASE}:${plane.edgeTlsPort}`);
    sites.set('late', await liveSite('late'));
    expect((await visit(`late.${BASE}`)).text).toBe('I am late');
    await proofsGone();

    expect((await plane.api.call('GET', '/edge')).body).toMatchObject({ isServed: true, text: expect.stringContaining(`"*.${BASE}"`) });

    const { body: made } = await plane.api.call('POST', '/tokens', { name: 'ann', scopes: ['write'], owner: 'ann' });
    const ann = plane.api.as(String(made['token']));
    expect([(await ann.call('GET', WILDCARD)).status, (await ann.call('POST', `${WILDCARD}/revoke`)).status]).toEqual([403, 403]);
    expect((await plane.api.call<{ items: unknown[] }>('GET', '/certificates?all=true')).body.items).toEqual([]);
  });

  it('of the base domain are renewed with another key, lost and brought back, revoked and had anew', async () => {
    const out: string[] = [];
    const cli = (...args: string[]) => {
      out.length = 0;
      const write = (text: string) => out.push(text);
      return run(['edge', 'certificate', ...args], { out: { write }, err: { write }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } });
    };
    const serial = async () => String((await plane.api.call('GET', WILDCARD)).body['serial']);
    const before = await serial();
    expect([await cli('renew', '--new-key'), out.join('')]).toEqual([0, expect.stringMatching(/apps\.example\.org: deployed[^]*Hosts[^]*local +deployed/)]);
    expect(await serial()).not.toBe(before);
    expect((await visit(`blog.${BASE}`)).text).toBe('I am blog');

    await plane.halt('provisioner');
    rmSync(join(plane.folder, 'edge', 'tls'), { recursive: true });
    await plane.start('provisioner');
    await until('it is brought back from the vault', async () => (await visit(`blog.${BASE}`)).text === 'I am blog');

    const revoked = await serial();
    expect([await cli('revoke', '--reason', 'superseded'), await pebble.isRevoked(revoked)]).toEqual([0, true]);
    await until('no host serves it', () => visit(`blog.${BASE}`).then(() => false, () => true));
    await until('the URL says so', async () => (await plane.api.site(sites.get('blog')!.id)).url.startsWith('http://'));
    expect(await cli('renew')).toBe(0);
    expect((await visit(`blog.${BASE}`)).text).toBe('I am blog');
    await proofsGone();
  });

  it.each([[403, /403.*HOSTPLANE_CLOUDFLARE_API_TOKEN/], [503, /503/]])('of the base domain whose zone answers %s say the step and the reason, are served on, and are renewed by a retry', async (status, why) => {
    const show = async () => (await plane.api.call<CertificateView>('GET', WILDCARD)).body;
    const { serial } = (await show()) as { serial?: string };
    cloudflare.fail(/POST .*dns_records/, 'status', { status, times: 1_000 });
    expect((await plane.api.call('POST', `${WILDCARD}/renew`)).status).toBe(202);
    const failed = await until('it says so', async () => {
      const one = await show();
      return one.status === 'failed' && one;
    });
    expect(failed).toMatchObject({ failedStep: 'proof', lastError: expect.stringMatching(/^Cloudflare could not set the TXT record _acme-challenge\.apps\.example\.org: /), serial, hosts: [{ status: 'deployed' }] });
    expect([failed.lastError, (await visit(`blog.${BASE}`)).text]).toEqual([expect.stringMatching(why), 'I am blog']);
    cloudflare.faults.length = 0;
    expect((await plane.api.call('POST', `${WILDCARD}/renew`)).status).toBe(202);
    await until('it is renewed', async () => {
      const one = await show();
      return one.status === 'deployed' && one['serial'] !== serial;
    });
    await proofsGone();
  });

  it('come for a domain that no visitor reaches by HTTP, are served, and leave no record behind', async () => {
    const foreign = cloudflare.zones.plant({ type: 'TXT', name: '_acme-challenge.shop.example.com', content: '"of somebody else"' });
    await add('shop.example.com');
    expect(await certified('shop.example.com')).toMatchObject({ authority: 'acme', issuer: expect.stringContaining('Pebble'), proof: { kind: 'dns-01' } });
    expect((await visit('shop.example.com')).text).toBe('I am shop');
    await until('its own record is gone', async () => !(await show('shop.example.com')).proof?.records);
    expect(cloudflare.zones.all().filter(({ name }) => name.startsWith('_acme')).map(({ id }) => id)).toEqual([foreign.id]);
    cloudflare.zones.withdraw(foreign);
    const [ordered] = await eventsOf('shop', 'CertificateOrdered');
    expect(ordered!.data).toMatchObject({ proof: 'dns-01', turn: 0, deadlineAt: expect.any(String), proofs: [{ type: 'dns-01', token: '_acme-challenge.shop.example.com' }] });
  });

  it('wait for what the DNS shows, say what is expected and found, and are given up at the deadline with nothing left, also after a kill', async () => {
    const { onChange } = cloudflare.zones;
    // The zone takes the records, and its name servers do not know them yet.
    cloudflare.zones.onChange = async (zone) => onChange({ ...zone, records: new Map([...zone.records].filter(([, { name }]) => !name.startsWith('_acme'))) });
    await add('late.example.com');
    const waiting = await certified('late.example.com', ({ proof }) => proof?.found !== undefined);
    expect(waiting).toMatchObject({ status: 'issuing', lastError: expect.stringMatching(/TXT record _acme-challenge\.late\.example\.com with the value \S+ cannot be seen.*0 of 1 resolvers.*say 127\.0\.0\.1:\d+: nothing/), proof: { looks: expect.any(Number), deadlineAt: expect.any(String), records: [{ type: 'TXT' }] } });
    expect(txt()).toEqual(['_acme-challenge.late.example.com']);
    await plane.crash('control-plane');
    expect(await certified('late.example.com', ({ status }) => status === 'failed')).toMatchObject({ failedStep: 'proof', lastError: expect.stringContaining('cannot be seen'), nextTryAt: expect.any(String) });
    await proofsGone();
    cloudflare.zones.onChange = onChange;
    expect((await plane.api.call('POST', '/domains/late.example.com/certificate/renew')).status).toBe(202);
    await certified('late.example.com');
    await proofsGone();
  });

  it('that the authority or the zone refuses say which and why, leave nothing behind, and are had by a retry', async () => {
    await add('blocked.example.com');
    expect(await certified('blocked.example.com', ({ status }) => status === 'failed')).toMatchObject({ failedStep: 'order', lastError: expect.stringContaining('rejectedIdentifier'), proof: { kind: 'dns-01' } });
    await add('refused.example.com', 'blog');
    await certified('refused.example.com');
    cloudflare.fail(/POST .*dns_records/, 'status', { status: 403, times: 1_000 });
    await plane.api.call('POST', '/domains/refused.example.com/certificate/renew');
    expect(await certified('refused.example.com', ({ status }) => status === 'failed')).toMatchObject({ failedStep: 'proof', lastError: expect.stringMatching(/could not set the TXT record _acme-challenge\.refused\.example\.com: 403.*HOSTPLANE_CLOUDFLARE_API_TOKEN/) });
    expect((await visit('refused.example.com')).text).toBe('I am blog');
    cloudflare.faults.length = 0;
    await plane.api.call('POST', '/domains/refused.example.com/certificate/renew');
    await certified('refused.example.com');
    await proofsGone();
  });

  it('have their records removed later when the zone does not let go of them, though the domain is given up', async () => {
    cloudflare.fail(/DELETE .*dns_records/, 'status', { status: 403, times: 3 });
    await add('stuck.example.com');
    await certified('stuck.example.com');
    expect(await certified('stuck.example.com', ({ proof }) => proof?.removalError !== undefined)).toMatchObject({ status: 'deployed', proof: { removalError: expect.stringContaining('403'), records: [{ name: '_acme-challenge.stuck.example.com' }] } });
    await plane.api.call('DELETE', '/domains/stuck.example.com');
    await proofsGone();
    await until('the domain is gone', async () => (await plane.api.call('GET', '/domains/stuck.example.com')).status === 404);
    expect(txt('_hostplane-challenge.stuck')).toEqual([]);
  });
});
