import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { visit, type SiteView } from '../support/api.js';
import { feed } from '../support/cloudflare-knot.js';
import { describeWithCloudflare } from '../support/cloudflare-spec.js';
import { CLOUDFLARE_TOKEN, CloudflareStandIn } from '../support/cloudflare-stand-in.js';
import { describeWithNginx, describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';
import { ask, comes } from './asking.js';
import { Faults } from './faults.js';
import { SteadyVisitor } from './steady-visitor.js';
import { TwiceTold, type Phase } from './twice-told.js';

jest.setTimeout(400_000);

const BASE = 'apps.example.org';
const WILDCARD = '/edge/certificate';

interface CertificateView extends Record<string, unknown> {
  readonly status: string;
  readonly serial?: string;
  readonly hosts?: readonly { readonly status: string }[];
}

const describeAll = (name: string, tests: () => void) => describeWithPebble(name, () => describeWithCloudflare('at Cloudflare', () => describeWithNginx('with nginx', tests)));

describeAll("the plane's own certificate, killed at each step", () => {
  const faults = new Faults();
  let knot: Knot;
  let cloudflare: CloudflareStandIn;
  let pebble: Pebble;
  let plane: Plane;
  let log: pg.Pool;
  let root: string;
  let site: SiteView;
  let visitor: SteadyVisitor;
  let serial = '';

  beforeAll(async () => {
    knot = await Knot.start('example.org');
    cloudflare = await CloudflareStandIn.start();
    feed(cloudflare, knot);
    pebble = await Pebble.start({ dns: knot.address, httpPort: 1 });
    root = await pebble.root();
    await open();
  });
  afterAll(async () => {
    await close();
    await Promise.all([pebble?.stop(), knot?.stop(), cloudflare?.close()]);
    faults.remove();
    expect(cloudflare.violations).toEqual([]);
  });

  /** A plane that has no certificate yet, for the zone is not there. Its site is visited all the time. */
  async function open(): Promise<void> {
    cloudflare.zones.zones.clear();
    plane = await startPlane({
      env: {
        ...faults.env, HOSTPLANE_EDGE: 'nginx', HOSTPLANE_DOCKER: 'off', HOSTPLANE_BASE_DOMAIN: BASE, HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DELIVERIES: '100',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '3600',
        HOSTPLANE_CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN, HOSTPLANE_CLOUDFLARE_API_URL: cloudflare.url, HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile,
      },
    });
    log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
    log.on('error', () => undefined);
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
    serial = '';
    visitor = new SteadyVisitor(async () => {
      const { status } = await visit(`http://127.0.0.1:${plane.edgePort}/`, { host: `steady.${BASE}` });
      return status === 200 ? undefined : `${status}`;
    });
  }
  async function close(): Promise<void> {
    const failed = await visitor?.leave();
    await log?.end();
    await plane?.stop();
    expect(failed).toEqual([]);
  }

  const certificate = async () => (await ask<CertificateView>(plane, 'GET', WILDCARD)).body;
  const files = () => readdirSync(join(plane.folder, 'edge', 'tls'));
  /** Keys of the plane's certificates that the vault has. */
  async function keys(): Promise<number> {
    const sql = "SELECT count(*) FILTER (WHERE type = 'SecretStored') - count(*) FILTER (WHERE type = 'SecretRevoked') AS kept FROM log.messages WHERE stream_id LIKE 'secret/%' AND data::jsonb->>'projectId' = 'plane' AND data::jsonb->>'name' LIKE 'certificate/%'";
    return Number((await log.query<{ kept: string }>(sql)).rows[0]!.kept);
  }
  /** The serial number that a visitor of a site is served who trusts the authority alone. */
  async function served(): Promise<string> {
    const name = `steady.${BASE}`;
    const asked = request({ host: '127.0.0.1', port: plane.edgeTlsPort, servername: name, headers: { host: name }, ca: root, checkServerIdentity: (_, peer) => checkServerIdentity(name, peer), agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return response.statusCode === 200 ? (response.socket as TLSSocket).getPeerCertificate().serialNumber.toLowerCase() : '';
  }
  const noProof = () => comes(plane, 'no record of a proof is left', async () => cloudflare.zones.all().length === 0);
  /** Another one than before is recorded, its copy served, and nothing of the one before is left but what the authority knows. */
  async function deployed(): Promise<void> {
    const before = serial;
    await comes(plane, 'another one is deployed', async () => {
      const { status, serial: now, hosts = [] } = await certificate();
      return status === 'deployed' && now !== undefined && now !== before && hosts.length === 1 && hosts[0]!.status === 'deployed';
    }, 150_000);
    serial = (await certificate()).serial!;
    await comes(plane, 'its copy is served', async () => (await served()) === serial);
    await noProof();
    await comes(plane, 'the key of the one before is forgotten', async () => (await keys()) === 1);
    expect([files().length, await pebble.isRevoked(serial), (await plane.api.site(site.id)).url]).toEqual([1, false, `https://steady.${BASE}:${plane.edgeTlsPort}`]);
  }
  async function renewed(newKey: boolean): Promise<void> {
    await comes(plane, 'it can be renewed', async () => (await ask(plane, 'POST', `${WILDCARD}/renew`, { newKey })).status === 202);
    await deployed();
  }

  const phases: readonly Phase[] = [
    { name: 'its issuance', run: async () => {
      cloudflare.zones.add('example.org');
      // Whether there is a zone is looked up once a minute, and at a start.
      await plane.crash('control-plane');
      await deployed();
    } },
    { name: 'its renewal', again: /^certificate:(ordered|issued)$/, run: async () => {
      const trusting = new SteadyVisitor(async () => ((await served()) === '' ? 'no page by HTTPS' : undefined));
      await renewed(false);
      expect(await trusting.leave()).toEqual([]);
    } },
    { name: 'its renewal with another key', run: () => renewed(true) },
    { name: 'the loss of its copy', again: /^(certificate:key|edge:certificate)/, run: async () => {
      await plane.kill('provisioner');
      rmSync(join(plane.folder, 'edge', 'tls'), { recursive: true });
      await plane.start('provisioner');
      await comes(plane, 'it is brought back', async () => (await served()) === serial);
    } },
    { name: 'its revocation', run: async () => {
      expect((await ask(plane, 'POST', `${WILDCARD}/revoke`, { reason: 'superseded' })).status).toBe(202);
      await comes(plane, 'no host has it', async () => (await certificate()).status === 'revoked' && files().length === 0 && (await keys()) === 0, 150_000);
      expect(await pebble.isRevoked(serial)).toBe(true);
      await expect(served()).rejects.toThrow(/self-signed|issuer/);
    } },
    { name: 'another one', run: () => renewed(false) },
  ];

  async function count() {
    const since = Number((await log.query<{ max: string }>('SELECT max(seq) FROM log.messages')).rows[0]!.max);
    const { issued } = pebble.counts();
    const sql = "SELECT type, count(*) FROM log.messages WHERE seq > $1 AND kind = 'event' AND stream_id LIKE 'certificate/%' GROUP BY type";
    return async () => {
      const { rows } = await log.query<{ type: string; count: string }>(sql, [since]);
      // How often it is looked for, and a host that died asked again, the clock says.
      const { CertificateAskedAgain: _, CertificateRenewalPlanned: __, CertificateProofsAwaited: ___, ...events } = Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
      return { events, issued: pebble.counts().issued - issued };
    };
  }
  /**
   * What is the plane's own here: when its certificate is begun, each message about it, the second of its two records, its copies. The authority's and the zone's own points
   * are passed by every certificate that a record proves, in the same code: `certificate-at-each-step` and `proofs-at-each-step` kill at them.
   */
  const isPoint = (point: string) => /^(certificate:(?!dns-proof)|certificate:dns-proof:(set:1|remove:0)$|edge:certificate)/.test(point) || /^handler:(EnsureCertificate|RemoveCertificate|Certificate\w+|ForgetSecrets|MakeSigningRequest):(received|done)$/.test(point);
  const story = new TwiceTold(faults, isPoint, count);

  it('passes these points when nothing dies', async () => {
    const points = new Map<string, Awaited<ReturnType<typeof story.record>>>();
    for (const phase of phases) points.set(phase.name, await story.record(phase));
    expect(points.get('its issuance')).toEqual({
      'control-plane': expect.arrayContaining(['certificate:zone', 'certificate:ordered', 'certificate:dns-proof:set:1', 'certificate:signing-request', 'certificate:issued', 'certificate:dns-proof:remove:0', 'handler:CertificateApplied:done']),
      provisioner: expect.arrayContaining(['handler:EnsureCertificate:received', 'certificate:key', 'edge:certificate-written', 'certificate:confirm']),
    });
    expect(points.get('its revocation')).toEqual({ 'control-plane': expect.arrayContaining(['certificate:revoke', 'certificate:revoked']), provisioner: expect.arrayContaining(['certificate:remove', 'edge:certificate-removed']) });
    await close();
    await open();
  });

  it.each(phases.map((phase) => [phase.name, phase] as const))('%s comes to its end as it does without a death', async (_, phase) => {
    const { undisturbed, found, deaths, missed } = await story.dieAtEach(phase);
    expect(found).toEqual(undisturbed);
    expect(missed.length).toBeLessThanOrEqual(deaths * 0.2);
  });

  it('leaves a log that is whole', async () => {
    const { rows } = await log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect([Number(rows[0]?.gaps), story.deaths > 22]).toEqual([0, true]);
  });
});
