import { createPublicKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { generate } from 'selfsigned';
import { freePort } from '../../../infra/start/ports.js';
import { fingerprintOf } from '../certificate-chain.js';
import type { EdgeCertificate, EdgeProvider, ServerCertificate } from '../edge.js';
import type { EdgeSettings } from '../edge/edge-settings.js';
import type { EdgeUnderTest } from './edge.contract.js';
import { startBackend, visit, type Backend } from './edge-visitor.contract.js';

/** What every EdgeProvider promises of certificates and of proofs for their authorities. */
export function edgeTlsContract(name: string, underTest: EdgeUnderTest): void {
  describe(`${name} as an edge with certificates`, () => {
    let folder: string;
    let settings: EdgeSettings;
    let edge: EdgeProvider;
    let shop: Backend;
    let revision = 0;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hostplane edge-'));
      await mkdir(join(folder, 'sites'));
      // A worker without rights has to come to its files.
      await chmod(folder, 0o755);
      settings = { planeId: `plane-${process.pid}`, folder: join(folder, 'edge'), sitesFolder: join(folder, 'sites'), bind: '127.0.0.1', httpPort: await freePort(), httpsPort: await freePort(), baseDomain: 'localhost' };
      shop = await startBackend('shop');
      edge = underTest.make(settings);
      await edge.start();
    });
    afterAll(async () => {
      await edge.stop();
      await shop.close();
      await rm(folder, { recursive: true, force: true });
    });

    const print = ({ chain }: ServerCertificate) => fingerprintOf(new X509Certificate(chain));
    const apply = (...certificates: EdgeCertificate[]) => edge.apply({ revision: ++revision, routes: [{ siteId: 's', hostnames: ['shop.example.com', 'a.wild.example.com'], target: shop.target, state: 'up' }], certificates });
    /** Fingerprint of what a handshake for this name gets. */
    const handshake = (servername: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ host: settings.bind, port: settings.httpsPort, servername, rejectUnauthorized: false }, () => {
          resolve(fingerprintOf(socket.getPeerX509Certificate()!));
          socket.end();
        });
        socket.on('error', reject);
      });

    it('serves each name with its own, wildcards with one label more, and every other name with the one that it has signed itself', async () => {
      const own = await handshake('shop.example.com');
      const [one, wild] = [await certificateFor(['shop.example.com']), await certificateFor(['*.wild.example.com'])];
      await edge.certificates.put('cert-1', one);
      await edge.certificates.put('cert-2', wild);
      expect(await handshake('shop.example.com')).toBe(own);
      await apply({ certificateId: 'cert-1', hostnames: ['shop.example.com'] }, { certificateId: 'cert-2', hostnames: ['*.wild.example.com'] });
      const got = await Promise.all(['shop.example.com', 'SHOP.example.com', 'a.wild.example.com', 'wild.example.com', 'other.example.com'].map(handshake));
      expect(got).toEqual([print(one), print(one), print(wild), own, own]);
      expect((await visit(settings, 'shop.example.com', { tls: true })).status).toBe(200);
      expect(await edge.certificates.held()).toEqual(new Map([['cert-1', print(one)], ['cert-2', print(wild)]]));
    });

    it('serves what was put again with the same key without a new table, and no handshake fails', async () => {
      const served = await edge.served();
      const first = await certificateFor(['shop.example.com']);
      await edge.certificates.put('cert-1', first);
      const failed: unknown[] = [];
      let isDone = false;
      const visitors = [1, 2].map(async () => {
        while (!isDone) await handshake('shop.example.com').catch((error: unknown) => failed.push(error));
      });
      for (let i = 0; i < 10; i++) {
        const next = await certificateFor(['shop.example.com'], first.key);
        await edge.certificates.put('cert-1', next);
        expect(await handshake('shop.example.com')).toBe(print(next));
      }
      isDone = true;
      await Promise.all(visitors);
      expect([failed, await edge.served()]).toEqual([[], served]);
    });

    it('keeps keys to itself', async () => {
      const files = (await readdir(settings.folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map(({ parentPath, name: file }) => join(parentPath, file));
      const withKeys = await Promise.all(files.map(async (file) => ((await readFile(file, 'utf8')).includes('PRIVATE KEY') ? [(await stat(file)).mode & 0o077] : [])));
      expect(withKeys.flat()).toEqual([0, 0, 0]);
    });

    it('serves them after it was stopped, or killed', async () => {
      const before = await handshake('shop.example.com');
      await underTest.kill(settings, edge);
      edge = underTest.make(settings);
      await edge.start();
      expect([await handshake('shop.example.com'), [...(await edge.certificates.held()).keys()].sort()]).toEqual([before, ['cert-1', 'cert-2']]);
    });

    it('leaves nothing of one that is removed', async () => {
      await apply({ certificateId: 'cert-2', hostnames: ['*.wild.example.com'] });
      await edge.certificates.remove('cert-1');
      await edge.certificates.remove('cert-1');
      expect([...(await edge.certificates.held()).keys()]).toEqual(['cert-2']);
      expect(await handshake('shop.example.com')).toBe(await handshake('other.example.com'));
      expect((await readdir(settings.folder, { recursive: true })).filter((file) => file.includes('cert-1'))).toEqual([]);
    });

    it('takes no certificate or proof under a name that leads elsewhere', async () => {
      await expect(edge.certificates.put('../x', await certificateFor(['x.example.com']))).rejects.toMatchObject({ retryable: false });
      await expect(edge.proofs.ensure('cert-1', new Map([['../../x', 'y']]))).rejects.toMatchObject({ retryable: false });
      await expect(edge.apply({ revision: ++revision, routes: [], certificates: [{ certificateId: 'x', hostnames: ['a b;'] }] })).rejects.toMatchObject({ retryable: false });
    });

    describe('a proof', () => {
      const at = (token: string, host = 'any.example.com', tls = false) => visit(settings, host, { path: `/.well-known/acme-challenge/${token}`, tls });

      it('is answered for every host on both ports at once, and other tokens are the site’s', async () => {
        await edge.proofs.ensure('cert-3', new Map([['tok_en-1', 'tok_en-1.print'], ['token2', 'token2.print']]));
        for (const host of ['any.example.com', 'shop.example.com']) {
          for (const tls of [false, true]) {
            const { status, text, headers } = await at('tok_en-1', host, tls);
            expect([status, text, headers['content-type']]).toEqual([200, 'tok_en-1.print', 'text/plain']);
          }
        }
        expect([(await at('token2')).text, (await at('other')).status, JSON.parse((await at('other', 'shop.example.com')).text)]).toMatchObject(['token2.print', 404, { name: 'shop', url: '/.well-known/acme-challenge/other' }]);
        for (const bad of ['cert-3.json', '..%2fcert-3.json', '../tls/cert-2.pem', '']) expect((await at(bad)).text).not.toMatch(/token|PRIVATE/);
      });

      it('is answered after a restart, until there are others or none', async () => {
        await edge.stop();
        edge = underTest.make(settings);
        await edge.start();
        expect((await at('token2')).text).toBe('token2.print');
        await edge.proofs.ensure('cert-3', new Map([['token3', 'token3.print']]));
        expect([(await at('token2')).status, (await at('token3')).text]).toEqual([404, 'token3.print']);
        await edge.proofs.ensure('cert-3', new Map());
        await edge.proofs.ensure('cert-3', new Map());
        expect([(await at('token3')).status, await readdir(join(settings.folder, 'proofs'))]).toEqual([404, []]);
      });
    });
  });
}

/** A certificate for names, with a key of its own or another one's. */
async function certificateFor(names: readonly string[], key?: string): Promise<ServerCertificate> {
  const keyPair = key === undefined ? undefined : { privateKey: key, publicKey: createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString() };
  const made = await generate([{ name: 'commonName', value: names[0]! }], {
    keyType: 'ec', curve: 'P-256', ...(keyPair && { keyPair }), extensions: [{ name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) }],
  });
  return { chain: made.cert, key: key ?? made.private };
}
