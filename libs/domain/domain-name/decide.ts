import { Refusal } from '../refusal.js';
import { awaitsAnswer } from './awaited.js';
import { nextCheckAt, plus } from './back-off.js';
import type { DomainCommand, DomainEvent, DomainName, DomainState } from './domain-name.js';
import { mayBeProvenWithout, recordRecords, recordsWork } from './records.js';

type Of<T extends DomainCommand['type']> = Extract<DomainCommand, { type: T }>;

/** Answers a command with what follows; late and repeated ones with nothing. */
export function decideDomain(command: DomainCommand, state: DomainState): readonly DomainEvent[] {
  if (command.type === 'RequestDomain') return request(command, state);
  if (state.status === 'free') return command.type === 'CheckNow' ? unknown() : [];
  switch (command.type) {
    case 'RecordCheck':
      return recordCheck(command, state);
    case 'CheckNow':
      return state.claim.siteId === command.siteId ? checkNow(command, state) : unknown();
    case 'AnswerEdge':
      return answerEdge(command, state);
    case 'AskEdgeAgain':
      return askEdgeAgain(command, state);
    case 'RecordRecords':
      return recordRecords(command, state);
    case 'RemoveDomain':
      return state.claim.siteId === command.siteId ? remove(command, state) : unknown();
  }
}

function unknown(): never {
  throw new Refusal('not-found', 'The site has no such domain.');
}

const idsOf = ({ claim }: DomainName) => ({ name: claim.name, siteId: claim.siteId, claimId: claim.claimId });

function request(command: Of<'RequestDomain'>, state: DomainState): readonly DomainEvent[] {
  const { claim, expected, managed = [], now, policy } = command;
  const requested: DomainEvent = {
    type: 'DomainRequested',
    data: { ...claim, status: 'pending', expected: [...expected], nextCheckAt: now, deadlineAt: plus(now, policy.deadlineMs), managed: [...managed] },
  };
  if (state.status === 'free') return [requested];
  const held = state.claim;
  if (state.status === 'removing') throw new Refusal('conflict', `"${held.name}" is being removed. Try again in a moment.`, 'name');
  if (held.siteId === claim.siteId) {
    if (held.redirectTo !== claim.redirectTo || (claim.redirectTo !== '' && held.redirectStatus !== claim.redirectStatus)) {
      throw new Refusal('conflict', `"${held.name}" belongs to the site already${held.redirectTo ? ` and redirects to ${held.redirectTo}` : ''}. Remove it first to change that.`, 'redirectTo');
    }
    return state.status === 'failed' ? checkNow({ type: 'CheckNow', siteId: held.siteId, now, policy }, state) : [];
  }
  if (isLapsed(state)) return [{ type: 'DomainRemoved', data: { ...idsOf(state), status: 'removed' } }, requested];
  const where = held.ownerId === claim.ownerId ? 'belongs to another site of yours. Remove it there first.' : 'is in use already.';
  throw new Refusal('conflict', `"${held.name}" ${where}`, 'name');
}

/** A claim that failed and whose holder never owned the name keeps nobody else from it. */
const isLapsed = (domain: DomainName): boolean => domain.status === 'failed' && !domain.wasOwned && !domain.mayBeServed && domain.records.phase === 'none';

