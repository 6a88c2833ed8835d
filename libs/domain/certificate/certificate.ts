import type { CertificateProof, IssuedCertificate } from '#contracts/gen/hostplane/v1/certificate.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import { decideCertificate } from './decide.js';
import { evolveCertificate } from './evolve.js';
import type { CertificatePolicy, OF_PLANE, ProofKind } from './policy.js';
import type { LeftProofs, ProofCommand } from './proofs.js';

export type CertificateStatus = 'requested' | 'issuing' | 'issued' | 'deployed' | 'renewing' | 'failed' | 'revoking' | 'revoked' | 'removing';

/** Whose certificate it is, and where it is served. */
export interface CertificateOf {
  readonly certificateId: string;
  readonly siteId: string;
  readonly projectId: string;
  /** Hostname that it is for. */
  readonly domain: string;
  readonly names: readonly string[];
  /** Empty: no host serves it itself, hosts have copies of it. */
  readonly hostId: string;
}

/** What an authority was asked for, until it has issued or refused. */
export interface Order {
  readonly number: number;
  readonly reference: string;
  readonly proofs: readonly CertificateProof[];
  /** The proofs can be found where the authority will look. */
  readonly isProven: boolean;
  /** How often records were looked for in the DNS without being seen. */
  readonly looks: number;
  /** Until when they may stay unseen; empty: there are none. */
  readonly deadlineAt: string;
}

/** A certificate that is wanted. Times are RFC 3339 in UTC; an empty one means never. */
export interface Certificate {
  readonly status: CertificateStatus;
  readonly of: CertificateOf;
  /** Who issues it, or issued it. */
  readonly authority: string;
  /** How many orders there were. */
  readonly orders: number;
  readonly order?: Order;
  /** The newest that was issued. */
  readonly issued?: IssuedCertificate;
  /** Who issued that one; empty: nobody yet. */
  readonly issuedBy: string;
  /** The host has confirmed the newest. */
  readonly isDeployed: boolean;
  /** The next one gets another key than this one has. */
  readonly wantsNewKey: boolean;
  /** A host may have something of it. */
  readonly mayBeOnHost: boolean;
  /** Number of the last ask of the host. */
  readonly turn: number;
  /** Number of the first one for the same: while it may still be tried, it is asked again. */
  readonly askedSince: number;
  /** An answer to that ask is waited for. */
  readonly awaitsHost: boolean;
  /** Failures since the last success. */
  readonly tries: number;
  readonly error: string;
  /** When the next step is due. */
  readonly nextAt: string;
  readonly renewAt: string;
  /** Least of the days before its end that were warned of; 0: none. */
  readonly warned: number;
  readonly left?: LeftProofs;
}

/** `none` also after its end: how many orders and asks there were is remembered, since their numbers never come twice; and so is what is left in the DNS. */
export type CertificateState = { readonly status: 'none'; readonly orders: number; readonly turn: number; readonly left?: LeftProofs } | Certificate;

interface Timed {
  readonly now: string;
  readonly policy: CertificatePolicy;
}

export type CertificateCommand =
  | { type: 'RequestCertificate'; of: CertificateOf; authority: string; proof: ProofKind; now: string }
  /** `authority`: whoever brings it, unless it was a member. */
  | { type: 'UploadCertificate'; of: CertificateOf; certificate: IssuedCertificate; authority?: typeof OF_PLANE } & Timed
  | { type: 'RecordOrder'; order: number; authority: string; proof: ProofKind; reference: string; proofs: readonly CertificateProof[] } & Timed
  | ProofCommand
  | { type: 'RecordIssued'; order: number; certificate: IssuedCertificate } & Timed
  /** `step` is order, proof, issuance or revocation. `notBefore`: the authority allows no earlier try. */
  | { type: 'RecordFailure'; order: number; step: string; error: string; notBefore: string; keepsOrder: boolean } & Timed
  | { type: 'AnswerHost'; turn: number; error: string } & Timed
  /** The host has not answered, or could not deploy it. */
  | { type: 'AskHostAgain' } & Timed
  | { type: 'RenewCertificate'; reason: string; newKey: boolean; authority: string; now: string }
  | { type: 'PlanRenewal'; renewAt: string; reason: string }
  | { type: 'WarnOfEnd' } & Timed
  | { type: 'RevokeCertificate'; reason: string; now: string }
  | { type: 'RecordRevoked'; serial: string } & Timed
  | { type: 'RemoveCertificate'; reason: string } & Timed;

export type CertificateEventType =
  | 'CertificateRequested' | 'CertificateOrdered' | 'CertificateProofsAwaited' | 'CertificateProofsReady' | 'CertificateProofsRemoved' | 'CertificateProofsRemovalDelayed' | 'CertificateIssued' | 'CertificateDeployed' | 'CertificateAskedAgain' | 'CertificateRenewalStarted'
  | 'CertificateRenewalPlanned' | 'CertificateFailed' | 'CertificateExpiring' | 'CertificateRevocationRequested' | 'CertificateRevoked' | 'CertificateRemovalRequested' | 'CertificateRemoved'
  | 'EnsureProofs' | 'EnsureCertificate' | 'RemoveCertificate' | 'ForgetSecrets';

export type CertificateEvent = MessageOf<CertificateEventType>;

/**
 * The life of a certificate for one hostname, renewals included: it is told to the host only once it is issued, deployed only once the host's edge has confirmed it,
 * and what is served goes on being served whatever fails.
 */
export const certificateDecider: Decider<CertificateState, CertificateCommand, CertificateEventType> = {
  category: 'certificate',
  initial: { status: 'none', orders: 0, turn: 0 },
  decide: decideCertificate,
  evolve: evolveCertificate,
};

/**
 * Name under which the vault keeps the key of the order that is under way. A renewal keeps the key unless another one is wanted: the edge then changes one thing at a time,
 * and no handshake can find a certificate beside another one's key.
 */
export function keySecretOf({ of: { certificateId }, issued, orders, wantsNewKey }: Certificate): string {
  return (!wantsNewKey && issued?.keySecret) || `certificate/${certificateId}/${orders}`;
}
