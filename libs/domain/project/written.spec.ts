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
const expects = (siteId: string, bytes: number) => ({ type: 'DataExpected', data: { projectId: 'p', siteId, bytes } }) as const;
const freed = (siteId: string, dataId: string, bytes: number) => ({ type: 'DataFreed', data: { projectId: 'p', siteId, dataId, bytes } }) as const;
const released = (siteId: string, diskBytes = 0) => ({ type: 'SiteReleased', data: { projectId: 'p', siteId, memoryBytes: 0, cpuMillis: 0, diskBytes } }) as const;
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
    given(projectDecider, ...full).when(admit('b', limited(50), { takenOver: 'a', bytes: 0 })).then(admitted('b'));
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
  it('frees what it was expected to bring when it is gone', () => {
    given(projectDecider, requested, admitted('b'), expects('b', 40)).when(release('b')).then(released('b'), freed('b', 'b', 40));
    expect(use(admitted('b'), expects('b', 40), released('b'), freed('b', 'b', 40))).toMatchObject({ diskBytes: 0 });
  });
});

describe('data that a backup takes the place of', () => {
  const known = [requested, admitted('a'), measured({ a: 50 }, 7, 50, 50)];
  const replace = (bytes: number, most: number) => ({ type: 'ReplaceData', dataId: 'a', bytes, usual: limited(most) }) as const;
  it('has to fit as far as there is more of it', () => {
    given(projectDecider, ...known).when(replace(60, 60)).then();
    given(projectDecider, ...known).when(replace(60, 59)).refused('quota-exceeded', /disk: 50 bytes of 59 bytes are used .*, 10 bytes more/);
    given(projectDecider, ...known).when(replace(50, 10)).then();
  });
});

describe('the data of a destroyed site', () => {
  const known = [requested, admitted('a'), measured({ d: 50, e: 1 }, 7, 51, 51)];
  it('is free with it, and counts on when it is kept', () => {
    given(projectDecider, ...known).when(release('a', 'd')).then(released('a'), freed('a', 'd', 50));
    given(projectDecider, ...known).when(release('a', 'd', true)).then(released('a'));
    expect(use(admitted('a'), measured({ d: 50, e: 1 }, 7, 51, 51), released('a'), freed('a', 'd', 50))).toMatchObject({ writtenBytes: 1 });
    expect(use(admitted('a'), measured({ d: 50, e: 1 }, 7, 51, 51), released('a'))).toMatchObject({ writtenBytes: 51 });
  });
});
