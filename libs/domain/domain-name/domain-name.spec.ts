import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { given } from '../../../test/support/given.js';
import { Refusal } from '../refusal.js';
import { nextCheckAt, plus, type CheckPolicy } from './back-off.js';
import { domainDecider, type CheckResult, type DomainCommand, type DomainEvent, type DomainState } from './domain-name.js';

const policy: CheckPolicy = { firstDelayMs: 1_000, longestDelayMs: 60_000, deadlineMs: 600_000, edgeDelayMs: 30_000 };
const now = '2026-01-01T00:00:00.000Z';
const at = (seconds: number): string => plus(now, seconds * 1000);
const claim = { name: 'shop.example.com', claimId: 'c1', siteId: 's1', projectId: 'p', ownerId: 'ann', challenge: 't', redirectTo: '', redirectStatus: 0 };
const ids = { name: claim.name, siteId: 's1', claimId: 'c1' };
const result = (isOwned: boolean, pointsHere: boolean): CheckResult => ({ isOwned, pointsHere, expected: [], found: [], missing: isOwned && pointsHere ? '' : 'The TXT record is missing.' });

const request: DomainCommand = { type: 'RequestDomain', claim, expected: [], now, policy };
const by = (siteId: string, ownerId: string): DomainCommand => ({ ...request, claim: { ...claim, siteId, ownerId, claimId: `c-${siteId}` } });
const check = (n: number, isOwned: boolean, pointsHere: boolean, seconds = n): DomainCommand => ({ type: 'RecordCheck', claimId: 'c1', check: n, result: result(isOwned, pointsHere), now: at(seconds), policy });
const remove: DomainCommand = { type: 'RemoveDomain', siteId: 's1', reason: 'asked for', now, policy };
const answer = (turn: number, error = '', operationId = 'c1'): DomainCommand => ({ type: 'AnswerEdge', ask: { operationId, turn }, error });

/** What follows from commands, one after the other. */
function history(...commands: DomainCommand[]): DomainEvent[] {
  const events: DomainEvent[] = [];
  for (const command of commands) events.push(...domainDecider.decide(command, events.reduce<DomainState>(domainDecider.evolve, domainDecider.initial)));
  return events;
}
const after = (...commands: DomainCommand[]) => given(domainDecider, ...history(...commands));

