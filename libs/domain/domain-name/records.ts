import type { DnsRecord } from '#contracts/gen/hostplane/v1/domain.js';
import { nextCheckAt, plus, type CheckPolicy } from './back-off.js';
import type { DomainEvent, DomainName, DomainState } from './domain-name.js';

/**
 * Records that the plane sets itself in a zone that it keeps. none: nothing of ours is there. setting and removing: it may be there in part. What is there is
 * never free for others until it is confirmed to be gone.
 */
export interface ManagedRecords {
  readonly phase: 'none' | 'setting' | 'set' | 'removing';
  /** Set in this order, removed in the reverse one; empty: the domain's owner sets them. */
  readonly wanted: readonly DnsRecord[];
  /** Number of the last try that was recorded. */
  readonly attempts: number;
  /** The same since somebody last asked for it: what the back-off counts. */
  readonly tries: number;
  /** When the next one is due; empty: at once. */
  readonly nextAt: string;
}

/** `records`: those that are set now; none when the plane keeps no zone of that name. */
export type RecordsOutcome = { readonly kind: 'done'; readonly records: readonly DnsRecord[] } | { readonly kind: 'failed'; readonly error: string; readonly isLasting: boolean };

export interface RecordRecords {
  readonly type: 'RecordRecords';
  readonly claimId: string;
  readonly attempt: number;
  readonly work: RecordsWork;
  readonly outcome: RecordsOutcome;
  readonly now: string;
  readonly policy: CheckPolicy;
}

export type RecordsWork = 'set' | 'remove';

export const noRecords: ManagedRecords = { phase: 'none', wanted: [], attempts: 0, tries: 0, nextAt: '' };

/**
 * What the records of a domain wait for, whenever it is due: they are removed after the edge has let go of the name. An active one that was proven without them goes on
 * being asked about: the plane may keep its zone, or have set some of them.
 */
export function recordsWork(domain: DomainState): RecordsWork | undefined {
  if (domain.status === 'free' || domain.awaits) return undefined;
  if (domain.records.phase === 'setting' && ['pending', 'active'].includes(domain.status)) return 'set';
  return domain.records.phase === 'removing' && ['failed', 'removing'].includes(domain.status) ? 'remove' : undefined;
}

/** Whoever keeps the zone cannot be asked just now: what the DNS shows is looked at all the same, since somebody may have set it by hand. */
export const mayBeProvenWithout = (domain: DomainName): boolean => domain.status === 'pending' && recordsWork(domain) === 'set' && domain.records.tries > 0;

/** Records what came of one try. Asked twice, or about an older try, nothing follows. */
export function recordRecords({ claimId, attempt, work, outcome, now, policy }: RecordRecords, domain: DomainName): readonly DomainEvent[] {
  const { claim: { name, siteId }, status, records, deadlineAt } = domain;
  if (domain.claim.claimId !== claimId || attempt !== records.attempts + 1 || recordsWork(domain) !== work) return [];
  const data = { name, siteId, claimId, status };
  if (outcome.kind === 'done') {
    if (work === 'set') return [{ type: 'DomainRecordsSet', data: { ...data, attempt, nextCheckAt: status === 'active' ? '' : now, records: [...outcome.records] } }];
    const removed: DomainEvent = { type: 'DomainRecordsRemoved', data: { ...data, attempt } };
    return status === 'removing' ? [removed, { type: 'DomainRemoved', data: { ...data, status: 'removed' } }] : [removed];
  }
  const { error, isLasting } = outcome;
  const isWaitedFor = work === 'set' && status !== 'active';
  if (isWaitedFor && (isLasting || now >= deadlineAt)) return [{ type: 'DomainFailed', data: { ...data, status: 'failed', step: 'records', error } }];
  const longest = plus(now, policy.longestDelayMs);
  const nextTryAt = isLasting ? longest : nextCheckAt(now, records.tries + 1, isWaitedFor ? deadlineAt : longest, policy);
  return [{ type: 'DomainRecordsDelayed', data: { ...data, attempt, error, nextTryAt } }];
}

/** Folds what happens to a domain into its records. */
export function evolveRecords(records: ManagedRecords, event: DomainEvent, before: DomainName['status']): ManagedRecords {
  switch (event.type) {
    case 'DomainRecordsSet':
      return { ...records, phase: event.data.records.length > 0 ? 'set' : 'none', wanted: event.data.records, attempts: event.data.attempt, tries: 0 };
    case 'DomainRecordsRemoved':
      return { ...records, phase: 'none', attempts: event.data.attempt, tries: 0 };
    case 'DomainRecordsDelayed':
      return { ...records, attempts: event.data.attempt, tries: records.tries + 1, nextAt: event.data.nextTryAt };
    case 'DomainFailed': {
      const attempts = event.data.step === 'records' ? records.attempts + 1 : records.attempts;
      return records.phase === 'none' ? records : { ...records, phase: 'removing', attempts, tries: 0, nextAt: '' };
    }
    case 'DomainReleased':
      return records.phase === 'none' ? records : { ...records, phase: 'removing', tries: 0, nextAt: '' };
    case 'DomainCheckRequested': {
      const anew = { ...records, tries: 0, nextAt: '' };
      return before === 'failed' && records.wanted.length > 0 ? { ...anew, phase: 'setting' } : anew;
    }
    default:
      return records;
  }
}
