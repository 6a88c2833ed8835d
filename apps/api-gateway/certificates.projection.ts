import { keyOf, type StoredMessage } from '#contracts/message.js';
import { foldProof, type ShownProof } from './certificate-proof.projection.js';
import type { KeyedTable } from './keyed-table.js';

export type CertificateRow = {
  id: string;
  domain: string;
  site_id: string;
  project_id: string;
  /** Empty: the plane's own, which hosts serve copies of. */
  host_id: string;
  status: string;
  authority: string;
  /** JSON of string[]. */
  names: string;
  serial: string | null;
  issuer: string | null;
  fingerprint: string | null;
  not_before: string | null;
  not_after: string | null;
  renew_at: string | null;
  next_try_at: string | null;
  failed_step: string | null;
  last_error: string | null;
  expires_in_days: number | null;
  /** JSON of how its names are proven. */
  proof: string | null;
  /** 1: visitors get it, or the one that it takes the place of. */
  served: number;
  created_position: number;
  created_at: string;
  updated_at: string;
};

/** Certificates as they are shown. Of one that is being renewed, the dates are those of the one that was issued last. */
export const certificatesTable: KeyedTable<CertificateRow> = {
  table: 'certificates',
  columns: {
    id: 'text', domain: 'text', site_id: 'text', project_id: 'text', host_id: 'text', status: 'text', authority: 'text', names: 'text', serial: 'text', issuer: 'text', fingerprint: 'text', not_before: 'text', not_after: 'text',
    renew_at: 'text', next_try_at: 'text', failed_step: 'text', last_error: 'text', expires_in_days: 'int', proof: 'text', served: 'int', created_position: 'bigint', created_at: 'text', updated_at: 'text',
  },
  indexes: ['project_id, created_position DESC', 'site_id', 'domain', 'created_position DESC'],
  keyOf: (message) => (message.kind === 'event' && (message.streamId.startsWith('certificate/') || message.type === 'WorkDelayed') ? keyOf(message.streamId) : undefined),
  fold(row, message) {
    if (message.type === 'WorkDelayed') return row && { ...row, last_error: message.data.error, updated_at: message.recordedAt };
    const proof = proofAfter(row, message);
    if (message.type === 'CertificateRequested') return { ...requested(message), proof };
    if (!row) return undefined;
    const { status } = message.data as { status: string };
    return { ...row, status, ...changeOf(message), proof, updated_at: message.recordedAt };
  },
};

const NOTHING_ISSUED = { serial: null, issuer: null, fingerprint: null, not_before: null, not_after: null, renew_at: null, expires_in_days: null };
const NO_FAILURE = { failed_step: null, last_error: null, next_try_at: null };

function proofAfter(row: CertificateRow | undefined, message: StoredMessage): string | null {
  const proof = foldProof(row?.proof ? (JSON.parse(row.proof) as ShownProof) : undefined, message);
  return proof ? JSON.stringify(proof) : null;
}

function requested({ data, streamId, position, recordedAt }: StoredMessage<'CertificateRequested'>): Omit<CertificateRow, 'proof'> {
  const { domain, siteId, projectId, hostId, status, authority, names } = data;
  return {
    id: keyOf(streamId), domain, site_id: siteId, project_id: projectId, host_id: hostId, status, authority, names: JSON.stringify(names), ...NOTHING_ISSUED, ...NO_FAILURE, served: 0,
    created_position: position, created_at: recordedAt, updated_at: recordedAt,
  };
}

function changeOf(message: StoredMessage): Partial<CertificateRow> {
  switch (message.type) {
    case 'CertificateOrdered':
      return { authority: message.data.authority, next_try_at: null };
    case 'CertificateProofsAwaited':
      return { failed_step: null, last_error: message.data.missing, next_try_at: message.data.nextAt };
    case 'CertificateProofsReady':
      return NO_FAILURE;
    case 'CertificateIssued': {
      const { certificate: one, renewAt, authority } = message.data;
      const { serial = '', issuer = '', fingerprint = '', notBefore = '', notAfter = '', names = [] } = one ?? {};
      return { authority, serial, issuer, fingerprint, not_before: notBefore, not_after: notAfter, names: JSON.stringify(names), renew_at: renewAt || null, expires_in_days: null, ...NO_FAILURE };
    }
    case 'CertificateDeployed':
      return { ...NO_FAILURE, served: 1 };
    case 'CertificateRenewalPlanned':
      return { renew_at: message.data.renewAt };
    case 'CertificateFailed': {
      const { step, error, nextAt } = message.data;
      return { failed_step: step, last_error: error, next_try_at: nextAt || null };
    }
    case 'CertificateExpiring':
      return { expires_in_days: message.data.days };
    case 'CertificateRenewalStarted':
    case 'CertificateRevocationRequested':
      return NO_FAILURE;
    case 'CertificateRevoked':
    case 'CertificateRemovalRequested':
      return { served: 0 };
    case 'CertificateRemoved':
      return { ...NOTHING_ISSUED, ...NO_FAILURE, served: 0 };
    default:
      return {};
  }
}
