import type { CertificateProof } from '#contracts/gen/hostplane/v1/certificate.js';
import type { StoredMessage } from '#contracts/message.js';
import type { Certificate } from '#api/certificate.js';

/** How a certificate's names are proven, as it is shown. */
export type ShownProof = NonNullable<Certificate['proof']>;

/** Folds what happens to a certificate into what is shown of its proof; undefined: nothing has to be proven. */
export function foldProof(before: ShownProof | undefined, message: StoredMessage): ShownProof | undefined {
  if (message.type === 'CertificateRequested') return message.data.proof ? { kind: message.data.proof as ShownProof['kind'], ...(before?.records && { records: before.records }) } : undefined;
  if (message.type === 'CertificateOrdered') return ordered(before, message);
  if (!before) return undefined;
  switch (message.type) {
    case 'CertificateProofsAwaited': {
      const { look: looks, found, nextAt: nextLookAt } = message.data;
      return { ...before, looks, nextLookAt, found: found.map(({ error, ...finding }) => (error ? { ...finding, error } : finding)) };
    }
    case 'CertificateProofsReady':
    case 'CertificateIssued':
      return without(before, 'found', 'nextLookAt', 'deadlineAt');
    case 'CertificateFailed':
      return message.data.keepsOrder ? before : without(before, 'nextLookAt', 'deadlineAt');
    case 'CertificateProofsRemoved': {
      const records = (before.records ?? []).filter((one) => !message.data.proofs.some(({ token, text }) => token === one.name && text === one.value));
      const rest = without(before, 'records', 'removalError');
      return records.length > 0 ? { ...rest, records } : rest;
    }
    case 'CertificateProofsRemovalDelayed':
      return { ...before, removalError: message.data.error };
    default:
      return before;
  }
}

function ordered(before: ShownProof | undefined, { data: { proof, proofs, deadlineAt } }: StoredMessage<'CertificateOrdered'>): ShownProof {
  const made = recordsOf(proofs);
  const records = [...(before?.records ?? []).filter(({ name, value }) => !made.some((one) => one.name === name && one.value === value)), ...made];
  // What was recorded before the kind was: only the edge proved anything then.
  return { kind: (proof || 'http-01') as ShownProof['kind'], ...(records.length > 0 && { records }), ...(deadlineAt && { deadlineAt }) };
}

const recordsOf = (proofs: readonly CertificateProof[]) => proofs.flatMap(({ type, token: name, text: value }) => (type === 'dns-01' ? [{ type: 'TXT', name, value }] : []));

function without(proof: ShownProof, ...names: (keyof ShownProof)[]): ShownProof {
  return Object.fromEntries(Object.entries(proof).filter(([name]) => !names.includes(name as keyof ShownProof))) as ShownProof;
}