describe('a domain', () => {
  it('is claimed once: asked for again it changes nothing, and nobody else gets it', () => {
    given(domainDecider).when(request).then({ type: 'DomainRequested', data: { ...claim, status: 'pending', expected: [], nextCheckAt: now, deadlineAt: at(600), managed: [] } });
    after(request).when({ ...request, claim: { ...claim, claimId: 'c2', challenge: 'u' } }).then();
    after(request).when(by('s2', 'bob')).refused('conflict', /is in use already/);
    after(request).when(by('s2', 'ann')).refused('conflict', /another site of yours/);
    after(request).when({ ...request, claim: { ...claim, redirectTo: 'x.example.com', redirectStatus: 301 } }).refused('conflict', /Remove it first/);
  });
  it('goes from pending to validating to routing to active as its records appear', () => {
    after(request, check(1, false, false)).when(check(2, true, false)).thenTypes('DomainChecked');
    expect(history(request, check(1, false, false), check(2, true, false), check(3, true, true), answer(1)).map(({ data }) => data.status)).toEqual(['pending', 'pending', 'validating', 'validating', 'routing', 'active']);
    expect(history(request, check(1, true, false), check(2, false, false)).at(-1)!.data.status).toBe('pending');
  });
  it('needs both proofs: neither an address here nor a token alone is enough', () => {
    for (const [owned, points] of [[true, false], [false, true]] as const) after(request).when(check(1, owned, points)).thenTypes('DomainChecked');
    after(request).when(check(1, true, true)).thenTypes('DomainChecked', 'DomainRoutingStarted');
  });
  it('is looked at again with back-off, for the last time at its deadline, and then fails with what is missing', () => {
    expect([1, 2, 3, 9].map((tries) => nextCheckAt(now, tries, at(600), policy))).toEqual([at(1), at(2), at(4), at(60)]);
    expect(nextCheckAt(at(590), 9, at(600), policy)).toBe(at(600));
    after(request).when(check(1, false, false, 600)).then(
      { type: 'DomainChecked', data: { ...ids, status: 'pending', check: 1, isOwned: false, pointsHere: false, expected: [], found: [], missing: 'The TXT record is missing.', nextCheckAt: '' } },
      { type: 'DomainFailed', data: { ...ids, status: 'failed', step: 'validation', error: 'The DNS was not ready by the deadline. The TXT record is missing.' } },
    );
  });
  it('ignores a check that was of another claim, came twice, or came late', () => {
    after(request, check(1, false, false)).when(check(1, true, true)).then();
    after(request).when({ ...check(1, true, true), claimId: 'other' } as DomainCommand).then();
    after(request, check(1, true, true)).when(check(2, false, false)).then();
  });
  it('is looked at now on request; one that failed is tried anew', () => {
    after(request, check(1, false, false)).when({ type: 'CheckNow', siteId: 's1', now: at(1.5), policy }).then({ type: 'DomainCheckRequested', data: { ...ids, status: 'pending', nextCheckAt: at(1.5), deadlineAt: at(600) } });
    after(request, check(1, false, false, 600)).when({ type: 'CheckNow', siteId: 's1', now: at(700), policy }).then({ type: 'DomainCheckRequested', data: { ...ids, status: 'pending', nextCheckAt: at(700), deadlineAt: at(1300) } });
    after(request, check(1, false, false, 600)).when({ ...request, now: at(700) }).thenTypes('DomainCheckRequested');
    after(request).when({ type: 'CheckNow', siteId: 's2', now, policy }).refused('not-found');
    after(request, check(1, true, true), answer(1), { type: 'CheckNow', siteId: 's1', now: at(9), policy }).when(check(2, false, false)).thenTypes('DomainChecked');
    expect(history(request, check(1, true, true), answer(1), { type: 'CheckNow', siteId: 's1', now: at(9), policy }, check(2, false, false)).at(-1)!.data.status).toBe('active');
  });
  it('whose holder never owned it can be claimed by another once it failed; one that was owned cannot', () => {
    after(request, check(1, false, true, 600)).when(by('s2', 'bob')).thenTypes('DomainRemoved', 'DomainRequested');
    after(request, check(1, true, false), check(2, false, false, 600)).when(by('s2', 'bob')).refused('conflict');
    after(request, check(1, true, true), answer(1, 'nginx refuses')).when(by('s2', 'bob')).refused('conflict');
  });
  it('fails when the edge refuses it, and a retry goes on', () => {
    after(request, check(1, true, true)).when(answer(1, 'nginx refuses')).then({ type: 'DomainFailed', data: { ...ids, status: 'failed', step: 'routing', error: 'nginx refuses' } });
    expect(history(request, check(1, true, true), answer(1, 'no'), { type: 'CheckNow', siteId: 's1', now: at(9), policy }, check(2, true, true), answer(2), answer(3)).map(({ data }) => data.status)).toEqual(
      ['pending', 'validating', 'routing', 'failed', 'pending', 'validating', 'routing', 'active'],
    );
  });
  it('asks an edge that does not answer again, and takes what it says to any ask of the same', () => {
    after(request, check(1, true, true)).when({ type: 'AskEdgeAgain', now: at(2), policy }).then();
    after(request, check(1, true, true)).when({ type: 'AskEdgeAgain', now: at(40), policy }).thenTypes('DomainEdgeAskedAgain');
    const asked = after(request, check(1, true, true), { type: 'AskEdgeAgain', now: at(40), policy });
    for (const turn of [1, 2]) asked.when(answer(turn)).thenTypes('DomainActivated');
    asked.when(answer(1, 'no tunnel')).then({ type: 'DomainFailed', data: { ...ids, status: 'failed', step: 'routing', error: 'no tunnel' } });
    asked.when(answer(3)).then();
    // The edge is told to let go of what failed, under the next number: that it did says nothing of another try.
    const anew = after(request, check(1, true, true), answer(1, 'no'), { type: 'CheckNow', siteId: 's1', now: at(9), policy }, check(2, true, true), { type: 'AskEdgeAgain', now: at(60), policy });
    for (const turn of [1, 2]) anew.when(answer(turn)).then();
    for (const turn of [3, 4]) anew.when(answer(turn)).thenTypes('DomainActivated');
  });
  it('is cancelled at once before the edge had it, and else free only when the edge has confirmed', () => {
    after(request).when(remove).thenTypes('DomainRemovalRequested', 'DomainRemoved');
    after(request, check(1, true, true), answer(1)).when(remove).thenTypes('DomainRemovalRequested');
    after(request, check(1, true, true), answer(1), remove).when(by('s2', 'bob')).refused('conflict', /being removed/);
    after(request, check(1, true, true), answer(1), remove).when(answer(2)).then({ type: 'DomainRemoved', data: { ...ids, status: 'removed' } });
    after(request, check(1, true, true), answer(1), remove, answer(2)).when(by('s2', 'bob')).thenTypes('DomainRequested');
    after(request, check(1, true, true), remove).when(answer(1)).then();
    given(domainDecider).when(remove).then();
    after(request).when({ ...remove, siteId: 's2' }).refused('not-found');
  });
  it('stays removing while the edge cannot let go, and is asked again', () => {
    const stuck = [request, check(1, true, true), answer(1), remove];
    expect(history(...stuck, answer(2, 'no edge'), { type: 'AskEdgeAgain', now: at(60), policy }, answer(3)).map(({ type }) => type).slice(-4)).toEqual(['DomainRemovalRequested', 'DomainRemovalDelayed', 'DomainEdgeAskedAgain', 'DomainRemoved']);
  });
  it('goes with its site: the answer to the site is the one that is waited for', () => {
    const gone: DomainCommand = { ...remove, ask: { operationId: 'destroy', turn: 1 } };
    after(request).when(gone).thenTypes('DomainRemovalRequested');
    after(request, gone).when(answer(1, '', 'destroy')).thenTypes('DomainRemoved');
    after(request, check(1, true, true), gone).when(answer(1)).then();
  });
});

