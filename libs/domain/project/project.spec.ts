import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { given } from '../../../test/support/given.js';
import { poolDecider, type PoolState } from '../network/pool.js';
import { projectDecider, type ProjectState } from './project.js';
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
const admitted = (siteId: string, address: string) => ({ type: 'SiteAdmitted', data: { projectId: 'p', siteId, address } }) as const;

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
  it('leases the address after the last one, and comes back to one that was released only when it has gone round', () => {
    const admit = { type: 'AdmitSite', siteId: 'z', needsAddress: true } as const;
    const released = (siteId: string) => ({ type: 'SiteReleased', data: { projectId: 'p', siteId } }) as const;
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
        const events = projectDecider.decide(admit ? { type: 'AdmitSite', siteId, needsAddress: true } : { type: 'ReleaseSite', siteId }, state);
        for (const event of events) state = projectDecider.evolve(state, event);
        const held = state.status === 'absent' ? [] : [...state.sites.values()];
        expect(new Set(held).size).toBe(held.length);
      }
    }));
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
