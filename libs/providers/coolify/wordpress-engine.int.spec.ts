import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { testImage } from '../../../infra/images/recipes.js';
import { EngineStack } from '../../../test/support/coolify-engine-stack.js';
import { describeWithCoolify } from '../../../test/support/coolify-spec.js';
import { blogSpec, openCoolify, wordpressSecrets, type CoolifyWorld } from '../../../test/support/coolify-world.js';
import { describeWithDocker } from '../../../test/support/docker.js';

jest.setTimeout(60_000);

describeWithDocker('on an engine,', () => describeWithCoolify('WordPress at coolify', () => {
  let world: CoolifyWorld;
  beforeAll(async () => {
    const image = { wordpress: { image: testImage('wordpress'), phpVersion: '8.3', user: '33:33' } };
    world = await openCoolify({ makeStack: (uuid) => new EngineStack(uuid) }, { ...image, healthyWithinMs: 2_000, settledWithinMs: 30_000, deployedWithinMs: 60_000, callMs: 20_000 });
  });
  afterAll(() => world.close());

  it('says what it waits for when its database never comes, answers nobody meanwhile, and leaves nothing', async () => {
    const spec = blogSpec();
    const database = { image: testImage('app'), user: '999:999', limits: { memoryBytes: 64 * 1024 ** 2, cpus: 1, pids: 64 } };
    const error = await world.with({ database }).ensure(spec, undefined, wordpressSecrets).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ retryable: false, message: expect.stringMatching(/within 6 s: GET \/wp-login\.php .*, and Coolify says running:unknown\. [\s\S]*the database does not answer yet: .*refused/) });
    await world.runtime.remove({ siteId: spec.siteId, projectId: spec.projectId, keepData: false });
    expect(await world.coolify.leftovers()).toEqual([]);
  });
}));
