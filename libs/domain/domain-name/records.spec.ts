import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { given } from '../../../test/support/given.js';
import { Refusal } from '../refusal.js';
import { plus, type CheckPolicy } from './back-off.js';
import { domainDecider, type CheckResult, type DomainCommand, type DomainEvent, type DomainState } from './domain-name.js';
import { expectedRecords, managedRecords, type Place } from './proof.js';
import { recordsWork, type RecordsOutcome, type RecordsWork } from './records.js';

const policy: CheckPolicy = { firstDelayMs: 1_000, longestDelayMs: 60_000, deadlineMs: 600_000, edgeDelayMs: 30_000 };
const now = '2026-01-01T00:00:00.000Z';
const at = (seconds: number): string => plus(now, seconds * 1000);
const claim = { name: 'shop.example.com', claimId: 'c1', siteId: 's1', projectId: 'p', ownerId: 'ann', challenge: 't', redirectTo: '', redirectStatus: 0 };
const ids = { name: claim.name, siteId: 's1', claimId: 'c1' };
const place: Place = { addresses: ['192.0.2.1', '2001:db8::1'], siteHostname: 'hello.example.net', isOurs: () => false, isProxy: () => false };
const managed = managedRecords(expectedRecords(claim.name, claim.challenge, place, false), false);
const result = (isOwned: boolean, pointsHere: boolean): CheckResult => ({ isOwned, pointsHere, expected: [], found: [], missing: '' });

const request: DomainCommand = { type: 'RequestDomain', claim, expected: [], managed, now, policy };
const tend = (attempt: number, work: RecordsWork, outcome: RecordsOutcome, seconds = attempt): DomainCommand => ({ type: 'RecordRecords', claimId: 'c1', attempt, work, outcome, now: at(seconds), policy });
const set = (attempt: number): DomainCommand => tend(attempt, 'set', { kind: 'done', records: managed });
const gone = (attempt: number): DomainCommand => tend(attempt, 'remove', { kind: 'done', records: [] });
const failing = (attempt: number, work: RecordsWork, isLasting = false, seconds = attempt): DomainCommand => tend(attempt, work, { kind: 'failed', error: 'Cloudflare says no.', isLasting }, seconds);
const check = (n: number, isGood = true, seconds = n): DomainCommand => ({ type: 'RecordCheck', claimId: 'c1', check: n, result: result(isGood, isGood), now: at(seconds), policy });
const checkNow: DomainCommand = { type: 'CheckNow', siteId: 's1', now: at(700), policy };
const answer = (turn: number, error = '', step = ''): DomainCommand => ({ type: 'AnswerEdge', ask: { operationId: 'c1', turn }, error, step, tunnel: '' });
const remove: DomainCommand = { type: 'RemoveDomain', siteId: 's1', reason: 'asked for', now, policy };

function history(...commands: DomainCommand[]): DomainEvent[] {
  const events: DomainEvent[] = [];
  for (const command of commands) events.push(...domainDecider.decide(command, events.reduce<DomainState>(domainDecider.evolve, domainDecider.initial)));
  return events;
}
const after = (...commands: DomainCommand[]) => given(domainDecider, ...history(...commands));
const state = (...commands: DomainCommand[]) => history(...commands).reduce<DomainState>(domainDecider.evolve, domainDecider.initial);

