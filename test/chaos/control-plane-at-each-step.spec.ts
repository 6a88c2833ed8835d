import { afterAll, beforeAll, describe, it, jest } from '@jest/globals';
import { isStep, MortalPlane } from './mortal-plane.js';

// It dies dozens of times.
jest.setTimeout(900_000);

let mortal: MortalPlane;
beforeAll(async () => {
  mortal = await MortalPlane.start();
});
afterAll(() => mortal?.stop());

describe('a launch and a removal', () => {
  it('survive kill -9 of the control plane at each point', async () => {
    await mortal.dieAtEach((await mortal.steps()).filter((step) => isStep(step) && step.process === 'control-plane'), 'files');
    await mortal.expectWholeLog();
  });
});
