import type { DomainEvent, DomainName, DomainState, DomainStatus } from './domain-name.js';

/** Folds one event into the domain. Each event says the status that it leads to. */
export function evolveDomain(state: DomainState, event: DomainEvent): DomainState {
  if (event.type === 'DomainRequested') return requested(event.data);
  if (state.status === 'free') throw new Error(`${event.type} for a domain that nobody has claimed.`);
  const domain: DomainName = { ...state, status: event.data.status as DomainStatus };
  switch (event.type) {
    case 'DomainChecked': {
      const { check, nextCheckAt, isOwned } = event.data;
      return { ...domain, checks: check, tries: domain.tries + 1, nextAt: nextCheckAt, wasOwned: domain.wasOwned || isOwned };
    }
    case 'DomainCheckRequested':
      return { ...domain, tries: 0, nextAt: event.data.nextCheckAt, deadlineAt: event.data.deadlineAt };
    case 'DomainRoutingStarted':
    case 'DomainEdgeAskedAgain':
      return { ...awaiting(domain, event.data), turn: event.data.turn, mayBeServed: true };
    case 'DomainRemovalRequested': {
      const isOwn = event.data.operationId === domain.claim.claimId;
      return event.data.operationId === '' ? domain : { ...awaiting(domain, event.data), turn: isOwn ? event.data.turn : domain.turn };
    }
    case 'DomainActivated':
      return idle(domain);
    case 'DomainFailed':
      // The edge is asked to let go of what it may have begun to serve, under the next number.
      return { ...idle(domain), turn: event.data.step === 'routing' ? domain.turn + 1 : domain.turn };
    case 'DomainRemovalDelayed':
      return domain;
    case 'DomainRemoved':
      return { status: 'free' };
  }
}

function requested(data: Extract<DomainEvent, { type: 'DomainRequested' }>['data']): DomainName {
  const { name, claimId, siteId, projectId, ownerId, challenge, redirectTo, redirectStatus, nextCheckAt, deadlineAt } = data;
  return {
    status: 'pending',
    claim: { name, claimId, siteId, projectId, ownerId, challenge, redirectTo, redirectStatus },
    checks: 0, tries: 0, nextAt: nextCheckAt, deadlineAt, wasOwned: false, mayBeServed: false, turn: 0,
  };
}

function awaiting(domain: DomainName, { operationId, turn, nextCheckAt }: { operationId: string; turn: number; nextCheckAt: string }): DomainName {
  return { ...domain, awaits: { operationId, turn }, nextAt: nextCheckAt };
}

function idle({ awaits: _, ...domain }: DomainName): DomainName {
  return { ...domain, nextAt: '' };
}
