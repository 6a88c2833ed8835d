import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import type { Certificate, CertificateState } from './certificate.js';
import { nextWarning, OF_PLANE, type CertificatePolicy } from './policy.js';

/** What is to be done for a certificate: ask the host again, order, prove, have it issued, revoke, renew, warn of its end. */
export type Step = 'ask-host' | 'order' | 'prove' | 'issue' | 'revoke' | 'renew' | 'warn';

/** The next step that is due by now; undefined: none is. */
export function dueStep(certificate: Certificate, now: string, policy: CertificatePolicy): Step | undefined {
  const { issued, renewAt, warned, status } = certificate;
  if (isPast(certificate.nextAt, now)) return nextStep(certificate);
  if (status === 'deployed' && isPast(renewAt, now)) return 'renew';
  const warning = issued && certificate.authority !== OF_PLANE && !['removing', 'revoking', 'revoked'].includes(status) ? nextWarning(issued.notAfter, renewAt, warned, policy) : undefined;
  return warning && warning.at <= now ? 'warn' : undefined;
}

/** So often it is tried to revoke a certificate that nobody wants any more; then its key is destroyed, and it is left to its end. */
const MOST_TRIES = 3;

/** How one ends that nobody wants any more: a revocation that was asked for comes first, and so does that of one which would be good for long, `mustBeRevoked`. */
export function ending({ status, issued, tries }: Certificate, mustBeRevoked: boolean): 'revoke' | 'wait' | 'remove' {
  if (status === 'removing') return 'wait';
  if (status === 'revoking') return tries < MOST_TRIES ? 'wait' : 'remove';
  return mustBeRevoked && issued && status !== 'revoked' ? 'revoke' : 'remove';
}

/** Records that are to be taken from the DNS by now, whatever else is due. */
export function proofsToRemove({ left }: CertificateState, now: string): readonly CertificateProof[] {
  return left && left.nextAt <= now ? left.proofs : [];
}

/** It is issued, no host has it, and none is being asked. */
export function awaitsDeployment({ status, order, issued, isDeployed, awaitsHost }: Certificate): boolean {
  return (status === 'failed' || status === 'issued') && issued !== undefined && !isDeployed && !order && !awaitsHost;
}

function nextStep(certificate: Certificate): Step | undefined {
  const { status, order, awaitsHost } = certificate;
  if (awaitsHost || awaitsDeployment(certificate)) return 'ask-host';
  if (status === 'revoking') return 'revoke';
  if (order) return order.isProven ? 'issue' : 'prove';
  return ['requested', 'renewing', 'failed'].includes(status) ? 'order' : undefined;
}

const isPast = (time: string, now: string): boolean => time !== '' && time <= now;
