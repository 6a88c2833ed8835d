import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { visit, type SiteView } from '../support/api.js';
import { feed } from '../support/cloudflare-knot.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithKnot, describeWithNginx } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { startPlane, type Plane } from '../support/plane.js';
import { ask, comes } from './asking.js';
import { Faults } from './faults.js';
import { SteadyVisitor } from './steady-visitor.js';
import { TwiceTold, type Phase } from './twice-told.js';

jest.setTimeout(400_000);

interface CertificateView extends Record<string, unknown> {
  readonly status: string;
  readonly serial?: string;
}

describeWithKnot('a certificate for a proxy alone', () => describeWithCloudflare('of Cloudflare', () => describeWithNginx('killed at each step', () => {
  const faults = new Faults();
  let knot: Knot;
  let cloudflare: CloudflareStandIn;
  let plane: Plane;
  let log: pg.Pool;
  let root: string;
  let site: SiteView;
  let visitor: SteadyVisitor;
  let name = '';
  let serial = '';

  beforeAll(async () => {
    knot = await Knot.start('example.com');
    cloudflare = await CloudflareStandIn.start('example.com');
    feed(cloudflare, knot);
    root = await cloudflare.origin.root();
    plane = await startPlane({
      env: {
        ...faults.env, HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: '198.51.100.7', HOSTPLANE_DNS_PROXIED: 'yes', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DELIVERIES: '100',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '3600',
        HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url, HOSTPLANE_ORIGIN_CERTIFICATES: 'cloudflare',
      },
    });
    log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
    log.on('error', () => undefined);
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
    visitor = new SteadyVisitor(async () => {
      const { status } = await visit(site.url);
      return status === 200 ? undefined : `${status}`;
    });
  });
  afterAll(async () => {
    const failed = await visitor?.leave();
    await log?.end();
    await plane?.stop();
    await Promise.all([knot?.stop(), cloudflare?.close()]);
    faults.remove();
    expect([failed, cloudflare.violations]).toEqual([[], []]);
  });

  const certificate = async () => (await ask<CertificateView>(plane, 'GET', `/domains/${name}/certificate`)).body;
  const files = () => readdirSync(join(plane.folder, 'edge', 'tls'));
  const keys = async () => (await ask<{ items: { name: string }[] }>(plane, 'GET', `/projects/${String(site['projectId'])}/secrets?limit=200`)).body.items.filter((one) => one.name.startsWith('certificate/')).length;
  /** The serial number that the proxy is served, which trusts Cloudflare's authority alone. */
  async function served(): Promise<string> {
    const asked = request({ host: '127.0.0.1', port: plane.edgeTlsPort, servername: name, headers: { host: name }, ca: root, checkServerIdentity: (_, peer) => checkServerIdentity(name, peer), agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return response.statusCode === 200 ? (response.socket as TLSSocket).getPeerCertificate().serialNumber.toLowerCase() : '';
  }
  const live = () => cloudflare.origin.live().map(({ id }) => BigInt(id).toString(16));
  /** Another certificate than before is recorded, served and known to Cloudflare, and one key is kept. */
  async function deployed(): Promise<void> {
    const before = serial;
    await comes(plane, `another certificate of ${name} is deployed`, async () => {
      const { status, serial: now } = await certificate();
      return status === 'deployed' && now !== undefined && now !== before;
    }, 150_000);
    serial = (await certificate()).serial!;
    await comes(plane, 'it is served', async () => (await served()) === serial);
    await comes(plane, 'one key is kept', async () => (await keys()) === 1);
    expect([files().length, live()]).toEqual([1, expect.arrayContaining([serial])]);
  }
  async function renewed(newKey: boolean): Promise<void> {
    await comes(plane, 'it can be renewed', async () => (await ask(plane, 'POST', `/domains/${name}/certificate/renew`, { newKey })).status === 202);
    await deployed();
  }

  const phases: readonly Phase[] = [
    { name: 'its issuance', run: async () => {
      expect((await ask(plane, 'POST', `/sites/${site.id}/domains`, { name })).status).toBe(202);
      await deployed();
    } },
    { name: 'its renewal', again: /^(certificate:(ordered|issued)$|cloudflare:)/, run: async () => {
      const proxy = new SteadyVisitor(async () => ((await served()) === '' ? 'no page by HTTPS' : undefined));
      await renewed(false);
      expect(await proxy.leave()).toEqual([]);
    } },
    { name: 'its renewal with another key', run: () => renewed(true) },
    { name: 'its revocation', run: async () => {
      expect((await ask(plane, 'POST', `/domains/${name}/certificate/revoke`, { reason: 'superseded' })).status).toBe(202);
      await comes(plane, 'nothing of it is here', async () => (await certificate()).status === 'revoked' && files().length === 0 && (await keys()) === 0, 150_000);
      expect(live()).not.toContain(serial);
      await expect(served()).rejects.toThrow(/self-signed|issuer/);
    } },
    { name: 'another one', again: /^cloudflare:/, run: () => renewed(false) },
    { name: 'its removal with its domain', again: /^cloudflare:/, run: async () => {
      expect((await ask(plane, 'DELETE', `/domains/${name}`)).status).toBe(202);
      await comes(plane, 'nothing of it is left', async () => (await plane.api.call('GET', `/domains/${name}`)).status === 404 && files().length === 0 && (await keys()) === 0, 150_000);
      expect([cloudflare.zones.all(), live().includes(serial)]).toEqual([[], false]);
    } },
  ];

  /** What was recorded of certificates, and how many more Cloudflare has: all that it ever made, and those that are good. */
  async function count() {
    const since = Number((await log.query<{ max: string }>('SELECT max(seq) FROM log.messages')).rows[0]!.max);
    const [made, good] = [cloudflare.origin.certificates.length, live().length];
    const sql = "SELECT type, count(*) FROM log.messages WHERE seq > $1 AND kind = 'event' AND stream_id LIKE 'certificate/%' GROUP BY type";
    return async () => {
      const { rows } = await log.query<{ type: string; count: string }>(sql, [since]);
      // A host that died is asked again: how often, the clock says.
      const { CertificateAskedAgain: _, ...events } = Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
      return { events, made: cloudflare.origin.certificates.length - made, good: live().length - good };
    };
  }
  const isPoint = (point: string) => /^(certificate:|edge:|cloudflare:\w+-certificate)/.test(point) || /^handler:(EnsureCertificate|RemoveCertificate|Certificate\w+|ForgetSecrets|MakeSigningRequest):(received|done)$/.test(point);
  const story = new TwiceTold(faults, isPoint, count);

  it('passes these points when nothing dies', async () => {
    name = 'recorded.example.com';
    const points = new Map<string, Awaited<ReturnType<typeof story.record>>>();
    for (const phase of phases) points.set(phase.name, await story.record(phase));
    expect(points.get('its issuance')).toEqual({
      'control-plane': expect.arrayContaining(['certificate:order', 'certificate:ordered', 'certificate:signing-request', 'cloudflare:create-certificate', 'cloudflare:create-certificate:done', 'certificate:issued']),
      provisioner: expect.arrayContaining(['handler:EnsureCertificate:received', 'certificate:key', 'edge:certificate-written', 'certificate:confirm']),
    });
    expect(points.get('its revocation')).toEqual({
      'control-plane': expect.arrayContaining(['certificate:revoke', 'cloudflare:revoke-certificate', 'cloudflare:revoke-certificate:done', 'certificate:revoked']),
      provisioner: expect.arrayContaining(['certificate:remove', 'edge:certificate-removed']),
    });
    [name, serial] = ['killed.example.com', ''];
  });

  it.each(phases.map((phase) => [phase.name, phase] as const))('%s comes to its end as it does without a death', async (_, phase) => {
    const { undisturbed, found, deaths, missed } = await story.dieAtEach(phase);
    expect(found).toEqual(undisturbed);
    expect(missed.length).toBeLessThanOrEqual(deaths * 0.2);
  });

  it('leaves a log that is whole', async () => {
    const { rows } = await log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect([Number(rows[0]?.gaps), story.deaths > 25]).toEqual([0, true]);
  });
})));
