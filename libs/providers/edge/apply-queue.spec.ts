import { describe, expect, it } from '@jest/globals';
import type { AppliedEdge, RouteTable } from '../edge.js';
import { ApplyQueue } from './apply-queue.js';

const table = (revision: number): RouteTable => ({ revision, routes: [] });

/** A queue whose work takes a turn of the clock; the revisions that were worked on, in order. */
function queueThatRefuses(...refused: number[]): { queue: ApplyQueue; worked: number[] } {
  const worked: number[] = [];
  const queue = new ApplyQueue(async ({ revision }): Promise<AppliedEdge> => {
    worked.push(revision);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (refused.includes(revision)) throw new Error(`refused ${revision}`);
    return { revision, configHash: '' };
  });
  return { queue, worked };
}

describe('tables that wait', () => {
  it('are answered by the newest of them', async () => {
    const { queue, worked } = queueThatRefuses();
    const first = queue.apply(table(1));
    await Promise.resolve();
    const rest = [5, 2, 9, 4].map((revision) => queue.apply(table(revision)));
    expect((await Promise.all([first, ...rest])).map(({ revision }) => revision)).toEqual([1, 9, 9, 9, 9]);
    expect(worked).toEqual([1, 9]);
  });

  it('get their turn when the newest is refused, and only its caller hears of that', async () => {
    const { queue, worked } = queueThatRefuses(9);
    const results = await Promise.allSettled([3, 9, 4].map((revision) => queue.apply(table(revision))));
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value.revision : result.status))).toEqual([4, 'rejected', 4]);
    expect(worked).toEqual([9, 4]);
  });
});

describe('what runs alone', () => {
  it('runs while no table is worked on, in the order it came, and a failure ends nothing', async () => {
    const { queue, worked } = queueThatRefuses();
    const before = queue.apply(table(1));
    const failed = queue.alone(() => Promise.reject(new Error('no'))).catch((error: Error) => error.message);
    const seen = queue.alone(() => Promise.resolve([...worked]));
    expect([await before, await failed, await seen]).toEqual([{ revision: 1, configHash: '' }, 'no', [1]]);
    expect((await queue.apply(table(2))).revision).toBe(2);
  });
});
