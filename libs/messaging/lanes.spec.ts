import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lanes, type Job, type Outcome } from './lanes.js';

const job = (key: string, position: number): Job => ({ key, position });

/** Lanes whose jobs are ended by hand, and a note of what started. */
function lanesByHand(concurrency = 10): { lanes: Lanes<Job>; started: string[]; end(name: string, outcome?: Outcome): Promise<void> } {
  const started: string[] = [];
  const ends = new Map<string, (outcome: Outcome) => void>();
  const run = ({ key, position }: Job): Promise<Outcome> => {
    started.push(`${key}${position}`);
    return new Promise((resolve) => ends.set(`${key}${position}`, resolve));
  };
  const end = async (name: string, outcome: Outcome = 'finished'): Promise<void> => {
    ends.get(name)!(outcome);
    await sleep(0);
  };
  return { lanes: new Lanes({ concurrency, run }), started, end };
}

describe('lanes', () => {
  it('work on keys at once and on each in order of position', async () => {
    const { lanes, started, end } = lanesByHand();
    for (const [key, position] of [['a', 1], ['a', 4], ['b', 3], ['a', 2]] as const) lanes.push(job(key, position));
    expect(started).toEqual(['a1', 'b3']);
    await end('a1');
    expect(started).toEqual(['a1', 'b3', 'a2']);
    await end('a2');
    expect(started).toEqual(['a1', 'b3', 'a2', 'a4']);
  });

  it('let nothing of a key overtake what rests, and other keys pass', async () => {
    const { lanes, started, end } = lanesByHand(1);
    lanes.push(job('a', 1));
    lanes.push(job('a', 2));
    lanes.push(job('b', 3));
    await end('a1', { againInMs: 20 });
    expect(started).toEqual(['a1', 'b3']);
    await end('b3');
    await sleep(40);
    expect(started).toEqual(['a1', 'b3', 'a1']);
    await end('a1');
    expect(started.at(-1)).toBe('a2');
  });

  it('start nothing beyond their limit', async () => {
    const { lanes, started } = lanesByHand();
    lanes.limit(2);
    for (const position of [1, 2, 3]) lanes.push(job(`k${position}-`, position));
    expect(started).toEqual(['k1-1', 'k2-2']);
    lanes.limit(Infinity);
    expect(started).toEqual(['k1-1', 'k2-2', 'k3-3']);
  });

  it('give back what was not begun when they stop, what rests included', async () => {
    const { lanes, started, end } = lanesByHand();
    for (const [key, position] of [['a', 1], ['a', 2], ['b', 3]] as const) lanes.push(job(key, position));
    await end('b3', { againInMs: 10_000 });
    expect(lanes.stop()).toEqual([job('a', 2), job('b', 3)]);
    let idle = false;
    void lanes.whenIdle().then(() => (idle = true));
    await sleep(0);
    expect(idle).toBe(false);
    await end('a1');
    expect(idle).toBe(true);
    expect(started).toEqual(['a1', 'b3']);
  });
});
