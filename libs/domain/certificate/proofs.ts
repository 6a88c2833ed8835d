import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import type { DnsFinding } from '#contracts/gen/hostplane/v1/domain.js';
import type { Certificate, CertificateEvent, CertificateState, Order } from './certificate.js';
import { later, lookTime, retryTime, type CertificatePolicy } from './policy.js';

/** Records of the DNS that proved names, or were to: they may be there, and have to go. */
export interface LeftProofs {
  readonly of: { readonly certificateId: string; readonly siteId: string; readonly projectId: string };
  readonly proofs: readonly CertificateProof[];
  /** Removals that failed. */
  readonly tries: number;
  /** When the next one is due; empty: at once. */
  readonly nextAt: string;
}

export type ProofCommand =
  /** `missing`: one sentence; empty: all records can be seen. */
  | { type: 'RecordLook'; order: number; look: number; found: readonly DnsFinding[]; missing: string; now: string; policy: CertificatePolicy }
  | { type: 'RecordProofsRemoved'; proofs: readonly CertificateProof[] }
  | { type: 'RecordRemovalDelay'; error: string; now: string; policy: CertificatePolicy };

type Of<T extends ProofCommand['type']> = Extract<ProofCommand, { type: T }>;

/** How the log knows a certificate, whatever became of it. */
export const idsOf = ({ of: { certificateId, siteId, projectId } }: Pick<LeftProofs, 'of'>) => ({ certificateId, siteId, projectId });

/** While one is served, getting another one is a renewal. */
export const workingStatus = (certificate: Certificate): string => (certificate.issued ? 'renewing' : 'issuing');

export const hasDnsProofs = (order: Order | undefined): boolean => order?.proofs.some(({ type }) => type === 'dns-01') ?? false;

/** One look at the DNS. Records that stay unseen until the deadline end the order; the certificate is tried again later. */
export function recordLook({ order, look, found, missing, now, policy }: Of<'RecordLook'>, certificate: Certificate): readonly CertificateEvent[] {
  const current = certificate.order;
  if (!current || current.number !== order || current.isProven || current.looks + 1 !== look || certificate.awaitsHost) return [];
  const data = { ...idsOf(certificate), status: workingStatus(certificate) };
  if (missing === '') return [{ type: 'CertificateProofsReady', data: { ...data, nextAt: now } }];
  if (now < current.deadlineAt) return [{ type: 'CertificateProofsAwaited', data: { ...data, look, found: [...found], missing, nextAt: lookTime(now, look, current.deadlineAt, policy) } }];
  const tries = certificate.tries + 1;
  return [{ type: 'CertificateFailed', data: { ...data, status: 'failed', step: 'proof', error: missing, tries, nextAt: retryTime(now, tries, '', policy), keepsOrder: false } }];
}

export function recordProofsRemoved({ proofs }: Of<'RecordProofsRemoved'>, state: CertificateState): readonly CertificateEvent[] {
  const gone = state.left?.proofs.filter((one) => proofs.some((other) => isSame(one, other))) ?? [];
  return gone.length === 0 || !state.left ? [] : [{ type: 'CertificateProofsRemoved', data: { ...idsOf(state.left), status: shownStatus(state), proofs: gone } }];
}

export function recordRemovalDelay({ error, now, policy }: Of<'RecordRemovalDelay'>, state: CertificateState): readonly CertificateEvent[] {
  if (!state.left || state.left.nextAt > now) return [];
  const tries = state.left.tries + 1;
  const nextAt = later(now, Math.min(policy.longestRetryMs, policy.proofDelayMs * 2 ** Math.min(tries - 1, 30)));
  return [{ type: 'CertificateProofsRemovalDelayed', data: { ...idsOf(state.left), status: shownStatus(state), error, tries, nextAt } }];
}

/** What is left when an order has come to an end. An order that came to nothing may have set its records, or some of them. */
export function leave(state: Certificate): LeftProofs | undefined {
  const proofs = state.order?.proofs.filter(({ type }) => type === 'dns-01') ?? [];
  if (proofs.length === 0) return state.left;
  const before = state.left?.proofs.filter((one) => !proofs.some((other) => isSame(one, other))) ?? [];
  return { of: idsOf(state), proofs: [...before, ...proofs], tries: 0, nextAt: '' };
}

/** What is left but these: they are gone, or wanted anew. */
export function leftBut(left: LeftProofs | undefined, proofs: readonly CertificateProof[]): LeftProofs | undefined {
  const rest = left?.proofs.filter((one) => !proofs.some((other) => isSame(one, other))) ?? [];
  return left && rest.length > 0 ? { ...left, proofs: rest } : undefined;
}

/** The same record of the DNS. */
export const isSame = (one: CertificateProof, other: CertificateProof): boolean => one.type === other.type && one.token === other.token && one.text === other.text;

const shownStatus = ({ status }: CertificateState): string => (status === 'none' ? 'removed' : status);
