import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { generate } from 'selfsigned';
import { run } from '../../apps/cli/program.js';
import { freePort } from '../../infra/start/ports.js';
import type { Reply, SiteView } from '../support/api.js';
import { tarGz } from '../support/archives.js';
import { describeWithNginx, describeWithPebble } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { Pebble } from '../support/pebble.js';
import { startPlane, type Plane } from '../support/plane.js';

jest.setTimeout(180_000);

interface CertificateView extends Record<string, unknown> {
  readonly status: string;
  readonly serial?: string;
  readonly lastError?: string;
  readonly failedStep?: string;
}
interface DomainView extends Record<string, unknown> {
  readonly name: string;
  readonly status: string;
  readonly expected: readonly { purpose: string; name: string; value: string }[];
  readonly certificate?: CertificateView;
}

describeWithPebble('certificates', () => {
  describeWithNginx('with nginx', () => {
    let knot: Knot;
    let pebble: Pebble;
    let plane: Plane;
    let root: string;
    let site: SiteView;

    beforeAll(async () => {
      knot = await Knot.start('example.com');
      const httpPort = await freePort();
      pebble = await Pebble.start({ dns: knot.address, httpPort, blocked: ['blocked.com'] });
      plane = await startPlane({
        env: {
          HOSTPLANE_EDGE: 'nginx', HOSTPLANE_EDGE_HTTP_PORT: String(httpPort), HOSTPLANE_DOCKER: 'off', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: '127.0.0.1', HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1',
          HOSTPLANE_ACME_DIRECTORY: pebble.directoryUrl, HOSTPLANE_ACME_CA_FILE: pebble.caFile, HOSTPLANE_ACME_EMAIL: 'me@example.com', HOSTPLANE_CERTIFICATE_RETRY_SECONDS: '3600',
        },
      });
      root = await pebble.root();
      const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'shop', kind: 'static' });
      await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
      await plane.api.call('PUT', `/sites/${body.id}/content`, await tarGz({ 'index.html': 'I am the shop' }));
      site = await plane.api.site(body.id);
    });
    afterAll(async () => {
      await plane?.stop();
      await pebble?.stop();
      await knot?.stop();
    });

    const tls = (...path: string[]) => join(plane.folder, 'edge', 'tls', ...path);
    const show = async (name: string): Promise<DomainView> => (await plane.api.call<DomainView>('GET', `/domains/${name}`)).body;
    const certificateOf = (name: string): Promise<Reply<CertificateView>> => plane.api.call<CertificateView>('GET', `/domains/${name}/certificate`);

    /** Adds a domain with both of its records; it is active when this returns. */
    async function active(name: string): Promise<void> {
      const { body } = await plane.api.call<DomainView>('POST', `/sites/${site.id}/domains`, { name });
      const token = body.expected.find(({ purpose }) => purpose === 'ownership')!;
      await knot.set('example.com', `${token.name}. TXT "${token.value}"`, `${name}. A 127.0.0.1`);
      await until(`${name} is active`, async () => (await show(name)).status === 'active');
    }
    async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
      for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) if (await isSo()) return;
      throw new Error(`Not so in time: ${what}\n${await plane.complaints()}`);
    }
    async function certified(name: string, status = 'deployed'): Promise<CertificateView> {
      let last: CertificateView | undefined;
      await until(`the certificate of ${name} is ${status}`, async () => (last = (await certificateOf(name)).body).status === status).catch((error: Error) => {
        throw new Error(`${error.message}\n${JSON.stringify(last)}`);
      });
      return last!;
    }

    /** The page by HTTPS as a visitor gets it who trusts the authority alone, and the serial that it came with. */
    async function visit(name: string, ca = root): Promise<{ text: string; serial: string }> {
      const asked = request({ host: '127.0.0.1', port: plane.edgeTlsPort, servername: name, headers: { host: name }, ca, checkServerIdentity: (_, peer) => checkServerIdentity(name, peer), agent: false });
      asked.end();
      const [response] = (await once(asked, 'response')) as [import('node:http').IncomingMessage];
      const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber.toLowerCase();
      let text = '';
      for await (const part of response) text += String(part);
      return { text, serial };
    }

    it('come with a domain: the site is served by HTTPS, the key is nobody else’s, and nothing of it is in the log', async () => {
      await expect(visit('shop.example.com')).rejects.toThrow(/self-signed|issuer/);
      await active('shop.example.com');
      const { serial, ...shown } = await certified('shop.example.com');
      expect(shown).toMatchObject({ authority: 'acme', issuer: expect.stringContaining('Pebble'), names: ['shop.example.com'], notAfter: expect.any(String), renewAt: expect.any(String) });
      expect(await visit('shop.example.com')).toEqual({ text: 'I am the shop', serial });
      expect((await show('shop.example.com')).certificate).toMatchObject({ status: 'deployed', issuer: expect.stringContaining('Pebble'), notAfter: shown['notAfter'] });
      expect((await plane.api.call<{ items: CertificateView[] }>('GET', '/certificates')).body.items).toMatchObject([{ domain: 'shop.example.com', status: 'deployed' }]);
      const files = readdirSync(tls());
      expect(files.map((file) => statSync(tls(file)).mode & 0o777)).toEqual([0o600]);
      const key = readFileSync(tls(files[0]!), 'utf8').split('\n')[1]!;
      expect(readdirSync(join(plane.folder, 'edge', 'proofs'))).toEqual([]);
      const { body: events } = await plane.api.call<{ items: { type: string }[] }>('GET', `/sites/${site.id}/events?limit=200`);
      expect(events.items.map(({ type }) => type).filter((type) => type.startsWith('Certificate'))).toEqual(expect.arrayContaining(['CertificateRequested', 'CertificateOrdered', 'CertificateProofsReady', 'CertificateIssued', 'CertificateDeployed']));
      const logs = ['control-plane', 'provisioner'].map((name) => readFileSync(join(plane.folder, 'logs', `${name}.log`), 'utf8')).join('');
      expect([JSON.stringify(events), logs].map((text) => text.includes(key) || text.includes('PRIVATE KEY'))).toEqual([false, false]);
    });

    it('are renewed while every visitor is served, by hand and when the authority suggests it', async () => {
      const { serial: before } = await visit('shop.example.com');
      let isDone = false;
      const failed: unknown[] = [];
      const visitor = (async () => {
        while (!isDone) await visit('shop.example.com').catch((error: unknown) => failed.push(error));
      })();
      expect((await plane.api.call('POST', '/domains/shop.example.com/certificate/renew')).status).toBe(202);
      await until('another serial is served', async () => (await visit('shop.example.com')).serial !== before);
      await certified('shop.example.com');
      isDone = true;
      await visitor;
      expect(failed).toEqual([]);

      const { serial } = await visit('shop.example.com');
      const files = readdirSync(tls());
      const text = readFileSync(tls(files[0]!), 'utf8');
      await pebble.suggestRenewal(text.slice(text.indexOf('-----BEGIN CERTIFICATE')), { start: '2026-01-01T00:00:00Z', end: '2026-01-02T00:00:00Z' });
      // The authority is asked after a start, then as often as it says.
      await plane.crash('control-plane');
      await until('it was renewed by itself', async () => (await visit('shop.example.com')).serial !== serial);
      await certified('shop.example.com');
      const { body: events } = await plane.api.call<{ items: { type: string; data: { reason?: string } }[] }>('GET', `/sites/${site.id}/events?limit=200&type=CertificateRenewalStarted`);
      expect(events.items.map(({ data }) => data.reason)).toEqual(['It was asked for.', 'It is time.']);
    });

    it('come back from the vault when the disk has lost them', async () => {
      const { serial } = await visit('shop.example.com');
      await plane.halt('provisioner');
      rmSync(tls(), { recursive: true });
      await plane.start('provisioner');
      await until('it is served again', () => visit('shop.example.com').then((page) => page.serial === serial, () => false));
      for (const file of readdirSync(tls())) rmSync(tls(file));
      await expect(visit('shop.example.com')).rejects.toThrow();
      await until('what somebody removed meanwhile is served again', () => visit('shop.example.com').then((page) => page.serial === serial, () => false));
    });

    it('of one’s own are checked, served instead, sealed, and give way again', async () => {
      const authority = await generate([{ name: 'commonName', value: 'CA of mine' }], { keyType: 'ec', curve: 'P-256', algorithm: 'sha256', extensions: [{ name: 'basicConstraints', cA: true }] });
      const own = await generate([{ name: 'commonName', value: 'mine' }], { keyType: 'ec', curve: 'P-256', algorithm: 'sha256', ca: { key: authority.private, cert: authority.cert }, extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'shop.example.com' }] }] });
      const put = (chain: string, key: string) => plane.api.call('PUT', '/domains/shop.example.com/certificate', { chain, key });
      expect((await put(own.cert, authority.private)).body).toMatchObject({ status: 422, errors: [{ field: 'key', message: expect.stringContaining('not that of the certificate') }] });
      expect((await put(authority.cert, authority.private)).body).toMatchObject({ status: 422, errors: [{ field: 'chain' }] });
      const [chainFile, keyFile] = [join(plane.folder, 'own.pem'), join(plane.folder, 'own.key')];
      writeFileSync(chainFile, own.cert + authority.cert);
      writeFileSync(keyFile, own.private);
      const out: string[] = [];
      const io = { out: { write: (text: string) => out.push(text) }, err: { write: (text: string) => out.push(text) }, in: process.stdin, env: { HOSTPLANE_URL: plane.api.base.replace('/api/v1', ''), HOSTPLANE_TOKEN: plane.api.token } };
      const code = await run(['domain', 'certificate', 'upload', 'shop.example.com', '--chain', chainFile, '--key', keyFile], io);
      expect([code, out.join('')]).toEqual([0, expect.stringMatching(/shop\.example\.com: deployed[\s\S]*uploaded/)]);
      expect((await visit('shop.example.com', authority.cert)).text).toBe('I am the shop');
      expect((await plane.api.call('POST', '/domains/shop.example.com/certificate/renew')).body).toMatchObject({ status: 409 });
      const everything = JSON.stringify((await plane.api.call('GET', `/sites/${site.id}/events?limit=200`)).body) + ['control-plane', 'provisioner'].map((name) => readFileSync(join(plane.folder, 'logs', `${name}.log`), 'utf8')).join('');
      expect(everything).not.toContain(own.private.split('\n')[1]);
      expect((await plane.api.call('DELETE', '/domains/shop.example.com/certificate')).status).toBe(202);
      await until('one of the authority is served again', () => visit('shop.example.com').then(() => true, () => false));
    });

    it('are revoked and forgotten, had anew, and go with their domain', async () => {
      await active('gone.example.com');
      const { serial } = await certified('gone.example.com');
      const [before] = [readdirSync(tls()).length];
      expect((await plane.api.call('POST', '/domains/gone.example.com/certificate/revoke', { reason: 'keyCompromise' })).status).toBe(202);
      const revoked = await certified('gone.example.com', 'revoked');
      await until('its key is off the disk', () => Promise.resolve(readdirSync(tls()).length === before - 1));
      expect([await pebble.isRevoked(serial!), revoked.lastError]).toEqual([true, undefined]);
      await expect(visit('gone.example.com')).rejects.toThrow(/self-signed|issuer/);
      await until('it can be had anew', async () => (await plane.api.call('POST', '/domains/gone.example.com/certificate/renew')).status === 202);
      expect((await certified('gone.example.com')).serial).not.toBe(serial);
      expect((await visit('gone.example.com')).text).toBe('I am the shop');
      await plane.api.call('DELETE', '/domains/gone.example.com');
      await until('nothing of it is on the disk', async () => (await plane.api.call('GET', '/domains/gone.example.com')).status === 404 && readdirSync(tls()).length === before - 1);
      await until('it is listed no more', async () => (await plane.api.call<{ items: { domain: string }[] }>('GET', '/certificates')).body.items.every(({ domain }) => domain === 'shop.example.com'));
      const keys = async () => (await plane.api.call<{ items: { name: string }[] }>('GET', `/projects/${String(site['projectId'])}/secrets?limit=200`)).body.items.filter(({ name }) => name.startsWith('certificate/'));
      await until('its keys are forgotten', async () => (await keys()).length === 1);
    });

    it('that fail say at which step and why, take nothing down, and are tried again by hand', async () => {
      await pebble.stop();
      await active('late.example.com');
      const failed = await certified('late.example.com', 'failed');
      expect(failed).toMatchObject({ failedStep: 'order', lastError: expect.stringMatching(/could not take an order.*ECONNREFUSED/), nextTryAt: expect.any(String) });
      expect((await show('late.example.com')).certificate).toMatchObject({ status: 'failed', lastError: failed.lastError });
      expect((await visit('shop.example.com')).text).toBe('I am the shop');
      const renewal = await plane.api.call('POST', '/domains/shop.example.com/certificate/renew');
      expect(renewal.status).toBe(202);
      expect(await certified('shop.example.com', 'failed')).toMatchObject({ failedStep: 'order', serial: expect.any(String) });
      expect((await visit('shop.example.com')).text).toBe('I am the shop');
    });
  });
});
