import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Passing } from './faults.js';
import { MortalPlane } from './mortal-plane.js';

// Each test below dies dozens of times.
jest.setTimeout(900_000);

let mortal: MortalPlane;
beforeAll(async () => {
  mortal = await MortalPlane.start();
});
afterAll(() => mortal?.stop());

/** Points of the story itself: what a process passes while it only waits is not a step of it. */
const isStep = ({ point }: Passing): boolean => !point.startsWith('relay:') && !point.endsWith(':acked');
/** Where the loss of a server hurts most: the bus before the acknowledgement of a step, the log before a step's outcome is appended. */
const isWorst: Readonly<Record<'nats' | 'postgres', (passing: Passing) => boolean>> = {
  nats: ({ point }) => /^handler:.*:done$/.test(point),
  postgres: ({ point }) => /^handler:.*:received$/.test(point),
};

describe('a launch and a removal', () => {
  let steps: readonly Passing[] = [];

  it('pass the points at which everything will be killed', async () => {
    const passed = await mortal.traced('files');
    const handled = new Set(passed.flatMap(({ point }) => /^handler:(.*):received$/.exec(point)?.[1] ?? []));
    steps = passed.filter(({ point }) => !point.startsWith('handler:') || handled.has(point.split(':')[1] ?? ''));
    expect(new Set(steps.map(({ process }) => process))).toEqual(new Set(['control-plane', 'provisioner']));
    expect(steps.filter(isStep).length).toBeGreaterThan(40);
  });

  it.each(['control-plane', 'provisioner'] as const)('survive kill -9 of %s at each point', async (process) => {
    await mortal.dieAtEach(steps.filter((step) => isStep(step) && step.process === process), 'files');
  });

  it.each(['nats', 'postgres'] as const)('survive kill -9 of %s at each step', async (server) => {
    await mortal.dieAtEach(steps.filter(isWorst[server]), 'files', server);
  });
});

describe('after all that', () => {
  it('the log is whole', async () => {
    const { rows } = await mortal.log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect(Number(rows[0]?.gaps)).toBe(0);
    process.stderr.write(`  ${mortal.killed.length} kills\n`);
  });
});
