import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { given } from '../../../test/support/given.js';
import { poolDecider, type PoolState } from '../network/pool.js';
import { projectDecider, type Project, type ProjectState } from './project.js';
import { nothing, type Quota } from './quota.js';
import { canProjectMove, projectStatuses } from './status.js';

// One row a status, one column a target, in the order of projectStatuses: x is allowed.
const expected = `
pending      .x....
provisioning ..xx..
running      ....x.
failed       .x..x.
deleting     .....x
deleted      ......`;
const cells = expected.trim().split('\n').flatMap((line) => {
  const [from = '', marks = ''] = line.split(/\s+/);
  return projectStatuses.map((to, i) => [from, to, marks[i] === 'x'] as const);
});

describe('project status', () => {
  it.each(cells)('%s to %s: %s', (from, to, allowed) => expect(canProjectMove(from as (typeof projectStatuses)[number], to)).toBe(allowed));
});

const request = { projectId: 'p', operationId: 'o', ownerId: 'admin', name: 'shop', hostId: 'local', subnet: '10.77.0.0/24' };
const ids = (operationId: string) => ({ projectId: 'p', operationId });
const requested = { type: 'ProjectRequested', data: request } as const;
const provisioning = { type: 'ProjectProvisioningStarted', data: ids('o') } as const;
const running = { type: 'ProjectStarted', data: ids('o') } as const;
const failed = { type: 'ProjectFailed', data: { ...ids('o'), step: 'home', error: 'no room' } } as const;
const admitted = (siteId: string, address: string, takes = { memoryBytes: 0, cpuMillis: 0 }) => ({ type: 'SiteAdmitted', data: { projectId: 'p', siteId, runtime: 'docker', address, ...takes } }) as const;
const unlimited: Quota = { sites: null, memoryBytes: null, cpuMillis: null, diskBytes: null };
const room = { runtime: 'docker', needs: { ...nothing, sites: 1 }, usual: unlimited };

describe('a project', () => {
  it('goes from pending to running, or fails with its error and is retried', () => {
    given(projectDecider).when({ type: 'RequestProject', project: request }).then(requested);
    given(projectDecider, requested).when({ type: 'BeginProvisioning', operationId: 'o' }).then(provisioning);
    given(projectDecider, requested, provisioning).when({ type: 'StartProject', operationId: 'o' }).then(running);
    given(projectDecider, requested, provisioning).when({ type: 'FailProject', operationId: 'o', step: 'home', error: 'no room' }).then(failed);
    given(projectDecider, requested, provisioning, failed).when({ type: 'RetryProject', operationId: 'o2' }).then({ type: 'ProjectRetryRequested', data: ids('o2') });
  });
  it('is deleted when it is empty, and again when its deletion failed', () => {
    const deleting = { type: 'ProjectDeletionRequested', data: ids('d') } as const;
    given(projectDecider, requested, provisioning, running).when({ type: 'DeleteProject', operationId: 'd' }).then(deleting);
    given(projectDecider, requested, provisioning, running, admitted('s', '')).when({ type: 'DeleteProject', operationId: 'd' }).refused('conflict', /still has 1 site/);
    given(projectDecider, requested, provisioning, failed).when({ type: 'DeleteProject', operationId: 'd' }).then(deleting);
    const again = { type: 'ProjectDeletionFailed', data: { ...ids('d'), step: 'home', error: 'busy' } } as const;
    given(projectDecider, requested, provisioning, running, deleting).when({ type: 'FailDelete', operationId: 'd', step: 'home', error: 'busy' }).then(again);
    given(projectDecider, requested, provisioning, running, deleting, again).when({ type: 'DeleteProject', operationId: 'd2' }).thenTypes('ProjectDeletionRequested');
    given(projectDecider, requested, provisioning, running, deleting).when({ type: 'FinishDelete', operationId: 'd' }).then({ type: 'ProjectDeleted', data: ids('d') });
  });
  it('knows where something of it may be left, also when the site is gone', () => {
    const released = { type: 'SiteReleased', data: { projectId: 'p', siteId: 'a', memoryBytes: 0, cpuMillis: 0, diskBytes: 0 } } as const;
    const old = { ...admitted('b', ''), data: { ...admitted('b', '').data, runtime: '' } };
    const state = given(projectDecider, requested, admitted('a', ''), released, admitted('c', ''), old).state() as Project;
    expect([...state.runtimes]).toEqual(['docker', '']);
  });
  it('leases the address after the last one, and comes back to one that was released only when it has gone round', () => {
    const admit = { type: 'AdmitSite', siteId: 'z', needsAddress: true, ...room } as const;
    const released = (siteId: string) => ({ type: 'SiteReleased', data: { projectId: 'p', siteId, memoryBytes: 0, cpuMillis: 0, diskBytes: 0 } }) as const;
    given(projectDecider, requested, admitted('a', '10.77.0.2')).when(admit).then(admitted('z', '10.77.0.3'));
    given(projectDecider, requested, admitted('a', '10.77.0.2'), released('a')).when(admit).then(admitted('z', '10.77.0.3'));
    given(projectDecider, requested, admitted('a', '10.77.0.254'), released('a')).when(admit).then(admitted('z', '10.77.0.2'));
    given(projectDecider, requested, admitted('a', '10.77.0.2'), admitted('b', '10.77.0.254')).when(admit).then(admitted('z', '10.77.0.3'));
  });
  it('never lets two sites hold one address', () => {
    const site = fc.integer({ min: 0, max: 8 }).map(String);
    fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), site), { maxLength: 60 }), (moves) => {
      let state: ProjectState = projectDecider.evolve(projectDecider.initial, requested);
      for (const [admit, siteId] of moves) {
        const events = projectDecider.decide(admit ? { type: 'AdmitSite', siteId, needsAddress: true, ...room } : { type: 'ReleaseSite', siteId, dataId: siteId, isDataKept: false }, state);
        for (const event of events) state = projectDecider.evolve(state, event);
        const held = state.status === 'absent' ? [] : [...state.sites.values()].map(({ address }) => address);
        expect(new Set(held).size).toBe(held.length);
      }
    }));
  });
});

