import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { projectDecider, useOf, type Project, type ProjectEvent } from './project.js';
import { nothing, type Quota } from './quota.js';

const MIB = 1024 ** 2;
const unlimited: Quota = { sites: null, memoryBytes: null, cpuMillis: null, diskBytes: null };
const limited = (diskBytes: number): Quota => ({ ...unlimited, diskBytes });
const requested = { type: 'ProjectRequested', data: { projectId: 'p', operationId: 'o', ownerId: 'admin', name: 'shop', hostId: 'local', subnet: '10.77.0.0/24' } } as const;
const admitted = (siteId: string) => ({ type: 'SiteAdmitted', data: { projectId: 'p', siteId, runtime: 'docker', address: '', memoryBytes: 0, cpuMillis: 0 } }) as const;
const uploaded = (siteId: string, diskBytes: number) => ({ type: 'SiteMeasured', data: { projectId: 'p', siteId, diskBytes, grownBy: diskBytes } }) as const;
const expects = (siteId: string, bytes: number, more: { dataId?: string; replacedDataId?: string; grownBy?: number } = {}) => ({ type: 'DataExpected', data: { projectId: 'p', siteId, bytes, dataId: siteId, grownBy: bytes, ...more } }) as const;
const arrived = (siteId: string, grownBy = 0) => ({ type: 'DataArrived', data: { projectId: 'p', siteId, grownBy } }) as const;
const freed = (siteId: string, dataId: string, bytes: number) => ({ type: 'DataFreed', data: { projectId: 'p', siteId, dataId, bytes } }) as const;
const released = (siteId: string, diskBytes = 0, keptDataId?: string) => ({ type: 'SiteReleased', data: { projectId: 'p', siteId, memoryBytes: 0, cpuMillis: 0, diskBytes, ...(keptDataId && { keptDataId }) } }) as const;
const list = (data: Record<string, number>) => Object.entries(data).map(([dataId, bytes]) => ({ dataId, bytes }));
const measure = (data: Record<string, number>, revision: number) => ({ type: 'MeasureProject', data: list(data), revision }) as const;
const measured = (data: Record<string, number>, revision: number, writtenBytes: number, grownBy: number) => ({ type: 'ProjectMeasured', data: { projectId: 'p', data: list(data), writtenBytes, grownBy, revision } }) as const;
const admit = (siteId: string, usual: Quota, data = { takenOver: '', bytes: 0 }) => ({ type: 'AdmitSite', siteId, runtime: 'docker', needsAddress: false, needs: { ...nothing, sites: 1 }, usual, data }) as const;
const release = (siteId: string, dataId = siteId, isDataKept = false) => ({ type: 'ReleaseSite', siteId, dataId, isDataKept }) as const;
const use = (...events: ProjectEvent[]) => useOf(given(projectDecider, requested, ...events).state() as Project);

