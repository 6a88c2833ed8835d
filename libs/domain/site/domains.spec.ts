import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { given } from '../../../test/support/given.js';
import { siteDecider, type SiteCommand, type SiteEvent, type SiteState } from './site.js';
import { Refusal } from '../refusal.js';
import { composedStatus } from './domains.js';
import { allowsDestroy, canMove, isLive, siteStatuses } from './status.js';

const request = {
  siteId: 's', projectId: 'p', operationId: 'launch', ownerId: 'ann', name: 'blog', kind: 'static', runtime: 'files', hostId: 'local',
  hostname: 'blog', address: '', subnet: '', app: undefined, wordpress: undefined, limits: undefined, dataId: '', backupId: '', releaseId: '', content: undefined,
};
const target = { address: '', port: 0, root: 's/current' };
const ids = (operationId: string) => ({ siteId: 's', operationId });
const live: SiteEvent[] = [{ type: 'SiteRequested', data: request }, { type: 'SiteProvisioningStarted', data: ids('launch') }, { type: 'SiteActivated', data: { ...ids('launch'), target } }];
const note = (name: string, status: string, version: number): SiteCommand => ({ type: 'NoteDomain', name, status, version });
const moved = (status: string): SiteEvent => ({ type: 'SiteDomainStatusChanged', data: { siteId: 's', status } });
const noted = (name: string, status: string, version: number): SiteEvent => ({ type: 'SiteDomainNoted', data: { siteId: 's', name, status, version } });

function after(...commands: SiteCommand[]): SiteEvent[] {
  return commands.reduce<SiteEvent[]>((events, command) => [...events, ...siteDecider.decide(command, events.reduce<SiteState>(siteDecider.evolve, siteDecider.initial))], live);
}
const statusAfter = (...commands: SiteCommand[]) => after(...commands).reduce<SiteState>(siteDecider.evolve, siteDecider.initial).status;

describe('the status of a site with custom domains', () => {
  it('follows its domain, from pending to active to removed', () => {
    given(siteDecider, ...live).when(note('a', 'pending', 1)).then(noted('a', 'pending', 1), moved('DOMAIN_PENDING'));
    const statuses = ['pending', 'validating', 'routing', 'active', 'removing', 'removed'];
    expect(statuses.map((_, i) => statusAfter(...statuses.slice(0, i + 1).map((status, at) => note('a', status, at + 1))))).toEqual(
      ['DOMAIN_PENDING', 'DOMAIN_VALIDATING', 'DOMAIN_ROUTING', 'DOMAIN_ACTIVE', 'DOMAIN_REMOVING', 'ACTIVE'],
    );
  });
  it('tells what is under way before what has come to rest', () => {
    expect(statusAfter(note('a', 'active', 1), note('b', 'pending', 1))).toBe('DOMAIN_PENDING');
    expect(statusAfter(note('a', 'routing', 1), note('b', 'validating', 1), note('a', 'active', 2))).toBe('DOMAIN_VALIDATING');
  });
  it('is as if a failed domain had never been', () => {
    expect(statusAfter(note('a', 'pending', 1), note('a', 'failed', 2))).toBe('ACTIVE');
    expect(statusAfter(note('a', 'active', 1), note('b', 'pending', 1), note('b', 'failed', 2))).toBe('DOMAIN_ACTIVE');
  });
  it('goes step by step where the table has no direct move', () => {
    given(siteDecider, ...after(note('a', 'failed', 1))).when(note('a', 'removing', 2)).then(noted('a', 'removing', 2), moved('DOMAIN_PENDING'), moved('DOMAIN_REMOVING'));
  });
  it('ignores news that are late or say nothing new', () => {
    given(siteDecider, ...after(note('a', 'removed', 7))).when(note('a', 'active', 6)).then();
    given(siteDecider, ...after(note('a', 'pending', 1))).when(note('a', 'pending', 2)).then();
  });
  it('waits for a site that is not live, and is there once it is', () => {
    const launching = live.slice(0, 2);
    given(siteDecider, ...launching).when(note('a', 'active', 1)).then(noted('a', 'active', 1));
    given(siteDecider, ...launching, noted('a', 'pending', 1)).when({ type: 'ActivateSite', operationId: 'launch', target }).thenTypes('SiteActivated', 'SiteDomainStatusChanged');
  });
});

