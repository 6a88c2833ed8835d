import { describe, expect, it } from '@jest/globals';
import { given } from '../../../test/support/given.js';
import { isNotable, usageDecider } from './usage.js';

const [MIB, GIB] = [1024 ** 2, 1024 ** 3];
const use = (name: string, bytes: number) => ({ name, dataId: 's', role: 'data', bytes });
const measure = (...data: ReturnType<typeof use>[]) => ({ type: 'MeasureUsage', projectId: 'p', hostId: 'local', data }) as const;
const measured = (...data: ReturnType<typeof use>[]) => ({ type: 'UsageMeasured', data: { projectId: 'p', hostId: 'local', data } }) as const;

describe('what sites have written', () => {
  it('is recorded when it is there, has changed notably, and is gone, and only then', () => {
    given(usageDecider).when(measure()).then();
    given(usageDecider).when(measure(use('a', 0))).then(measured(use('a', 0)));
    given(usageDecider, measured(use('a', 0))).when(measure(use('a', MIB - 1))).then();
    given(usageDecider, measured(use('a', 0))).when(measure(use('a', MIB))).then(measured(use('a', MIB)));
    given(usageDecider, measured(use('a', 5 * MIB))).when(measure(use('a', 5 * MIB), use('b', 0))).then(measured(use('a', 5 * MIB), use('b', 0)));
    given(usageDecider, measured(use('a', 1))).when(measure()).then(measured());
  });
  it.each([
    ['below a MiB', [10 * MIB], [11 * MIB - 1], false],
    ['a MiB of ten', [10 * MIB], [11 * MIB], true],
    ['a MiB of a GiB', [GIB], [GIB + MIB], false],
    ['a hundredth of a GiB', [GIB], [Math.ceil(GIB * 1.01)], true],
    ['a hundredth less', [GIB], [Math.floor(GIB * 0.99)], true],
    ['one grows as much as the other shrinks', [10 * MIB, 10 * MIB], [11 * MIB, 9 * MIB], true],
  ])('%s: %p to %p is notable: %p', (_, before, after, notable) => {
    const uses = (all: number[]) => all.map((bytes, i) => use(String(i), bytes));
    expect([isNotable(uses(before), uses(after)), isNotable(uses(after), uses(after))]).toEqual([notable, false]);
  });
  it('is notable under another name, though it is as much', () => expect(isNotable([use('a', 5)], [use('b', 5)])).toBe(true));
});