describe('folding a whole project', () => {
  const siteId = fc.integer({ min: 0, max: 5 }).map(String);
  const event = fc.oneof(
    siteId.map((id) => admitted(id, `10.77.0.${id}`, { memoryBytes: 1, cpuMillis: 2 })),
    fc.tuple(siteId, fc.integer({ min: 0, max: 99 })).map(([id, diskBytes]) => ({ type: 'SiteMeasured', data: { projectId: 'p', siteId: id, diskBytes, grownBy: 0 } }) as const),
    siteId.map((id) => ({ type: 'SiteReleased', data: { projectId: 'p', siteId: id, memoryBytes: 1, cpuMillis: 2, diskBytes: 0 } }) as const),
  );
  it('comes to what its events come to one by one, and leaves alone where it began', () => {
    fc.assert(fc.property(fc.array(event, { maxLength: 40 }), fc.array(event, { maxLength: 40 }), (before, after) => {
      const start = projectDecider.fold!(projectDecider.initial, [requested, ...before]);
      const shown = structuredClone(start);
      expect(projectDecider.fold!(start, after)).toEqual([...before, ...after].reduce(projectDecider.evolve, projectDecider.evolve(projectDecider.initial, requested)));
      expect(start).toEqual(shown);
    }));
  });
});

describe('a quota', () => {
  const [MIB, one] = [1024 ** 2, { ...nothing, sites: 1, memoryBytes: 512 * 1024 ** 2, cpuMillis: 1000 }];
  const admit = (siteId: string, needs = one, usual = unlimited) => ({ type: 'AdmitSite', siteId, runtime: 'docker', needsAddress: false, needs, usual }) as const;
  const set = (quota: object) => ({ type: 'ProjectQuotaSet', data: { projectId: 'p', quota: { sites: undefined, memoryBytes: undefined, cpuMillis: undefined, diskBytes: undefined, ...quota } } }) as const;
  const takes = (siteId: string) => admitted(siteId, '', { memoryBytes: 512 * MIB, cpuMillis: 1000 });
  const measure = (diskBytes: number, usual = unlimited) => ({ type: 'MeasureSite', siteId: 'a', diskBytes, usual }) as const;
  const measured = (diskBytes: number, grownBy: number) => ({ type: 'SiteMeasured', data: { projectId: 'p', siteId: 'a', diskBytes, grownBy } }) as const;

  it('is set, changed, and taken back to what is usual', () => {
    given(projectDecider, requested).when({ type: 'SetQuota', quota: { sites: 3, memoryBytes: null } }).then(set({ sites: 3, memoryBytes: -1 }));
    given(projectDecider, requested, set({ sites: 3 })).when({ type: 'SetQuota', quota: {} }).then(set({}));
    given(projectDecider, requested, set({ sites: 0 })).when(admit('a')).refused('quota-exceeded', /sites: 0 of 0 are used, 1 more/);
    given(projectDecider, requested, set({ sites: -1 })).when(admit('a', one, { ...unlimited, sites: 0 })).thenTypes('SiteAdmitted');
    given(projectDecider, requested).when(admit('a', one, { ...unlimited, sites: 0 })).refused('quota-exceeded');
  });
  it('says of each limit how much is used and how much was asked for', () => {
    given(projectDecider, requested, set({ memoryBytes: 768 * MIB, cpuMillis: 1500 }), takes('a')).when(admit('b'))
      .refused('quota-exceeded', /memory: 512 MiB of 768 MiB are used, 512 MiB more were asked for; cpu: 1 cores of 1.5 cores are used, 1 cores more/);
    given(projectDecider, requested, set({ memoryBytes: 1024 * MIB }), takes('a')).when(admit('b')).thenTypes('SiteAdmitted');
  });
  it('below what is used stops growth and nothing else', () => {
    const full = [requested, takes('a'), takes('b'), set({ sites: 1, memoryBytes: 0 })];
    given(projectDecider, ...full).when(admit('c')).refused('quota-exceeded');
    given(projectDecider, ...full).when({ type: 'ReleaseSite', siteId: 'a', dataId: 'a', isDataKept: false }).then({ type: 'SiteReleased', data: { projectId: 'p', siteId: 'a', memoryBytes: 512 * MIB, cpuMillis: 1000, diskBytes: 0 } });
    given(projectDecider, requested, takes('a'), set({ memoryBytes: 0 })).when(admit('b', { ...nothing, sites: 1 })).thenTypes('SiteAdmitted');
  });
  it('refuses nothing that is there already', () => {
    given(projectDecider, requested, set({ diskBytes: 10 }), takes('a'), measured(4, 4)).when(measure(11)).refused('quota-exceeded');
    given(projectDecider, requested, set({ diskBytes: 10 }), takes('a'), measured(4, 4)).when({ type: 'MeasureSite', siteId: 'a', diskBytes: 11 }).then(measured(11, 7));
  });
  it('counts the content that a site begins with', () => {
    const begins = { ...one, diskBytes: 60 };
    const [first] = projectDecider.decide(admit('a', begins), given(projectDecider, requested).state());
    given(projectDecider, requested).when(admit('a', begins)).then(first as ReturnType<typeof admitted>, measured(60, 60));
    given(projectDecider, requested, set({ diskBytes: 50 })).when(admit('a', begins)).refused('quota-exceeded', /disk: 0 bytes of 50 bytes are used, 60 bytes more/);
  });
  it('counts the disk as it is measured, and lets it shrink', () => {
    const grown = [requested, takes('a'), measured(50, 50)];
    given(projectDecider, requested, takes('a')).when(measure(50)).then(measured(50, 50));
    given(projectDecider, ...grown, set({ diskBytes: 60 })).when(measure(61)).refused('quota-exceeded', /disk: 50 bytes of 60 bytes are used, 11 bytes more/);
    given(projectDecider, ...grown, set({ diskBytes: 10 })).when(measure(40)).then(measured(40, -10));
    given(projectDecider, ...grown).when(measure(50)).then();
  });
});

describe('the pool of subnets', () => {
  const lease = (projectId: string) => ({ type: 'LeaseSubnet', projectId, pool: '10.77.0.0/22', prefix: 24 }) as const;
  it('gives the lowest free one, once a project, and says when it is used up', () => {
    let state: PoolState = poolDecider.initial;
    for (const id of ['a', 'b', 'c', 'd']) for (const event of poolDecider.decide(lease(id), state)) state = poolDecider.evolve(state, event);
    expect([...state.values()]).toEqual(['10.77.0.0/24', '10.77.1.0/24', '10.77.2.0/24', '10.77.3.0/24']);
    expect(() => poolDecider.decide(lease('e'), state)).toThrow(/HOSTPLANE_NETWORK_POOL/);
    expect(poolDecider.decide(lease('a'), state)).toEqual([]);
    for (const event of poolDecider.decide({ type: 'ReturnSubnet', projectId: 'b' }, state)) state = poolDecider.evolve(state, event);
    expect(poolDecider.decide(lease('e'), state)).toEqual([{ type: 'SubnetLeased', data: { projectId: 'e', subnet: '10.77.1.0/24' } }]);
  });
});
