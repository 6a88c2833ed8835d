import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { generate } from 'selfsigned';
import { fingerprintOf } from '../certificate-chain.js';
import type { ServerCertificate } from '../edge.js';
import { CertificateFiles } from './certificate-files.js';

let folder: string;
let files: CertificateFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostplane-tls-'));
  files = new CertificateFiles(folder, () => Promise.resolve(undefined));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function made(name: string): Promise<ServerCertificate & { readonly fingerprint: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], { keyType: 'ec', curve: 'P-256' });
  return { chain: cert, key, fingerprint: fingerprintOf(new X509Certificate(cert)) };
}

describe('certificates in files', () => {
  it('that are brought twice at once are there whole', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => made(`n${i}.example.com`)));
    await Promise.all(all.map((one) => files.put('c', one)));
    const text = readFileSync(join(folder, 'c.pem'), 'utf8');
    expect(all.map(({ key, chain }) => `${key.trim()}\n${chain.trim()}\n`)).toContain(text);
    expect([...(await files.held()).keys()]).toEqual(['c']);
  });
  it('are looked at anew: what was removed, harmed or exchanged by somebody is seen', async () => {
    const [one, other] = [await made('one.example.com'), await made('other.example.com')];
    for (const id of ['a', 'b', 'c']) await files.put(id, one);
    expect(await files.held()).toEqual(new Map(['a', 'b', 'c'].map((id) => [id, one.fingerprint])));
    rmSync(join(folder, 'a.pem'));
    truncateSync(join(folder, 'b.pem'), 100);
    writeFileSync(join(folder, 'c.pem'), `${other.key.trim()}\n${other.chain.trim()}\n`);
    expect(await files.held()).toEqual(new Map([['c', other.fingerprint]]));
  });
  it('do not count without the key that belongs to them', async () => {
    const [one, other] = [await made('one.example.com'), await made('other.example.com')];
    await files.put('a', { chain: one.chain, key: other.key });
    writeFileSync(join(folder, 'b.pem'), one.chain);
    expect(await files.held()).toEqual(new Map());
  });
});
