import { X509Certificate } from 'node:crypto';

/** An origin certificate as Cloudflare shows it, as far as it matters here. */
export interface ShownCertificate {
  readonly id: string;
  /** PEM. */
  readonly certificate: string;
  readonly hostnames: readonly string[];
  readonly revoked_at?: string | undefined;
}

/** Whether a certificate is for exactly these names, in whatever order. */
export function isFor({ hostnames }: Pick<ShownCertificate, 'hostnames'>, names: readonly string[]): boolean {
  const sorted = (some: readonly string[]): string => [...new Set(some.map((name) => name.toLowerCase()))].sort().join();
  return sorted(hostnames) === sorted(names);
}

/** Whether a certificate and a signing request are of the same key: the request holds the key as the certificate does (SubjectPublicKeyInfo, RFC 2986 and 5280). */
export function isForKey({ certificate }: Pick<ShownCertificate, 'certificate'>, csr: string): boolean {
  const der = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return der.includes(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }));
}

export const serialOf = ({ certificate }: Pick<ShownCertificate, 'certificate'>): string => new X509Certificate(certificate).serialNumber;
