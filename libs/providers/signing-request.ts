import { generateKeyPairSync } from 'node:crypto';

/** A fresh private key for a certificate or an account: ECDSA on P-256, which every authority and visitor takes. PEM (PKCS #8). */
export function freshKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A request for a certificate of these names (PKCS #10), signed with the key; PEM. */
export async function signingRequest(names: readonly string[], key: string): Promise<string> {
  // Loaded only where it is used: it is a tenth of the time that a process takes to start.
  const { crypto } = await import('acme-client');
  const [, csr] = await crypto.createCsr({ altNames: [...names] }, key);
  return csr.toString();
}
