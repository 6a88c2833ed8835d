import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, it, jest } from '@jest/globals';
import type { Cause } from '#contracts/message.js';
import { healthDecider, type HealthState } from '#domain/health/health.js';
import { siteDecider, type SiteCommand } from '#domain/site/site.js';
import { EventStore } from '#eventstore/event-store.js';
import { handle, loadState, on } from '#eventstore/handle.js';
import { until } from '../../test/support/bus.js';
import { startPostgres, type TestDatabase } from '../../test/support/postgres.js';
import { RepairPoller } from './repair.poller.js';

jest.setTimeout(60_000);

let database: TestDatabase;
let lifecycle: EventStore;
let host: EventStore;
let poller: RepairPoller;
const siteId = randomUUID();

beforeAll(async () => {
  database = await startPostgres();
  [lifecycle, host] = (['lifecycle', 'provisioner'] as const).map((app) => new EventStore({ connectionString: database.urlOf(app), app })) as [EventStore, EventStore];
  const launch = randomUUID();
  const site = { siteId, projectId: randomUUID(), ownerId: 'ann', name: 'app', kind: 'app', runtime: 'docker', app: { image: 'app:1', port: 80, env: {}, sealedEnv: [], secretEnv: [], healthPath: '/' }, wordpress: undefined, limits: undefined, restoreFrom: '', operationId: launch, address: '', hostname: 'app.localhost', hostId: 'local' };
  await decide({ type: 'RequestSite', site: site as never });
  await decide({ type: 'BeginProvisioning', operationId: launch });
  await decide({ type: 'ActivateSite', operationId: launch, target: undefined });
  poller = new RepairPoller(lifecycle);
  poller.onApplicationBootstrap();
});
afterAll(async () => {
  await poller?.onApplicationShutdown();
  await Promise.all([lifecycle?.close(), host?.close()]);
  await database?.stop();
});

const cause = (): Cause => ({ id: randomUUID(), meta: { correlationId: 'c', causationId: 'c', actor: 'token:t', owner: 'ann' } });
const decide = (command: SiteCommand) => handle(lifecycle, cause(), [on(siteDecider, siteId, command)]);
const seen = (state: HealthState) => handle(host, cause(), [on(healthDecider, siteId, { type: 'ObserveWorkload', siteId, hostId: 'local', state, detail: '' })]);

/** Waits until a repair was asked for, and ends it; answers how long that took. */
async function repaired(withinMs: number): Promise<void> {
  let id = '';
  await until('a repair is asked for', async () => {
    const { state } = await loadState(lifecycle, siteDecider, siteId);
    id = state.status !== 'ABSENT' && state.operation?.kind === 'switch' ? state.operation.id : '';
    return id !== '';
  }, withinMs);
  await decide({ type: 'FinishSwitch', operationId: id, target: undefined } as SiteCommand);
}

it('repairs at once what went down with its engine, however often it was repaired before', async () => {
  await seen('stopped');
  await repaired(15_000);
  await seen('unknown');
  await seen('stopped');
  // Sooner than the wait that follows a repair, the shortest of which is ten seconds.
  await repaired(8_500);
});
