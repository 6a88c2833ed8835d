import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import { ProviderError } from './provider-error.js';

/** What an authority said to a wish: its own name of the order, and what it wants to find before it issues (nothing, if it trusts us already). */
export interface PlacedOrder {
  readonly reference: string;
  readonly proofs: readonly CertificateProof[];
}

/** When an authority would like a certificate to be renewed (RFC 9773). */
export interface RenewalWindow {
  /** RFC 3339, in UTC. */
  readonly start: string;
  readonly end: string;
  /** Page that says why, where there is something to say. */
  readonly explanation: string;
  /** When it wants to be asked again. */
  readonly askAgainAt: string;
}

/** What certificates the authority issues, and how it wants names proven. */
export interface AuthorityFeatures {
  /** The kinds of proof it takes; none: it asks for no proof. */
  readonly proofs: readonly ('http-01' | 'dns-01')[];
}

/** The kinds of reasons for a revocation (RFC 5280, 5.3.1) that we know. */
export const revocationReasons = ['unspecified', 'keyCompromise', 'superseded', 'cessationOfOperation'] as const;
/** One of them. */
export type RevocationReason = (typeof revocationReasons)[number];

/**
 * Who issues certificates.
 *
 * `order` asks for a certificate of these names, to be proven in one way. An order that nobody goes on with does no harm: asked again after a death, the authority
 * gives the same or another one. `issue` says that the proofs are in place, waits until they were looked at, hands over the signing request and returns the chain as PEM,
 * the certificate first; called again for the same order, also after a death at any point, it goes on where the order is, and gives the same certificate once
 * there is one. `revoke` of what is revoked already is done. `renewal` is undefined where the authority suggests no time.
 *
 * What it refuses is a ProviderError that is not retryable and says the authority's own words; what may pass is retryable. One that wants us to slow down is a
 * RateLimited, never waited for in here. Nothing of a key leaves or enters but by the signing request and the account's own signatures.
 */
export interface CertificateAuthority {
  readonly name: string;
  readonly features: AuthorityFeatures;
  /** `replaces`: the chain that this one is to take the place of. */
  order(names: readonly string[], proof: 'http-01' | 'dns-01', options?: { readonly replaces?: string; readonly signal?: AbortSignal }): Promise<PlacedOrder>;
  issue(order: PlacedOrder, csr: string, signal?: AbortSignal): Promise<string>;
  renewal(chain: string, signal?: AbortSignal): Promise<RenewalWindow | undefined>;
  revoke(chain: string, reason: RevocationReason, signal?: AbortSignal): Promise<void>;
}

/** The authority wants to be asked less. */
export class RateLimited extends ProviderError {
  constructor(
    message: string,
    /** RFC 3339: no earlier try is allowed; empty: it did not say. */
    readonly notBefore: string,
    options?: { cause?: unknown },
  ) {
    super(message, true, options);
  }
}
