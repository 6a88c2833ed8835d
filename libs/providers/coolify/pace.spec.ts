import { expect, it } from '@jest/globals';
import { Pace } from './pace.js';

it('lets the first through at once, and the next only in its turn', async () => {
  const pace = new Pace(3);
  for (let i = 0; i < 3; i++) await pace.turn(undefined);
  await expect(pace.turn(AbortSignal.timeout(20))).rejects.toThrow();
});