describe('a site in each of the domain states', () => {
  const states = [['pending', 'DOMAIN_PENDING'], ['validating', 'DOMAIN_VALIDATING'], ['routing', 'DOMAIN_ROUTING'], ['active', 'DOMAIN_ACTIVE'], ['removing', 'DOMAIN_REMOVING']] as const;
  it.each(states)('%s: takes a release, stops, starts, and can be destroyed', (domain, status) => {
    const history = after(note('a', domain, 1));
    expect(history.reduce<SiteState>(siteDecider.evolve, siteDecider.initial).status).toBe(status);
    const content = { sha256: 'a'.repeat(64), sizeBytes: 1, format: 'zip', fileCount: 1 };
    given(siteDecider, ...history).when({ type: 'PublishRelease', operationId: 'r', releaseId: 'r', content }).thenTypes('SiteReleaseRequested', 'SiteReleaseStarted');
    given(siteDecider, ...history).when({ type: 'SwitchSite', operationId: 'o', action: 'stop' }).thenTypes('SiteSwitchRequested');
    given(siteDecider, ...history).when({ type: 'DestroySite', operationId: 'd', keepData: false }).thenTypes('SiteDestroyRequested');
  });
  it('are composed from any domains by a way along the table', () => {
    for (const from of siteStatuses.filter(isLive)) expect(allowsDestroy(from)).toBe(true);
    expect(new Set(states.map(([domain]) => composedStatus(new Map([['a', { status: domain, version: 1 }]]))))).toEqual(new Set(states.map(([, status]) => status)));
  });
});

describe('random histories of a site and its domains', () => {
  const operation = fc.constantFrom('launch', 'o1', 'o2');
  const command: fc.Arbitrary<SiteCommand> = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('pending', 'validating', 'routing', 'active', 'failed', 'removing', 'removed'), fc.integer({ min: 1, max: 50 })).map(([name, status, version]) => note(name, status, version)) },
    fc.tuple(fc.constantFrom('BeginProvisioning', 'RetrySite', 'FinishSwitch', 'FinishDestroy'), operation).map(([type, operationId]) => ({ type, operationId })),
    operation.map((operationId): SiteCommand => ({ type: 'ActivateSite', operationId, target })),
    operation.map((operationId): SiteCommand => ({ type: 'DestroySite', operationId, keepData: false })),
    operation.map((operationId): SiteCommand => ({ type: 'FailSite', operationId, step: 's', error: 'e', undone: [] })),
    operation.map((operationId): SiteCommand => ({ type: 'SwitchSite', operationId, action: 'stop' })),
  );
  it('move only along the table, compose what a live site shows, and never take a serving site down', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      let state: SiteState = [live[0]!].reduce<SiteState>(siteDecider.evolve, siteDecider.initial);
      for (const each of commands) {
        let events: readonly SiteEvent[];
        const before = state;
        try {
          events = siteDecider.decide(each, state);
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          continue;
        }
        for (const event of events) {
          const from = state.status;
          state = siteDecider.evolve(state, event);
          if (from !== state.status) expect(canMove(from as 'ACTIVE', state.status as 'ACTIVE')).toBe(true);
        }
        if (state.status === 'ABSENT' || before.status === 'ABSENT') continue;
        if (isLive(state.status)) expect(state.status).toBe(composedStatus(state.domains));
        if (each.type === 'NoteDomain') expect([isLive(before.status), before.operation, before.power]).toEqual([isLive(state.status), state.operation, state.power]);
      }
    }), { numRuns: 2000 });
  });
});
