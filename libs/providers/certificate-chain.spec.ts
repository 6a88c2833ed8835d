import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { generate } from 'selfsigned';
import { Refusal } from '#domain/refusal.js';
import { belongs, checkUploaded, describeChain, mustBeStrong, readChain, unusable } from './certificate-chain.js';

interface Made {
  readonly cert: string;
  readonly private: string;
}
const make = (names: readonly string[], ca?: Made, more: object = {}): Promise<Made> =>
  generate([{ name: 'commonName', value: names[0]! }], { keyType: 'ec', curve: 'P-256', algorithm: 'sha256', ...(ca && { ca: { key: ca.private, cert: ca.cert } }), extensions: [{ name: 'basicConstraints', cA: names[0]!.startsWith('CA') }, { name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) }], ...more });

/** Its key is on a curve that TLS has no signatures for. */
const SECP256K1 = '-----BEGIN CERTIFICATE-----\nMIIBiTCCATCgAwIBAgIUYedesEoG1a7tuFlch9dyM/wgMN0wCgYIKoZIzj0EAwIw\nGzEZMBcGA1UEAwwQc2hvcC5leGFtcGxlLmNvbTAgFw0yNjExMjcyMzAzMjBaGA8y\nMTI2MTEwMzIzMDMyMFowGzEZMBcGA1UEAwwQc2hvcC5leGFtcGxlLmNvbTBWMBAG\nByqGSM49AgEGBSuBBAAKA0IABDmLjRexRTah6ZHXnbDegv/YAKB+s/2GYEqxsV/Z\nNahzhQRV+sF52N9ORmENKsbG1q5IWXNxZtcta03dyd1TsHKjUzBRMB0GA1UdDgQW\nBBTrnM50gg1GeFV0EqU48Nrd2hUbUzAfBgNVHSMEGDAWgBTrnM50gg1GeFV0EqU4\n8Nrd2hUbUzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIAPkkEld\nI4JnmKm+7s3DL+cVDzjp8dNSTHfq+eDkAj+jAiBnV9a1qGr9fB7vJpbEx6xtTuxb\ndf1o7kbiaLMSEASh5A==\n-----END CERTIFICATE-----\n';

describe('a chain that somebody brings', () => {
  let root: Made;
  let middle: Made;
  let leaf: Made;
  let weak: Made;
  let short: Made;
  beforeAll(async () => {
    root = await make(['CA root']);
    middle = await make(['CA middle'], root);
    leaf = await make(['shop.example.com', '*.wild.example.com'], middle);
    weak = await make(['shop.example.com'], undefined, { algorithm: 'sha1' });
    short = await make(['shop.example.com'], undefined, { keyType: 'rsa', keySize: 1024 });
  });
  const refusal = (chain: string, key = leaf.private, hostname = 'shop.example.com', at = new Date()): Refusal => {
    try {
      checkUploaded(chain, key, hostname, at);
    } catch (error) {
      return error as Refusal;
    }
    throw new Error('It was taken.');
  };

  it('is described by its first certificate, and its root is left out', () => {
    const { names, notAfter, chain, fingerprint, serial } = describeChain(`${leaf.cert}\n${middle.cert}\n${root.cert}`);
    const first = new X509Certificate(leaf.cert);
    expect([names, notAfter, fingerprint, serial]).toEqual([['shop.example.com', '*.wild.example.com'], first.validToDate.toISOString(), first.fingerprint256.replaceAll(':', '').toLowerCase(), first.serialNumber.toLowerCase()]);
    expect(readChain(chain).map(({ subject }) => subject)).toEqual(['CN=shop.example.com', 'CN=CA middle']);
  });
  it('is taken for each of its names', () => {
    for (const hostname of ['shop.example.com', 'a.wild.example.com']) expect(checkUploaded(leaf.cert + middle.cert, leaf.private, hostname, new Date()).issuer).toBe('CN=CA middle');
    expect(belongs(new X509Certificate(leaf.cert), createPrivateKey(leaf.private))).toBe(true);
  });

  const bad: readonly [string, () => Refusal, string, RegExp][] = [
    ['no PEM', () => refusal('hello'), 'chain', /no certificate/],
    ['a certificate that cannot be read', () => refusal('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'), 'chain', /first certificate of the chain cannot be read/],
    ['the wrong order', () => refusal(middle.cert + leaf.cert), 'chain', /second certificate \(CN=shop.example.com\) did not sign the one before it \(CN=CA middle\)/],
    ['a gap', () => refusal(leaf.cert + root.cert), 'chain', /chain is broken/],
    ['an authority’s own certificate first', () => refusal(middle.cert, middle.private), 'chain', /authority's own/],
    ['other names', () => refusal(leaf.cert, leaf.private, 'other.example.com'), 'chain', /for shop\.example\.com, \*\.wild\.example\.com, not for other\.example\.com/],
    ['a name two labels below a wildcard', () => refusal(leaf.cert, leaf.private, 'a.b.wild.example.com'), 'chain', /not for a\.b\.wild/],
    ['an end in the past', () => refusal(leaf.cert, leaf.private, undefined, new Date(Date.now() + 20 * 365 * 86_400_000)), 'chain', /ended at/],
    ['a beginning in the future', () => refusal(leaf.cert, leaf.private, undefined, new Date(0)), 'chain', /begins at/],
    ['another key', () => refusal(leaf.cert, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()), 'key', /not that of the certificate of CN=shop/],
    ['a signature that nobody takes', () => refusal(weak.cert, weak.private), 'chain', /signed with ecdsa-with-SHA1/],
    ['a key that is too short', () => refusal(short.cert, short.private), 'chain', /1024 bits/],
    ['no key', () => refusal(leaf.cert, 'hello'), 'key', /key cannot be read/],
    ['too many certificates', () => refusal(leaf.cert.repeat(11)), 'chain', /11 certificates/],
    ['too long a text', () => refusal('x'.repeat(70_000)), 'chain', /70000 characters/],
  ];
  it.each(['ec', 'ed25519', 'rsa'] as const)('is taken with a key of the kind %s', (kind) => {
    const { publicKey } = kind === 'ec' ? generateKeyPairSync('ec', { namedCurve: 'P-384' }) : kind === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519');
    expect(unusable(publicKey)).toBeUndefined();
  });
  it('is refused with a key that ends each handshake', () => {
    expect(() => mustBeStrong(SECP256K1)).toThrow(/The certificate of CN=shop\.example\.com is taken by nobody any more: its key is of the kind ec secp256k1, of which TLS has no signatures\./);
    expect(unusable(generateKeyPairSync('x25519').publicKey)).toMatch(/kind x25519/);
  });
  it.each(bad)('is refused with what is wrong: %s', (_, refused, field, message) => {
    const error = refused();
    expect(error).toBeInstanceOf(Refusal);
    expect([error.code, error.field, error.message]).toEqual(['invalid', field, expect.stringMatching(message)]);
    expect(error.message).not.toContain(leaf.private.split('\n')[1]!);
  });
});
