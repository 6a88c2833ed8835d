import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { ContentStore } from '#content/content-store.js';
import { CoolifyRuntime, type CoolifyRuntimeOptions } from '#providers/coolify/coolify-runtime.js';
import type { RuntimeWorld } from '#providers/contract/site-runtime.contract.js';
import { COOLIFY_TOKEN, CoolifyStandIn, type StandInOptions } from './coolify-stand-in.js';

/** Other ports for each run, so that runs beside each other do not meet. */
const FIRST = 20_000 + 200 * Math.floor(Math.random() * 40);
export const ports = { first: FIRST, last: FIRST + 199 };

export interface CoolifyWorld extends Pick<RuntimeWorld, 'runtime' | 'restarted' | 'content' | 'visit' | 'leftovers' | 'stops' | 'close'> {
  readonly coolify: CoolifyStandIn;
  with(options: Partial<CoolifyRuntimeOptions>): CoolifyRuntime;
}

/** The runtime at a Coolify of a test's own, where what takes seconds takes milliseconds. */
export async function openCoolify(standIn: StandInOptions = {}, more: Partial<CoolifyRuntimeOptions> = {}): Promise<CoolifyWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'hp-coolify-'));
  const coolify = await CoolifyStandIn.start(standIn);
  const options: CoolifyRuntimeOptions = {
    plane: `test-${randomUUID().slice(0, 8)}`, url: coolify.url, token: COOLIFY_TOKEN, ports,
    wordpress: { image: 'hostplane-test/wordpress:{php}', phpVersion: 'first', user: '33:33' },
    database: { image: 'hostplane-test/mariadb:latest', user: '999:999', limits: { memoryBytes: 512 * 1024 ** 2, cpus: 1, pids: 512 } },
    healthyWithinMs: 600, settledWithinMs: 2_000, deployedWithinMs: 5_000, callMs: 1_000, pauseMs: 5, lookMs: [5, 20], requestsPerMinute: 1_000_000,
    ...more,
  };
  const make = () => new CoolifyRuntime(options);
  return {
    coolify,
    runtime: make(),
    restarted: make,
    with: (other) => new CoolifyRuntime({ ...options, ...other }),
    content: new ContentStore(folder),
    visit: async ({ address, port }) => fetch(`http://${address}:${port}/`, { signal: AbortSignal.timeout(3_000) }).then((r) => r.text(), () => undefined),
    leftovers: async () => (await coolify.leftovers()).filter((name) => !name.includes('foreign')),
    stops: true,
    close: async () => {
      await coolify.close();
      rmSync(folder, { recursive: true });
      expect(coolify.violations).toEqual([]);
    },
  };
}

/** What the vault has for a WordPress. */
export const wordpressSecrets = { env: {}, databasePassword: 'planted-database-password', adminPassword: 'planted-admin-password' };

/** A new WordPress, in a project of its own or in another one's. */
export function blogSpec(project?: WorkloadSpec): WorkloadSpec {
  const wordpress = { phpVersion: 'first', title: 'Blog', adminUser: 'admin', adminEmail: '', locale: '', database: 'own' };
  const siteId = randomUUID();
  return WorkloadSpec.fromJSON({ siteId, projectId: project?.projectId ?? randomUUID(), name: 'blog', kind: 'wordpress', runtime: 'coolify', power: 'running', wordpress, url: 'http://blog.localhost:8080' });
}
