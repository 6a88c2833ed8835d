import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { poolDecider } from './pool.js';

describe('folding the pool', () => {
  const projectId = fc.integer({ min: 0, max: 5 }).map(String);
  const event = fc.oneof(
    fc.tuple(projectId, fc.integer({ min: 0, max: 9 })).map(([id, n]) => ({ type: 'SubnetLeased', data: { projectId: id, subnet: `10.77.${n}.0/24` } }) as const),
    projectId.map((id) => ({ type: 'SubnetReturned', data: { projectId: id, subnet: '' } }) as const),
  );
  it('comes to what its events come to one by one, and leaves alone where it began', () => {
    fc.assert(fc.property(fc.array(event), fc.array(event), (before, after) => {
      const start = poolDecider.fold!(poolDecider.initial, before);
      const shown = structuredClone(start);
      expect(poolDecider.fold!(start, after)).toEqual([...before, ...after].reduce(poolDecider.evolve, poolDecider.initial));
      expect(start).toEqual(shown);
    }));
  });
});
