import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { projectDecider, useOf, type Project, type ProjectEvent } from './project.js';
import { nothing, type Quota } from './quota.js';

const unlimited: Quota = { sites: null, memoryBytes: null, cpuMillis: null, diskBytes: null };
const server = { memoryBytes: 100, cpuMillis: 20 };
const none = { memoryBytes: 0, cpuMillis: 0 };
const site = { memoryBytes: 10, cpuMillis: 2 };
const requested = { type: 'ProjectRequested', data: { projectId: 'p', operationId: 'o', ownerId: 'admin', name: 'shop', hostId: 'local', subnet: '10.77.0.0/24' } } as const;
const admitted = (siteId: string) => ({ type: 'SiteAdmitted', data: { projectId: 'p', siteId, runtime: 'docker', address: '', ...site } }) as const;
const joined = (siteId: string, takes = none, dataId = '') => ({ type: 'DatabaseServerJoined', data: { projectId: 'p', siteId, dataId, ...takes } }) as const;
const left = (siteId: string, frees = none, dataId = '') => ({ type: 'DatabaseServerLeft', data: { projectId: 'p', siteId, dataId, ...frees } }) as const;
const released = (siteId: string, keptDataId?: string) => ({ type: 'SiteReleased', data: { projectId: 'p', siteId, ...site, diskBytes: 0, ...(keptDataId && { keptDataId }) } }) as const;
const admit = (siteId: string, more: object = { server }, usual = unlimited) => ({ type: 'AdmitSite', siteId, runtime: 'docker', needsAddress: false, needs: { ...nothing, sites: 1, ...site }, usual, ...more }) as const;
const release = (siteId: string, isDataKept = false, dataId = siteId) => ({ type: 'ReleaseSite', siteId, dataId, isDataKept }) as const;
const use = (...events: ProjectEvent[]) => useOf(given(projectDecider, requested, ...events).state() as Project);

describe("a project's own database server", () => {
  const one = [admitted('a'), joined('a', server)];
  it('takes of the quota from the admission of the first site that wants it, once', () => {
    given(projectDecider, requested).when(admit('a')).then(admitted('a'), joined('a', server));
    given(projectDecider, requested, ...one).when(admit('b')).then(admitted('b'), joined('b'));
    given(projectDecider, requested, ...one).when(admit('b', {})).then(admitted('b'));
    expect([use(...one), use(...one, admitted('b'), joined('b'))]).toMatchObject([{ memoryBytes: 110, cpuMillis: 22 }, { memoryBytes: 120, cpuMillis: 24 }]);
  });
  it('is refused with the site where it does not fit', () => {
    given(projectDecider, requested).when(admit('a', { server }, { ...unlimited, memoryBytes: 109 })).refused('quota-exceeded', /memory: 0 bytes of 109 bytes are used, 110 bytes more/);
    given(projectDecider, requested).when(admit('a', { server }, { ...unlimited, cpuMillis: 21 })).refused('quota-exceeded', /cpu: /);
    given(projectDecider, requested).when(admit('a', { server }, { ...unlimited, memoryBytes: 110, cpuMillis: 22 })).thenTypes('SiteAdmitted', 'DatabaseServerJoined');
    given(projectDecider, requested, ...one).when(admit('b', { server }, { ...unlimited, memoryBytes: 120 })).thenTypes('SiteAdmitted', 'DatabaseServerJoined');
  });
  it('is free with the last of its sites', () => {
    const two = [...one, admitted('b'), joined('b')];
    given(projectDecider, requested, ...two).when(release('a')).then(released('a'), left('a'));
    given(projectDecider, requested, ...two, released('a'), left('a')).when(release('b')).then(released('b'), left('b', server));
    expect(use(...two, released('a'), left('a'), released('b'), left('b', server))).toEqual({ ...nothing, writtenBytes: 0 });
    given(projectDecider, requested, ...one, admitted('c')).when(release('c')).then(released('c'));
  });
  it('stays for data that is kept on it, until that went with a site that took it over', () => {
    given(projectDecider, requested, ...one).when(release('a', true)).then(released('a', 'a'), left('a', none, 'a'));
    const kept = [...one, released('a', 'a'), left('a', none, 'a')];
    expect(use(...kept)).toMatchObject({ memoryBytes: 100, cpuMillis: 20, sites: 0 });
    given(projectDecider, requested, ...kept).when(admit('b', { server, data: { takenOver: 'a', bytes: 0 } })).then({ ...admitted('b'), data: { ...admitted('b').data, dataId: 'a' } }, joined('b', none, 'a'));
    const taken = [...kept, admitted('b'), joined('b', none, 'a')];
    given(projectDecider, requested, ...taken).when(release('b', false, 'a')).then(released('b'), left('b', server));
    given(projectDecider, requested, ...taken).when(release('b', true, 'a')).then(released('b', 'a'), left('b', none, 'a'));
  });
  it('is free when the data that was kept on it is discarded, and stays for what else is there', () => {
    const discard = { type: 'DiscardData', siteId: 'a', dataId: 'd' } as const;
    const freed = { type: 'DataFreed', data: { projectId: 'p', siteId: 'a', dataId: 'd', bytes: 0 } } as const;
    const gone = (frees: typeof none) => ({ ...left('a', frees), data: { ...left('a', frees).data, discardedDataId: 'd' } });
    const kept = [...one, released('a', 'd'), left('a', none, 'd')];
    given(projectDecider, requested, ...kept).when(discard).then(freed, gone(server));
    expect(use(...kept, freed, gone(server))).toMatchObject({ memoryBytes: 0, cpuMillis: 0 });
    given(projectDecider, requested, ...kept, admitted('b'), joined('b')).when(discard).then(freed, gone(none));
    expect(use(...kept, admitted('b'), joined('b'), freed, gone(none))).toMatchObject({ memoryBytes: 110, cpuMillis: 22 });
  });
});
