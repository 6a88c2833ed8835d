/** Authority of what somebody brought. */
export const UPLOADED = 'uploaded';

/** Authority of a host's copy of the plane's own certificate: what it is copied from is renewed, revoked and warned of, and has the key. */
export const OF_PLANE = 'plane';

/** How names are proven to an authority; none: it asks for no proof. */
export type ProofKind = 'http-01' | 'dns-01' | 'none';

/** How patiently certificates are got and watched. All in milliseconds but the days. */
export interface CertificatePolicy {
  /** After the first failure; doubled after each further one. */
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  /** A host that has not answered for so long is asked again. */
  readonly hostDelayMs: number;
  /** Between the first two looks for a proof in the DNS; doubled after each, up to the longest. */
  readonly proofDelayMs: number;
  readonly longestProofDelayMs: number;
  /** How long a proof may stay unseen in the DNS. */
  readonly proofDeadlineMs: number;
  /** So many days before its end a certificate that was not renewed is warned of, the longest first. */
  readonly warnDays: readonly number[];
}

const DAY_MS = 86_400_000;
/** Of the lifetime, as authorities advise (Let's Encrypt's integration guide: when a third of it is left). */
const RENEWED_AT = 2 / 3;

export const later = (time: string, ms: number): string => new Date(Date.parse(time) + ms).toISOString();

/** When a certificate is to be renewed unless its authority suggests another time. */
export function renewalTime({ notBefore, notAfter }: { readonly notBefore: string; readonly notAfter: string }): string {
  return later(notBefore, (Date.parse(notAfter) - Date.parse(notBefore)) * RENEWED_AT);
}

/** When to try again after this many failures; never before the authority allows it. */
export function retryTime(now: string, tries: number, notBefore: string, policy: CertificatePolicy): string {
  const next = later(now, Math.min(policy.longestRetryMs, policy.firstRetryMs * 2 ** Math.min(tries - 1, 30)));
  return next < notBefore ? notBefore : next;
}

/** When to look again for a proof after so many looks; never after the deadline, so that the last look is at the deadline itself. */
export function lookTime(now: string, looks: number, deadlineAt: string, policy: CertificatePolicy): string {
  const next = later(now, Math.min(policy.longestProofDelayMs, policy.proofDelayMs * 2 ** Math.min(looks - 1, 30)));
  return next < deadlineAt ? next : deadlineAt;
}

/** The next warning of a certificate's end: how many days before it, and when. None is due before it should have been renewed. */
export function nextWarning(notAfter: string, renewAt: string, warned: number, { warnDays }: CertificatePolicy): { readonly days: number; readonly at: string } | undefined {
  const left = warnDays.filter((days) => (warned === 0 || days < warned) && (renewAt === '' || later(notAfter, -days * DAY_MS) > renewAt));
  return left.length === 0 ? undefined : { days: Math.max(...left), at: later(notAfter, -Math.max(...left) * DAY_MS) };
}
