import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { InTurn } from './in-turn.js';

async function mostAtOnce(abreast: number, keys: string[]): Promise<number> {
  const turns = new InTurn(abreast);
  let now = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++now);
    await sleep(2);
    now--;
  };
  await Promise.all(keys.map((key) => turns.run(key, work)));
  return most;
}

describe('work in turn', () => {
  it('is done one after the other for one key, at once for several', async () => {
    expect(await mostAtOnce(1, ['a', 'a', 'a'])).toBe(1);
    expect(await mostAtOnce(1, ['a', 'b', 'c', 'a'])).toBe(3);
  });
  it('is done several abreast where that is allowed', async () => {
    expect(await mostAtOnce(4, Array<string>(9).fill('a'))).toBe(4);
  });
  it('keeps the order, and goes on after a failure', async () => {
    const turns = new InTurn();
    const done: number[] = [];
    const first = turns.run('a', async () => Promise.reject(new Error('no')));
    const rest = [1, 2, 3].map((n) => turns.run('a', async () => void done.push(n)));
    await expect(first).rejects.toThrow('no');
    await Promise.all(rest);
    expect(done).toEqual([1, 2, 3]);
  });
});
