import type { CertificateState } from './certificate.js';
import { later } from './policy.js';

/** Let's Encrypt issues 50 certificates a week for what a registrar sold (letsencrypt.org/docs/rate-limits): we stay below, so that its owner may get some elsewhere. */
const MOST_A_WEEK = 40;
const WEEK_MS = 7 * 86_400_000;

/** Until when no further order should be placed with an authority for names of one registered domain, of which these are the certificates; empty: now is fine. */
export function restUntil(certificates: readonly CertificateState[], authority: string, now: string): string {
  const since = later(now, -WEEK_MS);
  const recent = certificates.flatMap((one) => (one.status !== 'none' && one.issued && one.issuedBy === authority && one.issued.notBefore > since ? [one.issued.notBefore] : [])).sort();
  return recent.length < MOST_A_WEEK ? '' : later(recent[recent.length - MOST_A_WEEK]!, WEEK_MS);
}
