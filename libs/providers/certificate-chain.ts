import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import type { IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import { Refusal } from '#domain/refusal.js';

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
/** Longest chain that is sensible; certificates travel in events, which are not for large things. */
const MOST_CERTIFICATES = 10;
const LONGEST_CHAIN = 64 * 1024;
const LEAST_RSA_BITS = 2048;
/** Kinds of keys that TLS 1.3 has signatures of (RFC 8446, 4.2.3). */
const SIGNING = ['rsa', 'rsa-pss', 'ec prime256v1', 'ec secp384r1', 'ec secp521r1', 'ed25519', 'ed448'];

/** What a chain says of its first certificate. The key is named by the caller. Refuses what is no chain. */
export function describeChain(pem: string): Omit<IssuedCertificate, 'keySecret' | 'sealedKey'> {
  const chain = readChain(pem);
  const [leaf] = chain;
  return {
    serial: leaf.serialNumber.toLowerCase(),
    issuer: leaf.issuer.split('\n').join(', '),
    names: namesOf(leaf),
    notBefore: leaf.validFromDate.toISOString(),
    notAfter: leaf.validToDate.toISOString(),
    fingerprint: fingerprintOf(leaf),
    chain: chain.map((one) => one.toString()).join(''),
  };
}

/** Hex sha256 of a certificate. */
export function fingerprintOf(certificate: Pick<X509Certificate, 'fingerprint256'>): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** The certificates of a chain, the first of which is served; the others each have signed the one before. A root at the end is left out: visitors have it, or do not trust it. */
export function readChain(pem: string): readonly [X509Certificate, ...X509Certificate[]] {
  const say = (why: string): never => {
    throw new Refusal('invalid', why, 'chain');
  };
  if (pem.length > LONGEST_CHAIN) return say(`The chain has ${pem.length} characters, at most ${LONGEST_CHAIN} are allowed.`);
  const blocks = pem.match(PEM) ?? [];
  if (blocks.length === 0) return say('This is no certificate: text in PEM is needed, which begins with -----BEGIN CERTIFICATE-----.');
  if (blocks.length > MOST_CERTIFICATES) return say(`The chain has ${blocks.length} certificates, at most ${MOST_CERTIFICATES} are allowed.`);
  const all = blocks.map((block, i) => parsed(block) ?? say(`The ${nth(i)} certificate of the chain cannot be read.`));
  const broken = all.findIndex((one, i) => i > 0 && !(all[i - 1]!.checkIssued(one) && all[i - 1]!.verify(one.publicKey)));
  if (broken > 0) return say(`The chain is broken: its ${nth(broken)} certificate (${subjectOf(all[broken]!)}) did not sign the one before it (${subjectOf(all[broken - 1]!)}). The certificate comes first, then the one that signed it, and so on.`);
  const [leaf, ...others] = all;
  return [leaf!, ...others.filter((one) => !one.checkIssued(one))];
}

/** Refuses a certificate that visitors of this hostname would not take, or that is not this key's, each with what is wrong. Answers its description. */
export function checkUploaded(chain: string, key: string, hostname: string, now: Date): Omit<IssuedCertificate, 'keySecret' | 'sealedKey'> {
  const [leaf] = readChain(chain);
  const say = (why: string): never => {
    throw new Refusal('invalid', why, 'chain');
  };
  if (leaf.ca) return say(`${subjectOf(leaf)} is an authority's own certificate, not a server's: the server's comes first.`);
  if (!covers(leaf, hostname)) return say(`The certificate is for ${namesOf(leaf).join(', ') || 'no name'}, not for ${hostname}.`);
  if (leaf.validToDate <= now) return say(`The certificate ended at ${leaf.validToDate.toISOString()}.`);
  if (leaf.validFromDate > now) return say(`The certificate begins at ${leaf.validFromDate.toISOString()}.`);
  mustBeStrong(chain);
  if (!belongs(leaf, keyOf(key))) throw new Refusal('invalid', `The key is not that of the certificate of ${subjectOf(leaf)}.`, 'key');
  return describeChain(chain);
}

/** Refuses what servers and visitors take no more (CA/Browser Forum's Baseline Requirements, 6.1.5 and 7.1.3): served, it would end each handshake. */
export function mustBeStrong(chain: string): void {
  for (const one of readChain(chain)) {
    const weak = (why: string): never => {
      throw new Refusal('invalid', `The certificate of ${subjectOf(one)} is taken by nobody any more: ${why}.`, 'chain');
    };
    if (/sha-?1(?!\d)|md[245]/i.test(one.signatureAlgorithm ?? '')) weak(`it is signed with ${one.signatureAlgorithm}`);
    const why = unusable(one.publicKey);
    if (why !== undefined) weak(why);
  }
}

/** Why no handshake can end with a key; undefined: one can. */
export function unusable({ asymmetricKeyType: type, asymmetricKeyDetails: { modulusLength, namedCurve } = {} }: KeyObject): string | undefined {
  const kind = namedCurve === undefined ? String(type) : `${type} ${namedCurve}`;
  if (!SIGNING.includes(kind)) return `its key is of the kind ${kind}, of which TLS has no signatures`;
  return modulusLength !== undefined && modulusLength < LEAST_RSA_BITS ? `its key has ${modulusLength} bits, at least ${LEAST_RSA_BITS} are needed` : undefined;
}

/** Whether a certificate is for a hostname; the common name does not count (RFC 9525). */
export function covers(certificate: X509Certificate, hostname: string): boolean {
  return certificate.checkHost(hostname, { subject: 'never' }) !== undefined;
}

/** Whether a certificate is this key's. */
export function belongs(certificate: X509Certificate, key: KeyObject): boolean {
  return certificate.checkPrivateKey(key);
}

function keyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Refusal('invalid', 'The key cannot be read: text in PEM without a passphrase is needed, which begins with -----BEGIN PRIVATE KEY----- or the like.', 'key');
  }
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function namesOf({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? '').split(', ').flatMap((entry) => (entry.startsWith('DNS:') ? [entry.slice(4)] : []));
}

const subjectOf = ({ subject, serialNumber }: X509Certificate): string => subject?.split('\n').join(', ') || `serial ${serialNumber}`;
const nth = (i: number): string => ['first', 'second', 'third'][i] ?? `${i + 1}th`;