describe('what the sites of a project have written', () => {
  it('counts from the record of its host on, as much as was measured last', () => {
    given(projectDecider, requested, admitted('a')).when(measure({ a: 50 }, 7)).then(measured({ a: 50 }, 7, 50, 50));
    given(projectDecider, requested, admitted('a'), measured({ a: 50 }, 7, 50, 50)).when(measure({ a: 30, b: 5 }, 9)).then(measured({ a: 30, b: 5 }, 9, 35, -15));
    given(projectDecider, requested, measured({ a: 50 }, 7, 50, 50)).when(measure({}, 9)).then(measured({}, 9, 0, -50));
    expect(use(admitted('a'), uploaded('a', 8), measured({ a: 50 }, 7, 50, 50))).toMatchObject({ diskBytes: 58, writtenBytes: 50 });
  });
  it('is not recorded when it is the same, older than what is known, or of a project that is gone', () => {
    const known = [requested, measured({ a: 50 }, 7, 50, 50)];
    for (const late of [measure({ a: 50 }, 9), measure({ a: 1 }, 7), measure({}, 6)]) given(projectDecider, ...known).when(late).then();
    const ids = { projectId: 'p', operationId: 'o' };
    const gone = [{ type: 'ProjectProvisioningStarted', data: ids }, { type: 'ProjectStarted', data: ids }, { type: 'ProjectDeletionRequested', data: ids }, { type: 'ProjectDeleted', data: ids }] as const;
    given(projectDecider, requested, ...gone).when(measure({ a: 1 }, 9)).then();
  });
  it('is taken on however far above the quota it is; then nothing more is let in', () => {
    const set = { type: 'ProjectQuotaSet', data: { projectId: 'p', quota: { sites: undefined, memoryBytes: undefined, cpuMillis: undefined, diskBytes: 10 } } } as const;
    const full = [requested, set, admitted('a'), uploaded('a', 4)];
    given(projectDecider, ...full).when(measure({ a: 50 }, 7)).then(measured({ a: 50 }, 7, 50, 50));
    const above = [...full, measured({ a: 50 }, 7, 50, 50)];
    given(projectDecider, ...above).when({ type: 'MeasureSite', siteId: 'a', diskBytes: 5, usual: unlimited }).refused('quota-exceeded', /disk: 54 bytes of 10 bytes are used \(4 bytes by uploads, 50 bytes written by sites\), 1 bytes more were asked for/);
    given(projectDecider, ...above).when({ type: 'MeasureSite', siteId: 'a', diskBytes: 3, usual: unlimited }).thenTypes('SiteMeasured');
    given(projectDecider, ...above).when(release('a')).then(released('a', 4), freed('a', 'a', 50));
  });
  it('is named in MiB where it is no whole number of them', () => {
    given(projectDecider, requested, measured({ a: 70 * MIB + 400_000 }, 7, 70 * MIB + 400_000, 0)).when(admit('b', limited(64 * MIB), { takenOver: '', bytes: 3 * MIB }))
      .refused('quota-exceeded', /disk: 70\.4 MiB of 64 MiB are used \(0 bytes by uploads, 70\.4 MiB written by sites\), 3 MiB more/);
  });
});

describe('a site that is going to write', () => {
  const full = [requested, measured({ a: 50 }, 7, 50, 50)];
  it.each([[51, true], [50, false], [49, false], [0, false]])('is let in where 50 bytes of %p are used: %p', (most, isLetIn) => {
    const asked = given(projectDecider, ...full).when(admit('b', limited(most)));
    if (isLetIn) asked.thenTypes('SiteAdmitted');
    else asked.refused('quota-exceeded', /disk: 50 bytes of .* nothing is left for what the site is going to write/);
  });
  it('is let in with data that is there already, and so is one that writes nothing', () => {
    given(projectDecider, ...full).when(admit('b', limited(50), { takenOver: 'a', bytes: 0 })).then({ ...admitted('b'), data: { ...admitted('b').data, dataId: 'a' } });
    given(projectDecider, ...full).when({ ...admit('b', limited(50)), data: undefined }).then(admitted('b'));
  });
});