describe('the records that the plane sets', () => {
  it('are the token, and the addresses, or the alias where there are none or a tunnel leads here', () => {
    const shown = (records: typeof managed) => records.map(({ type, value, proxied }) => [type, value, proxied]);
    expect(shown(managed)).toEqual([['TXT', 't', false], ['A', '192.0.2.1', false], ['AAAA', '2001:db8::1', false]]);
    expect(shown(managedRecords(expectedRecords('a.example.com', 't', { ...place, addresses: [] }, false), true))).toEqual([['TXT', 't', false], ['CNAME', 'hello.example.net', true]]);
    const tunnelled = expectedRecords('example.com', 't', { ...place, tunnelHostname: 'f7.cfargotunnel.com' }, true);
    expect([shown(tunnelled), shown(managedRecords(tunnelled, false))]).toEqual([0, 0].map(() => [['TXT', 't', false], ['CNAME', 'f7.cfargotunnel.com', true]]));
  });
  it('are intended first, and looked for only when they are set', () => {
    expect([recordsWork(state(request)), state(request)]).toMatchObject(['set', { nextAt: '', records: { phase: 'setting', wanted: managed } }]);
    after(request).when(set(1)).then({ type: 'DomainRecordsSet', data: { ...ids, status: 'pending', attempt: 1, nextCheckAt: at(1), records: managed } });
    expect(state(request, set(1))).toMatchObject({ nextAt: at(1), records: { phase: 'set' } });
    expect(recordsWork(state(request, set(1)))).toBeUndefined();
  });
  it('are their owner\'s to set where the plane keeps no such zone', () => {
    const left = [request, tend(1, 'set', { kind: 'done', records: [] })];
    expect(state(...left)).toMatchObject({ status: 'pending', nextAt: at(1), records: { phase: 'none', wanted: [] } });
    after(...left).when(remove).thenTypes('DomainRemovalRequested', 'DomainRemoved');
  });
  it('are tried again with back-off, and the domain fails at its deadline with the step and the reason', () => {
    after(request).when(failing(1, 'set')).then({ type: 'DomainRecordsDelayed', data: { ...ids, status: 'pending', attempt: 1, error: 'Cloudflare says no.', nextTryAt: at(2) } });
    expect(state(request, failing(1, 'set'), failing(2, 'set'))).toMatchObject({ records: { nextAt: at(4), attempts: 2 } });
    after(request).when(failing(1, 'set', false, 600)).then({ type: 'DomainFailed', data: { ...ids, status: 'failed', step: 'records', error: 'Cloudflare says no.' } });
  });
  it('are not waited for by a domain that is proven without them, once they could not be set', () => {
    after(request).when(check(1)).then();
    const without = [request, failing(1, 'set')];
    after(...without).when(check(1, false)).then();
    after(...without).when(check(1)).thenTypes('DomainChecked', 'DomainRoutingStarted');
    expect(recordsWork(state(...without, check(1)))).toBeUndefined();
    const active = [...without, check(1), answer(1)];
    expect([recordsWork(state(...active)), state(...active)]).toMatchObject(['set', { status: 'active', records: { phase: 'setting' } }]);
  });
  it('are asked about until it is known whether they are the plane\'s to set, and never fail what is active', () => {
    const active = [request, failing(1, 'set'), check(1), answer(1)];
    after(...active).when(tend(2, 'set', { kind: 'done', records: [] })).then({ type: 'DomainRecordsSet', data: { ...ids, status: 'active', attempt: 2, nextCheckAt: '', records: [] } });
    for (const isLasting of [true, false]) after(...active).when(failing(2, 'set', isLasting, 900)).then({ type: 'DomainRecordsDelayed', data: { ...ids, status: 'active', attempt: 2, error: 'Cloudflare says no.', nextTryAt: at(isLasting ? 960 : 902) } });
    after(...active, tend(2, 'set', { kind: 'done', records: [] }), remove).when(answer(2)).thenTypes('DomainRemoved');
    after(...active, remove).when(answer(2)).thenTypes('DomainReleased');
  });
  it('fail the domain at once when nothing will change, and what was set is removed', () => {
    after(request).when(failing(1, 'set', true)).thenTypes('DomainFailed');
    after(request, failing(1, 'set', true)).when(gone(1)).then();
    after(request, failing(1, 'set', true)).when(gone(2)).thenTypes('DomainRecordsRemoved');
    expect(recordsWork(state(request, failing(1, 'set', true)))).toBe('remove');
  });
  it('are removed when a later step fails, and set anew by a retry', () => {
    const broken = [[check(1, false, 600)], [check(1), answer(1, 'nginx refuses')], [check(1), answer(1, 'no tunnel', 'tunnel')]];
    for (const [i, steps] of broken.entries()) {
      const failed = [request, set(1), ...steps];
      expect(history(...failed).at(-1)).toMatchObject({ type: 'DomainFailed', data: { step: ['validation', 'routing', 'tunnel'][i] } });
      after(...failed).when(gone(2)).then({ type: 'DomainRecordsRemoved', data: { ...ids, status: 'failed', attempt: 2 } });
      expect(recordsWork(state(...failed, gone(2)))).toBeUndefined();
      const again = state(...failed, gone(2), checkNow);
      expect([recordsWork(again), again]).toMatchObject(['set', { status: 'pending', nextAt: '' }]);
      expect(recordsWork(state(...failed, checkNow))).toBe('set');
    }
  });
  it('go after the edge has let go, and before the name is free', () => {
    const active = [request, set(1), check(1), answer(1)];
    after(...active).when(remove).thenTypes('DomainRemovalRequested');
    expect(recordsWork(state(...active, remove))).toBeUndefined();
    after(...active, remove).when(answer(2)).thenTypes('DomainReleased');
    const released = [...active, remove, answer(2)];
    after(...released).when({ ...request, claim: { ...claim, claimId: 'c2', siteId: 's2' } }).refused('conflict', /being removed/);
    after(...released).when(gone(2)).thenTypes('DomainRecordsRemoved', 'DomainRemoved');
    after(...released).when(failing(2, 'remove', true)).thenTypes('DomainRecordsDelayed');
    after(...released, failing(2, 'remove', true, 690)).when(checkNow).thenTypes('DomainCheckRequested');
    expect(state(...released, failing(2, 'remove', true, 690), checkNow)).toMatchObject({ status: 'removing', nextAt: '', records: { phase: 'removing', nextAt: '' } });
    after(...active, remove).when(checkNow).refused('conflict', /being removed/);
  });
  it('go when the domain is cancelled before the edge had it', () => {
    for (const cancelled of [[request], [request, set(1)], [request, failing(1, 'set')]]) after(...cancelled).when(remove).thenTypes('DomainRemovalRequested', 'DomainReleased');
  });
  it('are recorded once: another claim\'s, an older and a late answer change nothing', () => {
    after(request, failing(1, 'set')).when(failing(1, 'set')).then();
    after(request).when({ ...set(1), claimId: 'other' } as DomainCommand).then();
    after(request, remove).when(set(1)).then();
    after(request, set(1)).when(set(2)).then();
    given(domainDecider).when(set(1)).then();
  });
});