describe('random histories of two owners', () => {
  const seconds = fc.integer({ min: 0, max: 2_000 }).map(at);
  const site = fc.constantFrom('s1', 's2');
  const command: fc.Arbitrary<DomainCommand> = fc.oneof(
    fc.tuple(site, seconds).map(([siteId, time]): DomainCommand => ({ ...request, claim: { ...claim, siteId, ownerId: siteId, claimId: `c-${siteId}-${time}` }, now: time })),
    fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean(), fc.boolean(), seconds).map(([n, owned, points, time]): DomainCommand => ({ type: 'RecordCheck', claimId: '', check: n, result: result(owned, points), now: time, policy })),
    fc.tuple(site, seconds).map(([siteId, time]): DomainCommand => ({ type: 'CheckNow', siteId, now: time, policy })),
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom('', 'no')).map(([turn, error]) => answer(turn, error, '')),
    seconds.map((time): DomainCommand => ({ type: 'AskEdgeAgain', now: time, policy })),
    fc.tuple(site, seconds).map(([siteId, time]): DomainCommand => ({ ...remove, siteId, now: time })),
  );
  it('never serve what was not proven, never free what may be served, and follow one claim at a time', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      let state: DomainState = domainDecider.initial;
      let proven = '';
      for (const each of commands) {
        const claimId = state.status === 'free' ? '' : state.claim.claimId;
        const meant = each.type === 'RecordCheck' ? { ...each, claimId } : each.type === 'AnswerEdge' ? { ...each, ask: { ...each.ask, operationId: claimId } } : each;
        const before = state;
        let events: readonly DomainEvent[];
        try {
          events = domainDecider.decide(meant, state);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          continue;
        }
        for (const event of events) {
          if (event.type === 'DomainChecked' && event.data.isOwned && event.data.pointsHere) proven = event.data.claimId;
          if (event.type === 'DomainRoutingStarted' || event.type === 'DomainActivated') expect(event.data.claimId).toBe(proven);
          if (event.type === 'DomainRemoved' && before.status !== 'free' && before.mayBeServed) expect(meant.type).toBe('AnswerEdge');
          state = domainDecider.evolve(state, event);
        }
      }
    }), { numRuns: 2000 });
  });
});
