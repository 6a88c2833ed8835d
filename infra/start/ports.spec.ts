import { expect, it } from '@jest/globals';
import { freePort } from './ports.js';

it('gives a port to nobody twice, though nothing listens there yet', async () => {
  const given = new Set<number>();
  for (let i = 0; i < 400; i++) given.add(await freePort());
  expect(given.size).toBe(400);
});