describe('random histories with records of ours', () => {
  const seconds = fc.integer({ min: 0, max: 2_000 });
  const outcome: fc.Arbitrary<RecordsOutcome> = fc.oneof(fc.constant({ kind: 'done', records: managed } as const), fc.boolean().map((isLasting) => ({ kind: 'failed', error: 'no', isLasting }) as const));
  const command: fc.Arbitrary<DomainCommand> = fc.oneof(
    seconds.map((s): DomainCommand => ({ ...request, claim: { ...claim, claimId: `c-${s}` }, now: at(s) })),
    fc.tuple(fc.integer({ min: 1, max: 8 }), fc.constantFrom<RecordsWork>('set', 'remove'), outcome, seconds).map(([n, work, what, s]) => tend(n, work, work === 'remove' && what.kind === 'done' ? { kind: 'done', records: [] } : what, s)),
    fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean(), seconds).map(([n, good, s]) => check(n, good, s)),
    seconds.map((s): DomainCommand => ({ type: 'CheckNow', siteId: 's1', now: at(s), policy })),
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom('', 'no')).map(([turn, error]) => answer(turn, error)),
    fc.constant(remove),
  );
  it('never free a name whose records may be there, and remove only what was set', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      let current: DomainState = domainDecider.initial;
      let mayBeThere = false;
      for (const each of commands) {
        const claimId = current.status === 'free' ? '' : current.claim.claimId;
        const meant = each.type === 'RecordCheck' || each.type === 'RecordRecords' ? { ...each, claimId } : each.type === 'AnswerEdge' ? { ...each, ask: { ...each.ask, operationId: claimId } } : each;
        let events: readonly DomainEvent[];
        try {
          events = domainDecider.decide(meant, current);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          continue;
        }
        for (const event of events) {
          if (event.type === 'DomainRequested' || (event.type === 'DomainCheckRequested' && event.data.status === 'pending')) mayBeThere = true;
          if (event.type === 'DomainRecordsRemoved') mayBeThere = false;
          if (event.type === 'DomainRemoved') expect(mayBeThere).toBe(false);
          if (event.type === 'DomainRoutingStarted') expect(current).toMatchObject({ records: { phase: expect.stringMatching(/^set(ting)?$/) } });
          current = domainDecider.evolve(current, event);
        }
      }
    }), { numRuns: 2000 });
  });
});
