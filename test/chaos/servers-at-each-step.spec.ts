import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Passing } from './faults.js';
import { isStep, MortalPlane } from './mortal-plane.js';

// Each test below dies dozens of times.
jest.setTimeout(900_000);

let mortal: MortalPlane;
let steps: readonly Passing[];
beforeAll(async () => {
  mortal = await MortalPlane.start();
  steps = await mortal.steps();
});
afterAll(() => mortal?.stop());

/** Where the loss of a server hurts most: the bus before the acknowledgement of a step, the log before a step's outcome is appended. */
const isWorst: Readonly<Record<'nats' | 'postgres', (passing: Passing) => boolean>> = {
  nats: ({ point }) => /^handler:.*:done$/.test(point),
  postgres: ({ point }) => /^handler:.*:received$/.test(point),
};

describe('a launch and a removal', () => {
  it('survive kill -9 of the provisioner at each point', async () => {
    await mortal.dieAtEach(steps.filter((step) => isStep(step) && step.process === 'provisioner'), 'files');
  });

  it.each(['nats', 'postgres'] as const)('survive kill -9 of %s at each step, and so does who relies on it', async (server) => {
    const pids = () => (['control-plane', 'provisioner'] as const).map((part) => mortal.plane.daemon(part).pid);
    const before = pids();
    await mortal.dieAtEach(steps.filter(isWorst[server]), 'files', server);
    expect(pids()).toEqual(before);
    await mortal.expectWholeLog();
  });
});
