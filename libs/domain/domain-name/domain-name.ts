import type { DnsFinding, DnsRecord } from '#contracts/gen/hostplane/v1/domain.js';
import type { MessageOf } from '#contracts/registry.js';
import type { Decider } from '../decider.js';
import type { CheckPolicy } from './back-off.js';
import { decideDomain } from './decide.js';
import { evolveDomain } from './evolve.js';
import type { ManagedRecords, RecordRecords } from './records.js';

export type DomainStatus = 'pending' | 'validating' | 'routing' | 'active' | 'failed' | 'removing';

/** Who wants the name, for which site. Another wish for the same name is another claim. */
export interface Claim {
  readonly name: string;
  readonly claimId: string;
  readonly siteId: string;
  readonly projectId: string;
  readonly ownerId: string;
  readonly challenge: string;
  readonly redirectTo: string;
  readonly redirectStatus: number;
}

/** Names one ask of the edge; its answer bears the same. */
export interface EdgeAsk {
  readonly operationId: string;
  readonly turn: number;
}

/** The last ask of the same, and the number of the first one that was for it. */
export interface AwaitedAsk extends EdgeAsk {
  readonly since: number;
}

/** A name that somebody has claimed. Times are RFC 3339 in UTC; an empty one means never. */
export interface DomainName {
  readonly status: DomainStatus;
  readonly claim: Claim;
  /** How often the DNS was looked at. */
  readonly checks: number;
  /** The same since somebody last asked for it: what the back-off counts. */
  readonly tries: number;
  /** When something is due: a check, or asking the edge again. */
  readonly nextAt: string;
  readonly deadlineAt: string;
  /** Ownership was seen at some time of this claim: nobody else may take the name over. */
  readonly wasOwned: boolean;
  /** The edge may be serving it: it must confirm that it does not before the name is free. */
  readonly mayBeServed: boolean;
  /** Number of the last ask of the edge on the domain's own account. */
  readonly turn: number;
  readonly awaits?: AwaitedAsk;
  readonly records: ManagedRecords;
}

export type DomainState = { readonly status: 'free' } | DomainName;

/** What a look at the DNS has shown. */
export interface CheckResult {
  readonly isOwned: boolean;
  readonly pointsHere: boolean;
  readonly expected: readonly DnsRecord[];
  readonly found: readonly DnsFinding[];
  /** One sentence for its owner; empty: nothing is missing. */
  readonly missing: string;
}

export type DomainCommand =
  /** `managed`: those records that the plane sets itself. */
  | { type: 'RequestDomain'; claim: Claim; expected: readonly DnsRecord[]; managed?: readonly DnsRecord[]; now: string; policy: CheckPolicy }
  | { type: 'RecordCheck'; claimId: string; check: number; result: CheckResult; now: string; policy: CheckPolicy }
  | { type: 'CheckNow'; siteId: string; now: string; policy: CheckPolicy }
  /** `step`: what failed, unless it was the edge itself. `tunnel`: what leads visitors to it. */
  | { type: 'AnswerEdge'; ask: EdgeAsk; error: string; step?: string; tunnel?: string }
  | RecordRecords
  | { type: 'AskEdgeAgain'; now: string; policy: CheckPolicy }
  /** `ask`: the edge has been asked already, for the whole site. */
  | { type: 'RemoveDomain'; siteId: string; reason: string; now: string; policy: CheckPolicy; ask?: EdgeAsk };

export type DomainEventType =
  | 'DomainRequested' | 'DomainChecked' | 'DomainCheckRequested' | 'DomainRoutingStarted' | 'DomainActivated' | 'DomainFailed'
  | 'DomainRemovalRequested' | 'DomainRemovalDelayed' | 'DomainEdgeAskedAgain' | 'DomainRemoved'
  | 'DomainRecordsSet' | 'DomainRecordsDelayed' | 'DomainRecordsRemoved' | 'DomainReleased';

export type DomainEvent = MessageOf<DomainEventType>;

/**
 * The life of a custom hostname, one stream a name: of two who want it at once exactly one gets it, and it is free again only when the edge has
 * confirmed that it serves it no more and the records that the plane set for it are gone. It is served after ownership and pointing have both been seen.
 */
export const domainDecider: Decider<DomainState, DomainCommand, DomainEventType> = {
  category: 'domain',
  initial: { status: 'free' },
  decide: decideDomain,
  evolve: evolveDomain,
};
