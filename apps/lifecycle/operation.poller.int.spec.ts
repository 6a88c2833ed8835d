import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { workloadDecider } from '#domain/answers.js';
import { operationDecider, type Operation } from '#domain/operation/operation.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { until } from '../../test/support/bus.js';
import { LifecycleWorld } from '../../test/support/lifecycle-world.js';
import { OperationPoller } from './operation.poller.js';
import { OperationReactor } from './operation.reactor.js';

jest.setTimeout(60_000);

let world: LifecycleWorld;
let poller: OperationPoller;
beforeAll(async () => {
  world = await LifecycleWorld.start();
  const settings = { ...world.settings, HOSTPLANE_STEP_DEADLINE_SECONDS: 1 };
  poller = new OperationPoller(world.store, settings, new OperationReactor(world.store, settings));
  poller.onApplicationBootstrap();
});
afterAll(async () => {
  await poller?.onApplicationShutdown();
  await world?.stop();
});

/** A launch whose first step nobody answers. */
async function launched(): Promise<{ siteId: string; operationId: string; turn: number }> {
  const [siteId, operationId] = [randomUUID(), randomUUID()];
  const spec = { siteId, projectId: randomUUID(), name: 'app', kind: 'app', runtime: 'docker', power: 'running', subnet: '', address: '', app: undefined, releaseId: '', content: undefined, restartedAfter: '', wordpress: undefined, limits: undefined, dataId: '', url: '' };
  const input = { hostId: 'local', hostnames: ['app.localhost'], spec, previous: { releaseId: '', content: undefined }, power: 'running', keepData: false };
  await handle(world.store, world.by(), [on(operationDecider, operationId, { type: 'StartOperation', id: operationId, kind: 'launch-site', siteId, projectId: spec.projectId, input })]);
  return { siteId, operationId, turn: 1 };
}
const delay = (ids: { siteId: string; operationId: string; turn: number }, revision: number, error: string) =>
  handle(world.host, world.by(), [on(workloadDecider, ids.siteId, { type: 'WorkDelayed', data: { ...ids, projectId: '', hostId: 'local', revision, tries: 1, error, step: '' } })]);

async function givenUp(operationId: string): Promise<string | undefined> {
  let failure: Operation['failure'];
  await until('it is given up', async () => {
    const { state } = await loadState(world.store, operationDecider, operationId);
    failure = state.status === 'absent' ? undefined : state.failure;
    return failure !== undefined;
  }, 15_000);
  return failure?.error;
}

describe('an operation whose step is not answered in time', () => {
  it('is given up, and asks whether anybody is there', async () => {
    const { operationId } = await launched();
    expect(await givenUp(operationId)).toBe("No answer within 1 s. Is the host's provisioner running?");
  });
  it('is given up with what its last try said', async () => {
    const ids = await launched();
    await delay({ ...ids, operationId: 'an earlier one' }, 1, 'earlier');
    await delay(ids, 2, 'no engine');
    await delay(ids, 2, 'no disk');
    await delay({ ...ids, turn: 9 }, 3, 'of another step');
    expect(await givenUp(ids.operationId)).toBe('No answer within 1 s. The last try: no disk');
  });
});
