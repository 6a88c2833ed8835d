import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { believed, healthDecider, mayBeRepaired, waitAfter, type HealthState } from './health.js';

const seen = (state: HealthState, detail = '') => ({ state, detail });
const observe = (state: HealthState, detail = '') => ({ type: 'ObserveWorkload', siteId: 's', hostId: 'local', state, detail }) as const;
const observed = (state: string, detail = '') => ({ type: 'WorkloadObserved', data: { siteId: 's', hostId: 'local', state, detail } }) as const;

describe('the health of a workload', () => {
  it('is recorded when it changes, and only then', () => {
    given(healthDecider).when(observe('healthy')).then();
    given(healthDecider).when(observe('stopped', 'exit code 137')).then(observed('stopped', 'exit code 137'));
    given(healthDecider, observed('stopped')).when(observe('stopped', 'another reason')).then();
    given(healthDecider, observed('stopped')).when(observe('healthy')).then(observed('healthy'));
  });
  it('is believed to be bad when it was found to be so twice in a row', () => {
    expect(believed(seen('stopped'), undefined)).toBeUndefined();
    expect(believed(seen('stopped'), seen('failing'))).toBeUndefined();
    expect(believed(seen('stopped', 'now'), seen('stopped', 'then'))).toEqual(seen('stopped', 'now'));
    expect(believed(seen('healthy'), seen('stopped'))).toEqual(seen('healthy'));
  });
  it('is repaired less and less often, and only where that may help', () => {
    expect([0, 1, 2, 3, 99].map(waitAfter)).toEqual([10_000, 20_000, 40_000, 80_000, 3_600_000]);
    const helps = (kind: string) => ['healthy', 'stopped', 'missing', 'failing', 'unknown'].filter((state) => mayBeRepaired(state, kind));
    expect([helps('app'), helps('wordpress')]).toEqual([['stopped', 'missing'], ['stopped', 'missing', 'failing']]);
  });
});