describe('a site that begins with a backup', () => {
  const begin = (most: number) => admit('b', limited(most), { takenOver: '', bytes: 40 });
  it('needs room for its data, which counts at once, and until it is measured', () => {
    given(projectDecider, requested).when(begin(40)).then(admitted('b'), expects('b', 40));
    given(projectDecider, requested).when(begin(39)).refused('quota-exceeded', /disk: 0 bytes of 39 bytes are used, 40 bytes more/);
    const begun = [requested, admitted('b'), expects('b', 40)];
    given(projectDecider, ...begun).when({ ...begin(79), siteId: 'c' }).refused('quota-exceeded', /40 bytes of 79 bytes are used/);
    given(projectDecider, ...begun).when(measure({ a: 5 }, 7)).then(measured({ a: 5 }, 7, 45, 5));
    given(projectDecider, ...begun).when(measure({ b: 44 }, 7)).then(measured({ b: 44 }, 7, 44, 4));
    expect(use(admitted('b'), expects('b', 40), measured({ b: 44 }, 7, 44, 4))).toMatchObject({ diskBytes: 44, writtenBytes: 44 });
  });
  it('keeps its room while a part of it is there, and takes what was measured when it has arrived', () => {
    const half = [requested, admitted('b'), expects('b', 40), measured({ b: 5 }, 7, 40, 0)];
    given(projectDecider, requested, admitted('b'), expects('b', 40)).when(measure({ b: 5 }, 7)).then(measured({ b: 5 }, 7, 40, 0));
    given(projectDecider, ...half).when({ ...begin(79), siteId: 'c' }).refused('quota-exceeded', /40 bytes of 79 bytes are used/);
    given(projectDecider, ...half).when({ type: 'SettleData', siteId: 'b', isThere: true }).then(arrived('b', -35));
    given(projectDecider, requested, admitted('b'), expects('b', 40)).when({ type: 'SettleData', siteId: 'b', isThere: true }).then(arrived('b'));
    given(projectDecider, requested, admitted('b'), expects('b', 40), arrived('b')).when(measure({ b: 30 }, 7)).then(measured({ b: 30 }, 7, 30, -10));
    given(projectDecider, requested, admitted('b')).when({ type: 'SettleData', siteId: 'b', isThere: true }).then();
  });
  it('of an older log counts until it was measured', () => {
    const old = { type: 'DataExpected', data: { projectId: 'p', siteId: 'b', bytes: 40 } } as const;
    given(projectDecider, requested, admitted('b'), old).when(measure({ a: 5 }, 7)).then(measured({ a: 5 }, 7, 45, 5));
    given(projectDecider, requested, admitted('b'), old).when(measure({ b: 30 }, 7)).then(measured({ b: 30 }, 7, 30, -10));
  });
  it('frees what it was expected to bring when it is gone', () => {
    given(projectDecider, requested, admitted('b'), expects('b', 40)).when(release('b')).then(released('b'), freed('b', 'b', 40));
    expect(use(admitted('b'), expects('b', 40), released('b'), freed('b', 'b', 40))).toMatchObject({ diskBytes: 0 });
  });
});

describe('data that a backup takes the place of', () => {
  const known = [requested, admitted('a'), measured({ a: 50 }, 7, 50, 50)];
  const replace = (bytes: number, most: number, newDataId = 'n', dataId = 'a') => ({ type: 'ReplaceData', siteId: 'a', dataId, newDataId, bytes, usual: limited(most) }) as const;
  const coming = (bytes: number, grownBy: number) => expects('a', bytes, { dataId: 'n', replacedDataId: 'a', grownBy });
  const settle = (isThere: boolean) => ({ type: 'SettleData', siteId: 'a', isThere }) as const;
  it('has to fit as far as there is more of it', () => {
    given(projectDecider, ...known).when(replace(60, 60)).then(coming(60, 10));
    given(projectDecider, ...known).when(replace(60, 59)).refused('quota-exceeded', /disk: 50 bytes of 59 bytes are used .*, 10 bytes more/);
    given(projectDecider, ...known).when(replace(40, 10)).then(coming(40, 0));
  });
  it('has the room that it needs from the moment that it was asked for', () => {
    given(projectDecider, ...known, coming(60, 10)).when(admit('b', limited(60), { takenOver: '', bytes: 1 })).refused('quota-exceeded', /60 bytes of 60 bytes are used/);
    given(projectDecider, ...known, coming(60, 10)).when(replace(60, 60)).then();
    expect([use(...known.slice(1), coming(60, 10)), use(...known.slice(1), coming(40, 0))]).toMatchObject([{ writtenBytes: 60 }, { writtenBytes: 50 }]);
  });
  it('counts as what is there when that is more, for a while both', () => {
    given(projectDecider, ...known, coming(60, 10)).when(measure({ a: 50, n: 5 }, 8)).then(measured({ a: 50, n: 5 }, 8, 60, 0));
    given(projectDecider, ...known, coming(60, 10)).when(measure({ a: 50, n: 60 }, 8)).then(measured({ a: 50, n: 60 }, 8, 110, 50));
    given(projectDecider, ...known, coming(60, 10)).when(measure({ a: 20 }, 8)).then(measured({ a: 20 }, 8, 60, 0));
  });
  it('counts as it is measured when the new is there, and as before when it is not going to come', () => {
    given(projectDecider, ...known, coming(60, 10)).when(settle(true)).then(arrived('a'));
    expect(use(...known.slice(1), coming(60, 10), arrived('a'), measured({ n: 55 }, 8, 55, -5))).toMatchObject({ writtenBytes: 55 });
    given(projectDecider, ...known, coming(60, 10)).when(settle(false)).then(freed('a', '', 10));
    expect(use(...known.slice(1), coming(60, 10), freed('a', '', 10))).toMatchObject({ writtenBytes: 50 });
    given(projectDecider, ...known, coming(60, 10), arrived('a')).when(settle(false)).then();
  });
  it('counts as what it was expected to be where nobody measures', () => {
    const copied = [admitted('a'), expects('a', 40), arrived('a')];
    given(projectDecider, requested, ...copied).when(replace(60, 59)).refused('quota-exceeded', /40 bytes of 59 bytes are used .*, 20 bytes more/);
    given(projectDecider, requested, ...copied).when(replace(60, 60)).then(coming(60, 20));
    given(projectDecider, requested, ...copied, coming(60, 20)).when(settle(false)).then(freed('a', '', 20));
    expect([use(...copied, coming(60, 20), freed('a', '', 20)), use(...copied, coming(60, 20), arrived('a'))]).toMatchObject([{ writtenBytes: 40 }, { writtenBytes: 60 }]);
  });
});

