import type { DomainEvent, DomainName, DomainState, DomainStatus } from './domain-name.js';
import { evolveRecords, noRecords } from './records.js';

/** Folds one event into the domain. Each event says the status that it leads to. */
export function evolveDomain(state: DomainState, event: DomainEvent): DomainState {
  if (event.type === 'DomainRequested') return requested(event.data);
  if (state.status === 'free') throw new Error(`${event.type} for a domain that nobody has claimed.`);
  const domain: DomainName = { ...state, status: event.data.status as DomainStatus, records: evolveRecords(state.records, event, state.status) };
  switch (event.type) {
    case 'DomainChecked': {
      const { check, nextCheckAt, isOwned } = event.data;
      return { ...domain, checks: check, tries: domain.tries + 1, nextAt: nextCheckAt, wasOwned: domain.wasOwned || isOwned };
    }
    case 'DomainCheckRequested':
      return { ...domain, tries: 0, nextAt: isLookedAt(domain) ? event.data.nextCheckAt : '', deadlineAt: event.data.deadlineAt };
    case 'DomainRecordsSet':
      return { ...domain, nextAt: event.data.nextCheckAt };
    case 'DomainRoutingStarted':
      return { ...awaiting(domain, event.data), turn: event.data.turn, mayBeServed: true };
    case 'DomainEdgeAskedAgain': {
      const isSame = domain.awaits?.operationId === event.data.operationId;
      return { ...awaiting(domain, event.data, isSame ? domain.awaits?.since : undefined), turn: event.data.turn, mayBeServed: true };
    }
    case 'DomainRemovalRequested': {
      const isOwn = event.data.operationId === domain.claim.claimId;
      return event.data.operationId === '' ? domain : { ...awaiting(domain, event.data), turn: isOwn ? event.data.turn : domain.turn };
    }
    case 'DomainActivated':
    case 'DomainReleased':
      return idle(domain);
    case 'DomainFailed':
      // The edge is asked to let go of what it may have begun to serve, under the next number.
      return { ...idle(domain), turn: isOfEdge(event.data.step) ? domain.turn + 1 : domain.turn };
    case 'DomainRecordsDelayed':
    case 'DomainRecordsRemoved':
    case 'DomainRemovalDelayed':
      return domain;
    case 'DomainRemoved':
      return { status: 'free' };
  }
}

function requested(data: Extract<DomainEvent, { type: 'DomainRequested' }>['data']): DomainName {
  const { name, claimId, siteId, projectId, ownerId, challenge, redirectTo, redirectStatus, nextCheckAt, deadlineAt, managed } = data;
  return {
    status: 'pending',
    claim: { name, claimId, siteId, projectId, ownerId, challenge, redirectTo, redirectStatus },
    checks: 0, tries: 0, nextAt: managed.length > 0 ? '' : nextCheckAt, deadlineAt, wasOwned: false, mayBeServed: false, turn: 0,
    records: managed.length > 0 ? { ...noRecords, phase: 'setting', wanted: managed } : noRecords,
  };
}

/** Records are looked at once they are set. */
const isLookedAt = ({ status, records }: DomainName): boolean => status !== 'removing' && records.phase !== 'setting';

/** A failed step after which the edge may be serving it. */
const isOfEdge = (step: string): boolean => step === 'routing' || step === 'tunnel';

function awaiting(domain: DomainName, { operationId, turn, nextCheckAt }: { operationId: string; turn: number; nextCheckAt: string }, since = turn): DomainName {
  return { ...domain, awaits: { operationId, turn, since }, nextAt: nextCheckAt };
}

function idle({ awaits: _, ...domain }: DomainName): DomainName {
  return { ...domain, nextAt: '' };
}
