import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { comes } from '../chaos/asking.js';
import { run } from '../../apps/cli/program.js';
import { visit, type Api, type Reply, type SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { feed } from '../support/cloudflare-knot.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn, type CloudflareFault } from '../support/cloudflare-stand-in.js';
import { describeWithKnot } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { startPlane, type Plane } from '../support/plane.js';
import { freePort } from '../../infra/start/ports.js';

jest.setTimeout(300_000);

interface DomainView extends Record<string, unknown> {
  readonly name: string;
  readonly status: string;
  readonly managed?: { readonly phase: string; readonly records: readonly { readonly type: string; readonly name: string; readonly value: string }[] };
  readonly failedStep?: string;
  readonly lastError?: string;
}

const HERE = '198.51.100.7';
const FOREIGN = { type: 'A', name: 'mail.example.com', content: '192.0.2.25' };

describeWithKnot('domains in a zone that the plane keeps', () => describeWithCloudflare('at Cloudflare', () => {
  let plane: Plane;
  let knot: Knot;
  let cloudflare: CloudflareStandIn;
  let site: SiteView;

  beforeAll(async () => {
    knot = await Knot.start('example.com', 'example.org');
    cloudflare = await CloudflareStandIn.start('example.com');
    feed(cloudflare, knot);
    cloudflare.zones.plant(FOREIGN);
    plane = await startPlane({
      env: {
        HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: HERE, HOSTPLANE_DNS_TIMEOUT_MS: '1000',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_DEADLINE_SECONDS: '150',
        HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url, HOSTPLANE_CLOUDFLARE_TIMEOUT_MS: '5000',
      },
    });
    site = await liveSite(plane.api, 'shop');
  });
  afterAll(async () => {
    await plane?.stop();
    await Promise.all([knot?.stop(), cloudflare?.close()]);
    expect(cloudflare.violations).toEqual([]);
  });

  async function liveSite(api: Api, name: string): Promise<SiteView> {
    const { body } = await api.call<SiteView>('POST', '/sites', { name, kind: 'static' });
    await api.settled(body.id, ['ACTIVE', 'FAILED']);
    await api.call('PUT', `/sites/${body.id}/content`, await tarGz({ 'index.html': `I am ${name}` }));
    return api.site(body.id);
  }
  const add = (name: string, api = plane.api, to = site): Promise<Reply<DomainView>> => api.call<DomainView>('POST', `/sites/${to.id}/domains`, { name });
  const edge = (host: string) => visit(`http://127.0.0.1:${plane.edgePort}/`, { host: `${host}:${plane.edgePort}` });
  /** The edge is asked to let go while the records are removed: neither waits for the other. */
  async function letsGoOf(host: string): Promise<void> {
    let status = 0;
    for (const end = Date.now() + 30_000; status !== 404 && Date.now() < end; await sleep(50)) ({ status } = await edge(host));
    expect(status).toBe(404);
  }
  const records = () => cloudflare.zones.all().map(({ type, name, content }) => `${type} ${name} ${content}`).sort();
  const foreign = `A ${FOREIGN.name} ${FOREIGN.content}`;

  async function until(name: string, isSo: (domain: DomainView) => boolean): Promise<DomainView> {
    let last: Reply<DomainView> | undefined;
    for (const end = Date.now() + 120_000; Date.now() < end; await sleep(50)) {
      last = await plane.api.call<DomainView>('GET', `/domains/${name}`);
      if (isSo(last.status === 404 ? { name, status: 'removed' } : last.body)) return last.body;
    }
    throw new Error(`It never came so with ${name}: ${JSON.stringify(last?.body)}\n${await plane.complaints()}`);
  }
  const reaches = (name: string, status: string) => until(name, (domain) => domain.status === status);
  async function removed(name: string): Promise<void> {
    expect((await plane.api.call('DELETE', `/domains/${name}`)).status).toBe(202);
    await reaches(name, 'removed');
  }

  it('are set up by the plane for whoever runs it, served, and taken away whole', async () => {
    const added = await add('shop.example.com');
    expect([added.status, added.body.managed]).toMatchObject([202, { records: [{ type: 'TXT', name: '_hostplane-challenge.shop.example.com' }, { type: 'A', value: HERE }] }]);
    const active = await reaches('shop.example.com', 'active');
    const [token] = active.managed!.records;
    expect([active, records()]).toMatchObject([{ managed: { phase: 'set' }, owned: true, pointsHere: true }, [foreign, `A shop.example.com ${HERE}`, `TXT ${token!.name} "${token!.value}"`]]);
    expect(cloudflare.zones.all().filter(({ comment }) => comment?.startsWith('Hostplane ')).length).toBe(2);
    expect((await edge('shop.example.com')).body).toBe('I am shop');
    const { body: events } = await plane.api.call<{ items: { type: string }[] }>('GET', `/sites/${site.id}/events?limit=200`);
    expect(events.items.length).toBeGreaterThan(0);

    await removed('shop.example.com');
    expect([(await edge('shop.example.com')).status, records()]).toEqual([404, [foreign]]);
  });

  it('are nobody\'s for that: a member proves a name like any other, and a zone of somebody else is left to its owner', async () => {
    const { body } = await plane.api.call('POST', '/tokens', { name: 'ann', scopes: ['write'], owner: 'ann' });
    const ann = plane.api.as(String(body['token']));
    const theirs = await liveSite(ann, 'hers');
    const added = await add('ann.example.com', ann, theirs);
    expect([added.status, added.body.managed]).toEqual([202, undefined]);
    expect((await add('own.example.org')).status).toBe(202);
    const left = await until('own.example.org', ({ managed, checks }) => managed === undefined && Number(checks) > 0);
    expect([left.status, records()]).toEqual(['pending', [foreign]]);
    await ann.call('DELETE', '/domains/ann.example.com');
    await removed('own.example.org');
  });

  it.each([
    ['asks for patience', 'status', { status: 429, headers: { 'retry-after': '1' } }],
    ['fails', 'status', { status: 503 }],
    ['does what it is asked and loses the answer', 'hang-after', {}],
    ['does what it is asked and answers 502', 'status-after', { status: 502 }],
  ] as const)('come and go just the same when Cloudflare once at each call %s', async (what, kind: CloudflareFault['kind'], more) => {
    const name = `${what.replaceAll(' ', '-').slice(0, 30).replace(/-$/, '')}.example.com`;
    const calls = [/GET .*dns_records/, /POST .*dns_records/, /DELETE .*dns_records/];
    cloudflare.faults.length = 0;
    for (const on of calls) cloudflare.fail(on, kind, more);
    await add(name);
    const { managed } = await reaches(name, 'active');
    expect(records()).toEqual([foreign, `A ${name} ${HERE}`, `TXT ${managed!.records[0]!.name} "${managed!.records[0]!.value}"`].sort());
    await removed(name);
    expect([records(), cloudflare.faults.map(({ times }) => times)]).toEqual([[foreign], [0, 0, 0]]);
  });

  it('fail with the step and the reason when a call fails for good, leave nothing behind, and are set up by a retry', async () => {
    const rival = cloudflare.zones.plant({ type: 'CNAME', name: 'taken.example.com', content: 'elsewhere.example.net' });
    await add('taken.example.com');
    const failed = await until('taken.example.com', ({ status, managed }) => status === 'failed' && managed?.phase === 'none');
    expect(failed).toMatchObject({ failedStep: 'records', lastError: expect.stringMatching(/could not be set\. The A record taken\.example\.com .* there is a record CNAME to elsewhere\.example\.net, this plane did not make it/) });
    expect(records()).toEqual([foreign, 'CNAME taken.example.com elsewhere.example.net']);
    expect((await visit(site.url)).status).toBe(200);
    cloudflare.zones.withdraw(rival);
    expect((await plane.api.call('POST', '/domains/taken.example.com/check')).body).toMatchObject({ status: 'pending' });
    await reaches('taken.example.com', 'active');

    cloudflare.fail(/DELETE/, 'status', { status: 403, times: 1_000 });
    await plane.api.call('DELETE', '/domains/taken.example.com');
    const stuck = await until('taken.example.com', ({ lastError }) => lastError !== undefined);
    expect(stuck).toMatchObject({ status: 'removing', failedStep: 'records', managed: { phase: 'removing' }, lastError: expect.stringMatching(/could not be removed\. Cloudflare could not remove the A record taken\.example\.com: 403/) });
    expect((await edge('taken.example.com')).status).toBe(404);
    cloudflare.faults.length = 0;
    await plane.api.call('POST', '/domains/taken.example.com/check');
    await reaches('taken.example.com', 'removed');
    expect(records()).toEqual([foreign]);
  });

  it('are taken away with their site, and the CLI says what the plane sets', async () => {
    const [out, err]: [string[], string[]] = [[], []];
    const io = { out: { write: (text: string) => out.push(text) }, err: { write: (text: string) => err.push(text) }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
    const other = await liveSite(plane.api, 'second');
    expect(await run(['domain', 'add', 'second', 'with.example.com'], io)).toBe(0);
    expect(err.join('')).toMatch(/This plane sets these records itself[^]*_hostplane-challenge\.with\.example\.com/);
    expect(out.join('')).toMatch(/Records by us +set/);
    await plane.api.call('DELETE', `/sites/${other.id}`);
    await plane.api.settled(other.id, ['DESTROYED']);
    await reaches('with.example.com', 'removed');
    expect(records()).toEqual([foreign]);
  });

  it('lead to a tunnel where there is one, are active when it knows them, and fail with that step when it does not come up', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostplane-tunnel-'));
    const credentials = join(folder, 'credentials.json');
    const [id, front, metrics] = ['f70ff985-a4ef-4643-bbbc-4a0ed4fc8415', await freePort(), await freePort()];
    writeFileSync(credentials, '{}');
    const env = {
      HOSTPLANE_TUNNEL: 'local', HOSTPLANE_TUNNEL_ID: id, HOSTPLANE_TUNNEL_CREDENTIALS: credentials, HOSTPLANE_TUNNEL_METRICS: `127.0.0.1:${metrics}`, CLOUDFLARED_FRONT: String(front),
      HOSTPLANE_TUNNEL_COMMAND: `${process.execPath} ${resolve(import.meta.dirname, '../support/cloudflared-stand-in.mjs')}`,
    };
    for (const part of ['provisioner', 'control-plane'] as const) {
      await plane.kill(part);
      await plane.start(part, env);
    }
    const through = (host: string, headers: Record<string, string> = {}) => visit(`http://127.0.0.1:${front}/`, { host, ...headers });
    await add('far.example.com');
    const active = await reaches('far.example.com', 'active');
    expect(active).toMatchObject({ tunnel: id, managed: { phase: 'set', records: [{ type: 'TXT' }, { type: 'CNAME', value: `${id}.cfargotunnel.com`, proxied: true }] } });
    expect([(await through('far.example.com')).body, (await through('other.example.com')).status]).toEqual(['I am shop', 404]);
    // Who comes is known, though all come from cloudflared.
    const rules = (deny: string[]) => plane.api.call<{ status: string }>('PATCH', `/sites/${site.id}/edge`, { deny });
    await rules(['198.51.100.66']);
    await comes(plane, 'the edge follows', async () => (await plane.api.call('GET', `/sites/${site.id}/edge`)).body['status'] === 'served');
    const from = async (address: string) => (await through('far.example.com', { 'x-forwarded-for': address })).status;
    expect([await from('198.51.100.66'), await from('198.51.100.67')]).toEqual([403, 200]);
    await rules([]);

    rmSync(credentials);
    await add('late.example.com');
    const failed = await until('late.example.com', ({ status, managed }) => status === 'failed' && managed?.phase === 'none');
    expect(failed).toMatchObject({ failedStep: 'tunnel', lastError: expect.stringMatching(/The tunnel f70ff985.* could not be changed\. cloudflared does not take .*credentials file/) });
    await letsGoOf('late.example.com');
    writeFileSync(credentials, '{}');
    await plane.api.call('POST', '/domains/late.example.com/check');
    await reaches('late.example.com', 'active');
    expect([(await through('late.example.com')).body, (await through('far.example.com')).body]).toEqual(['I am shop', 'I am shop']);

    await removed('far.example.com');
    expect((await through('far.example.com')).status).toBe(404);
    await removed('late.example.com');
    expect(records()).toEqual([foreign]);
    await plane.stop();
    await expect(through('late.example.com')).rejects.toThrow(/ECONNREFUSED/);
    rmSync(folder, { recursive: true });
  });
}));