describe('the data of a destroyed site', () => {
  const known = [requested, admitted('a'), measured({ d: 50, e: 1 }, 7, 51, 51)];
  const discard = { type: 'DiscardData', siteId: 'a', dataId: 'd' } as const;
  it('is free with it, and counts on when it is kept', () => {
    given(projectDecider, ...known).when(release('a', 'd')).then(released('a'), freed('a', 'd', 50));
    given(projectDecider, ...known).when(release('a', 'd', true)).then(released('a', 0, 'd'));
    expect(use(admitted('a'), measured({ d: 50, e: 1 }, 7, 51, 51), released('a'), freed('a', 'd', 50))).toMatchObject({ writtenBytes: 1 });
    expect(use(admitted('a'), measured({ d: 50, e: 1 }, 7, 51, 51), released('a', 0, 'd'))).toMatchObject({ writtenBytes: 51 });
  });
  it('is free when it is discarded, once, also when nobody had measured it', () => {
    given(projectDecider, ...known, released('a', 0, 'd')).when(discard).then(freed('a', 'd', 50));
    given(projectDecider, ...known, released('a', 0, 'd'), freed('a', 'd', 50)).when(discard).then();
    given(projectDecider, requested, admitted('a'), released('a', 0, 'd')).when(discard).then(freed('a', 'd', 0));
  });
  it('keeps its project from being deleted, until it is discarded or another site has it', () => {
    const ids = { projectId: 'p', operationId: 'o' };
    const running = [requested, { type: 'ProjectProvisioningStarted', data: ids }, { type: 'ProjectStarted', data: ids }, admitted('a'), released('a', 0, 'd')] as const;
    const remove = { type: 'DeleteProject', operationId: 'x' } as const;
    given(projectDecider, ...running).when(remove).refused('conflict', /the data of 1 destroyed site\(s\), which was to be kept/);
    given(projectDecider, ...running, freed('a', 'd', 0)).when(remove).thenTypes('ProjectDeletionRequested');
    const heir = { ...admitted('b'), data: { ...admitted('b').data, dataId: 'd' } };
    given(projectDecider, ...running, heir, released('b'), freed('b', 'd', 0)).when(remove).thenTypes('ProjectDeletionRequested');
    given(projectDecider, ...running, heir, released('b', 0, 'd')).when(remove).refused('conflict', /the data of 1/);
  });
});