function recordCheck({ claimId, check, result, now, policy }: Of<'RecordCheck'>, domain: DomainName): readonly DomainEvent[] {
  if (domain.claim.claimId !== claimId || check !== domain.checks + 1 || !['pending', 'validating', 'active'].includes(domain.status)) return [];
  const { isOwned, pointsHere } = result;
  // Until the records are set only the whole proof counts: what is missing is theirs to bring.
  if (recordsWork(domain) && !(mayBeProvenWithout(domain) && isOwned && pointsHere)) return [];
  const checked = (status: string, next: string): DomainEvent => ({
    type: 'DomainChecked',
    data: { ...idsOf(domain), status, check, isOwned, pointsHere, expected: [...result.expected], found: [...result.found], missing: result.missing, nextCheckAt: next },
  });
  if (domain.status === 'active') return [checked('active', '')];
  if (isOwned && pointsHere) {
    const ask = { operationId: claimId, turn: domain.turn + 1, nextCheckAt: plus(now, policy.edgeDelayMs) };
    return [checked('validating', ''), { type: 'DomainRoutingStarted', data: { ...idsOf(domain), status: 'routing', ...ask } }];
  }
  const status = isOwned || pointsHere ? 'validating' : 'pending';
  if (now < domain.deadlineAt) return [checked(status, nextCheckAt(now, domain.tries + 1, domain.deadlineAt, policy))];
  const error = `The DNS was not ready by the deadline. ${result.missing}`;
  return [checked(status, ''), { type: 'DomainFailed', data: { ...idsOf(domain), status: 'failed', step: 'validation', error } }];
}

function checkNow({ now, policy }: Of<'CheckNow'>, domain: DomainName): readonly DomainEvent[] {
  if (domain.status === 'removing' && recordsWork(domain) === undefined) throw new Refusal('conflict', 'The domain is being removed.');
  if (domain.status === 'routing' || (domain.nextAt !== '' && domain.nextAt <= now)) return [];
  const isAnew = domain.status === 'failed';
  if (!isAnew && recordsWork(domain) && domain.records.nextAt <= now) return [];
  const deadlineAt = isAnew ? plus(now, policy.deadlineMs) : domain.deadlineAt;
  return [{ type: 'DomainCheckRequested', data: { ...idsOf(domain), status: isAnew ? 'pending' : domain.status, nextCheckAt: now, deadlineAt } }];
}

function answerEdge({ ask, error, step, tunnel = '' }: Of<'AnswerEdge'>, domain: DomainName): readonly DomainEvent[] {
  if (!awaitsAnswer(domain, ask)) return [];
  const data = idsOf(domain);
  if (domain.status === 'routing') {
    if (error === '') return [{ type: 'DomainActivated', data: { ...data, status: 'active', tunnel } }];
    return [{ type: 'DomainFailed', data: { ...data, status: 'failed', step: step || 'routing', error } }];
  }
  if (domain.status !== 'removing') return [];
  if (error === '') return [released(domain)];
  return [{ type: 'DomainRemovalDelayed', data: { ...data, status: 'removing', error } }];
}

function askEdgeAgain({ now, policy }: Of<'AskEdgeAgain'>, domain: DomainName): readonly DomainEvent[] {
  if (!domain.awaits || domain.nextAt > now) return [];
  const ask = { operationId: domain.claim.claimId, turn: domain.turn + 1, nextCheckAt: plus(now, policy.edgeDelayMs) };
  return [{ type: 'DomainEdgeAskedAgain', data: { ...idsOf(domain), status: domain.status, ...ask } }];
}

function remove({ reason, now, policy, ask }: Of<'RemoveDomain'>, domain: DomainName): readonly DomainEvent[] {
  if (domain.status === 'removing') return [];
  const data = { ...idsOf(domain), status: 'removing', reason };
  if (!domain.mayBeServed && !ask) {
    return [
      { type: 'DomainRemovalRequested', data: { ...data, operationId: '', turn: 0, nextCheckAt: '' } },
      released(domain),
    ];
  }
  const { operationId, turn } = ask ?? { operationId: domain.claim.claimId, turn: domain.turn + 1 };
  return [{ type: 'DomainRemovalRequested', data: { ...data, operationId, turn, nextCheckAt: plus(now, policy.edgeDelayMs) } }];
}

/** What follows once no edge serves it: it is free, or its records go first. */
function released(domain: DomainName): DomainEvent {
  if (domain.records.phase === 'none') return { type: 'DomainRemoved', data: { ...idsOf(domain), status: 'removed' } };
  return { type: 'DomainReleased', data: { ...idsOf(domain), status: 'removing' } };
}
