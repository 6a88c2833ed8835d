import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../write-whole.js';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const DAY_MS = 86_400_000;
/** The longest life that browsers accept of a certificate that a person chose to trust. */
const LIFE_DAYS = 825;
const RENEW_BEFORE_DAYS = 30;

/** A self-signed certificate for the base domain and every name below it: made once, made again near its end or for another domain. */
export async function ensureCertificate(folder: string, baseDomain: string): Promise<CertificateFiles> {
  const files = { certFile: join(folder, 'certificate.pem'), keyFile: join(folder, 'certificate.key') };
  if (await isGood(files, baseDomain)) return files;
  // Loaded only where it is used, for what is made is kept.
  const { generate } = await import('selfsigned');
  const made = await generate([{ name: 'commonName', value: baseDomain }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + LIFE_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: namesOf(baseDomain).map((value) => ({ type: 2, value })) },
    ],
  });
  await writeWhole(files.keyFile, made.private, 0o600);
  await writeWhole(files.certFile, made.cert, 0o600);
  return files;
}

function namesOf(baseDomain: string): string[] {
  return [baseDomain, `*.${baseDomain}`];
}

async function isGood(files: CertificateFiles, baseDomain: string): Promise<boolean> {
  try {
    const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
    const certificate = new X509Certificate(cert);
    const names = certificate.subjectAltName ?? '';
    return (
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      namesOf(baseDomain).every((name) => names.split(', ').includes(`DNS:${name}`)) &&
      Date.parse(certificate.validTo) > Date.now() + RENEW_BEFORE_DAYS * DAY_MS
    );
  } catch {
    return false;
  }
}
