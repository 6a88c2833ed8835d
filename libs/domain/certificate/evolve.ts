import type { Certificate, CertificateEvent, CertificateOf, CertificateState, CertificateStatus } from './certificate.js';
import { leave, leftBut, type LeftProofs } from './proofs.js';

/** Folds one event into the certificate. Each event says the status that it leads to; commands change nothing. */
export function evolveCertificate(state: CertificateState, event: CertificateEvent): CertificateState {
  if (event.type === 'CertificateRequested') return requested(state, event.data);
  if (event.type === 'EnsureProofs' || event.type === 'EnsureCertificate' || event.type === 'RemoveCertificate' || event.type === 'ForgetSecrets') return state;
  if (event.type === 'CertificateProofsRemoved') return withLeft(state, leftBut(state.left, event.data.proofs));
  if (event.type === 'CertificateProofsRemovalDelayed') return withLeft(state, state.left && { ...state.left, tries: event.data.tries, nextAt: event.data.nextAt });
  if (state.status === 'none') throw new Error(`${event.type} for a certificate that nobody wants.`);
  if (event.type === 'CertificateRemoved') return removed(state, event.data.status);
  return changed({ ...state, status: event.data.status as CertificateStatus }, event);
}

type Change = Exclude<CertificateEvent, { type: 'CertificateRequested' | 'CertificateRemoved' | 'CertificateProofsRemoved' | 'CertificateProofsRemovalDelayed' | 'EnsureProofs' | 'EnsureCertificate' | 'RemoveCertificate' | 'ForgetSecrets' }>;

function changed(next: Certificate, event: Change): Certificate {
  switch (event.type) {
    case 'CertificateOrdered': {
      const { order: number, reference, proofs, turn, nextAt, authority, deadlineAt } = event.data;
      const order = { number, reference, proofs, isProven: proofs.length === 0, looks: 0, deadlineAt };
      return { ...withLeft(next, leftBut(next.left, proofs)), authority, orders: number, order, ...asked(next, turn, nextAt) };
    }
    case 'CertificateProofsAwaited':
      return { ...next, ...(next.order && { order: { ...next.order, looks: event.data.look } }), nextAt: event.data.nextAt };
    case 'CertificateProofsReady':
      return { ...next, ...(next.order && { order: { ...next.order, isProven: true } }), awaitsHost: false, nextAt: event.data.nextAt };
    case 'CertificateIssued': {
      const { certificate, renewAt, turn, nextAt, authority } = event.data;
      return { ...withoutOrder(next), authority, ...(certificate && { issued: certificate, issuedBy: authority }), isDeployed: false, wantsNewKey: false, renewAt, warned: 0, tries: 0, error: '', ...asked(next, turn, nextAt) };
    }
    case 'CertificateDeployed':
      return { ...next, isDeployed: true, awaitsHost: false, nextAt: '', tries: 0, error: '' };
    case 'CertificateAskedAgain':
      return { ...next, ...asked(next, event.data.turn, event.data.nextAt, next.awaitsHost ? next.askedSince : undefined) };
    case 'CertificateRenewalStarted':
      return { ...next, nextAt: event.data.nextAt, wantsNewKey: next.wantsNewKey || event.data.newKey, tries: 0 };
    case 'CertificateRenewalPlanned':
      return { ...next, renewAt: event.data.renewAt };
    case 'CertificateFailed': {
      const { tries, error, nextAt, keepsOrder } = event.data;
      return { ...(keepsOrder ? next : withoutOrder(next)), tries, error, nextAt, awaitsHost: false };
    }
    case 'CertificateExpiring':
      return { ...next, warned: event.data.days };
    case 'CertificateRevocationRequested':
      return { ...withoutOrder(next), nextAt: event.data.nextAt, awaitsHost: false, tries: 0 };
    case 'CertificateRevoked':
    case 'CertificateRemovalRequested':
      return { ...withoutOrder(next), renewAt: '', ...asked(next, event.data.turn, event.data.nextAt) };
  }
}

function requested({ orders, turn, left }: CertificateState, data: Extract<CertificateEvent, { type: 'CertificateRequested' }>['data']): Certificate {
  const { certificateId, siteId, projectId, domain, names, hostId, authority, nextAt } = data;
  const of: CertificateOf = { certificateId, siteId, projectId, domain, names, hostId };
  return { status: 'requested', of, authority, issuedBy: '', orders, turn, isDeployed: false, wantsNewKey: false, mayBeOnHost: false, askedSince: 0, awaitsHost: false, tries: 0, error: '', nextAt, renewAt: '', warned: 0, ...(left && { left }) };
}

/** After a revocation it can be asked for anew; otherwise that is its end. */
function removed(state: Certificate, status: string): CertificateState {
  const left = leave(state);
  if (status !== 'revoked') return { status: 'none', orders: state.orders, turn: state.turn, ...(left && { left }) };
  const { issued: _, ...rest } = withoutOrder(state);
  return { ...rest, status: 'revoked', isDeployed: false, mayBeOnHost: false, awaitsHost: false, nextAt: '' };
}

function asked(before: Certificate, turn: number, nextAt: string, since = turn): Pick<Certificate, 'turn' | 'askedSince' | 'awaitsHost' | 'mayBeOnHost' | 'nextAt'> {
  return { turn: turn || before.turn, askedSince: since, awaitsHost: turn > 0, mayBeOnHost: before.mayBeOnHost || turn > 0, nextAt };
}

/** The order has come to an end: what it set in the DNS is left. */
function withoutOrder(state: Certificate): Certificate {
  const { order: _, ...rest } = state;
  return withLeft(rest, leave(state));
}

function withLeft<S extends CertificateState>(state: S, left: LeftProofs | undefined): S {
  const { left: _, ...rest } = state;
  return (left ? { ...rest, left } : rest) as S;
}
