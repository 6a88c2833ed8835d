import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:https';
import { join } from 'node:path';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { freePort } from '../../infra/start/ports.js';
import { visit, type SiteView } from '../support/api.js';
import { describeWithNginx, describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';
import { ask, comes } from './asking.js';
import { Faults } from './faults.js';

jest.setTimeout(400_000);

const PARTS = ['control-plane', 'provisioner'] as const;
type Part = (typeof PARTS)[number];
interface CertificateView extends Record<string, unknown> {
  readonly status: string;
  readonly serial?: string;
}
interface DomainView extends Record<string, unknown> {
  readonly status: string;
  readonly expected: readonly { purpose: string; name: string; value: string }[];
}

/** Told twice, as the story of WordPress is: recorded first, and then with a death at each step that was recorded. */
describeWithPebble('a certificate', () => describeWithNginx('killed at each step', () => {
  const faults = new Faults();
  let knot: Knot;
  let pebble: Pebble;
  let plane: Plane;
  let log: pg.Pool;
  let root: string;
  let site: SiteView;
  let name = '';
  let serial = '';
  let deaths = 0;

  beforeAll(async () => {
    knot = await Knot.start('example.com');
    const httpPort = await freePort();
    pebble = await Pebble.start({ dns: knot.address, httpPort });
    plane = await startPlane({
      env: {
        ...faults.env, HOSTPLANE_EDGE: 'nginx', HOSTPLANE_EDGE_HTTP_PORT: String(httpPort), HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: '127.0.0.1',
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DELIVERIES: '100',
        HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile, HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '3600',
      },
    });
    log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
    log.on('error', () => undefined);
    root = await pebble.root();
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
  });
  afterAll(async () => {
    await log?.end();
    await plane?.stop();
    await pebble?.stop();
    await knot?.stop();
    faults.remove();
  });

  // Who is asked may just be dying of what it did after the end that is waited for.
  const certificate = async () => (await ask<CertificateView>(plane, 'GET', `/domains/${name}/certificate`)).body;
  const files = () => readdirSync(join(plane.folder, 'edge', 'tls'));
  const secrets = async () => (await ask<{ items: { name: string }[] }>(plane, 'GET', `/projects/${String(site['projectId'])}/secrets?limit=200`)).body.items.filter((one) => one.name.startsWith('certificate/')).length;
  /** What a visitor is served who trusts the authority alone. */
  async function served(): Promise<string> {
    const asked = request({ host: '127.0.0.1', port: plane.edgeTlsPort, servername: name, headers: { host: name }, ca: root, checkServerIdentity: (_, peer) => checkServerIdentity(name, peer), agent: false });
    asked.end();
    const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
    response.resume();
    return response.statusCode === 200 ? (response.socket as TLSSocket).getPeerCertificate().serialNumber.toLowerCase() : '';
  }
  /** Another certificate than before is recorded, served, and on the disk with its key; the vault has the key, and the authority knows it to be good. */
  async function deployed(): Promise<void> {
    const before = serial;
    await comes(plane, `another certificate of ${name} is deployed`, async () => {
      const { status, serial: now } = await certificate();
      return status === 'deployed' && now !== undefined && now !== before;
    }, 150_000);
    serial = (await certificate()).serial!;
    await comes(plane, 'it is served', async () => (await served()) === serial);
    const [file] = files();
    const text = readFileSync(join(plane.folder, 'edge', 'tls', file!), 'utf8');
    expect([files().length, new X509Certificate(text.slice(text.indexOf('-----BEGIN CERT'))).serialNumber.toLowerCase(), await secrets(), await pebble.isRevoked(serial)]).toEqual([1, serial, 1, false]);
    expect(readdirSync(join(plane.folder, 'edge', 'proofs'))).toEqual([]);
  }

  const phases: readonly { name: string; run: () => Promise<void> }[] = [
    { name: 'its issuance', run: async () => {
      const { body } = await ask<DomainView>(plane, 'POST', `/sites/${site.id}/domains`, { name });
      const token = body.expected.find(({ purpose }) => purpose === 'ownership')!;
      await knot.set('example.com', `${token.name}. TXT "${token.value}"`, `${name}. A 127.0.0.1`);
      await deployed();
    } },
    { name: 'its renewal with another key', run: async () => {
      expect((await ask(plane, 'POST', `/domains/${name}/certificate/renew`, { newKey: true })).status).toBe(202);
      await deployed();
    } },
    { name: 'its revocation', run: async () => {
      expect((await ask(plane, 'POST', `/domains/${name}/certificate/revoke`, { reason: 'superseded' })).status).toBe(202);
      await comes(plane, 'it is revoked', async () => (await certificate()).status === 'revoked' && files().length === 0 && (await secrets()) === 0, 150_000);
      expect(await pebble.isRevoked(serial)).toBe(true);
      await expect(served()).rejects.toThrow(/self-signed|issuer/);
    } },
    { name: 'another one', run: async () => {
      await comes(plane, 'it can be had anew', async () => (await ask(plane, 'POST', `/domains/${name}/certificate/renew`)).status === 202);
      await deployed();
    } },
    { name: 'its removal with its domain', run: async () => {
      expect((await ask(plane, 'DELETE', `/domains/${name}`)).status).toBe(202);
      await comes(plane, 'nothing of it is left', async () => (await plane.api.call('GET', `/domains/${name}`)).status === 404 && files().length === 0 && (await secrets()) === 0, 150_000);
      await expect(served()).rejects.toThrow(/self-signed|issuer/);
    } },
  ];

  /** What was recorded of certificates since a position. */
  async function events(since: number): Promise<Record<string, number>> {
    const { rows } = await log.query<{ type: string; count: string }>("SELECT type, count(*) FROM log.messages WHERE seq > $1 AND kind = 'event' AND stream_id LIKE 'certificate/%' GROUP BY type", [since]);
    return Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
  }
  async function told(run: () => Promise<void>) {
    const since = Number((await log.query<{ max: string }>('SELECT max(seq) FROM log.messages')).rows[0]!.max);
    const before = pebble.counts();
    await run();
    const { orders, issued } = pebble.counts();
    // When to renew is asked once it is deployed, and a host that died is asked again: how often, the clock says.
    const { CertificateAskedAgain: _, CertificateRenewalPlanned: __, ...found } = await events(since);
    return { events: found, orders: orders - before.orders, issued: issued - before.issued };
  }
  type Told = Awaited<ReturnType<typeof told>>;

  /** The points of certificates themselves, by their names; and of the messages that only they have, what is before and after each. A domain's own are killed at in `domain-at-each-step`. */
  const isPoint = (point: string) => /^(certificate|acme|edge):/.test(point) || /^handler:(EnsureProofs|EnsureCertificate|RemoveCertificate|Certificate\w+|ForgetSecrets|MakeSigningRequest):(received|done)$/.test(point);
  const covered = new Set<string>();
  /** What has died in an earlier phase is left out; but an order that follows another certificate is no first one. */
  function newPoints(part: Part, isRenewal: boolean): readonly string[] {
    const passed = new Set(faults.passed().filter(({ process, point }) => process === part && isPoint(point)).map(({ point }) => point));
    const fresh = [...passed].filter((point) => !covered.has(`${part} ${point}`) || (isRenewal && /^(acme|certificate):/.test(point)));
    for (const point of fresh) covered.add(`${part} ${point}`);
    return fresh;
  }
  const recorded = new Map<string, { outcome: Told; points: Readonly<Record<Part, readonly string[]>> }>();

  it('passes these points when nothing dies', async () => {
    name = 'recorded.example.com';
    for (const phase of phases) {
      faults.forget();
      const outcome = await told(phase.run);
      const isRenewal = phase.name.includes('renewal');
      recorded.set(phase.name, { outcome, points: { 'control-plane': newPoints('control-plane', isRenewal), provisioner: newPoints('provisioner', isRenewal) } });
    }
    serial = '';
    const of = (phase: string, part: Part) => recorded.get(phase)!.points[part];
    expect(of('its issuance', 'control-plane')).toEqual(expect.arrayContaining(['acme:order', 'certificate:ordered', 'certificate:signing-request', 'acme:prove', 'acme:finalize', 'acme:download', 'certificate:issued']));
    expect(of('its issuance', 'provisioner')).toEqual(expect.arrayContaining(['edge:proofs-write', 'edge:proofs-written', 'certificate:key', 'edge:certificate-write', 'edge:certificate-written', 'certificate:confirm']));
    expect(of('its revocation', 'control-plane')).toEqual(expect.arrayContaining(['acme:revoke', 'certificate:revoked']));
    expect(of('its revocation', 'provisioner')).toEqual(expect.arrayContaining(['certificate:remove', 'edge:certificate-removed']));
  });

  it.each(phases.map((phase) => [phase.name, phase] as const))('%s comes to its end as it does without a death', async (phaseName, { run }) => {
    name = 'killed.example.com';
    const { outcome, points } = recorded.get(phaseName)!;
    for (const part of PARTS) faults.orderAll(part, points[part]);
    const found = await told(run);
    const missed = PARTS.flatMap((part) => faults.missed(part, points[part]));
    const all = PARTS.flatMap((part) => points[part]);
    deaths += all.length - missed.length;
    process.stderr.write(`  ${phaseName}: ${all.length - missed.length} of ${all.length} deaths, ${found.orders} orders${missed.length ? `, not at ${missed.join(', ')}` : ''}\n`);
    // An order that was placed and is not recorded when the process dies is one more; all else happens once.
    expect({ ...found, orders: outcome.orders }).toEqual(outcome);
    expect(found.orders - outcome.orders).toBeLessThanOrEqual(outcome.orders);
    expect([found.issued, missed.length <= all.length * 0.2]).toEqual([found.events['CertificateIssued'] ?? 0, true]);
    expect((await visit(site.url)).status).toBe(200);
  });

  it('leaves a log that is whole', async () => {
    const { rows } = await log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect([Number(rows[0]?.gaps), deaths > 30]).toEqual([0, true]);
  });
}));
