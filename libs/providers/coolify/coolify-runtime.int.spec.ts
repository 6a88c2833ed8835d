import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { describeWithCoolify } from '../../../test/support/coolify-spec.js';
import { COOLIFY_READER_TOKEN, type StandInOptions } from '../../../test/support/coolify-stand-in.js';
import { openCoolify, ports, type CoolifyWorld } from '../../../test/support/coolify-world.js';
import { siteRuntimeContract, type RuntimeWorld } from '../contract/site-runtime.contract.js';
import { specHash } from '../spec-hash.js';
import type { CoolifyRuntimeOptions } from './coolify-runtime.js';
import { markOf } from './mark.js';
import { choosePort } from './ports.js';

jest.setTimeout(60_000);
const IMAGE = 'hostplane-test/app:latest';

function freshSpec(project?: WorkloadSpec, app: object = {}): WorkloadSpec {
  const made = { image: IMAGE, port: 8080, healthPath: '/health', ...app };
  return WorkloadSpec.fromJSON({ siteId: randomUUID(), projectId: project?.projectId ?? randomUUID(), name: 'shop', kind: 'app', runtime: 'coolify', power: 'running', app: made });
}

const withEnv = (spec: WorkloadSpec, env: Record<string, string>): WorkloadSpec => ({ ...spec, app: { ...spec.app!, env: { ...spec.app!.env, ...env } } });
const gone = (spec: WorkloadSpec) => ({ siteId: spec.siteId, projectId: spec.projectId, keepData: false });

async function open(standIn: StandInOptions = {}): Promise<CoolifyWorld & RuntimeWorld> {
  const world = await openCoolify(standIn);
  return {
    ...world,
    freshSpec,
    showing: (spec, text) => withEnv(spec, { GREETING: text }),
    plantForeign: async (spec) => {
      const { projects, apps } = world.coolify.state;
      const mark = { plane: 'another', project: spec.projectId };
      projects.set('theirs', { uuid: 'theirs', id: 1, name: 'foreign', description: markOf(mark), environments: [{ uuid: 'e', id: 2, name: 'production' }] });
      const appMark = markOf({ ...mark, site: spec.siteId, spec: specHash(spec), state: 'live', restarted: 0, spare: 0 });
      const row = { id: 3, projectUuid: 'theirs', destinationUuid: '', status: 'running:healthy', fqdn: null, envs: [], volumes: [], createdAt: '2026-01-01T00:00:00Z' };
      apps.set('marked', { ...row, uuid: 'marked', fields: { name: 'foreign-marked', description: appMark, ports_exposes: '80' } });
      apps.set('plain', { ...row, uuid: 'plain', fields: { name: `foreign-${spec.siteId}`, description: 'mine', ports_exposes: '80' } });
      return async () => {
        const there = projects.delete('theirs');
        return [apps.delete('marked'), apps.delete('plain'), there].every(Boolean);
      };
    },
    unhealthy: (spec) => withEnv(spec, { UNHEALTHY: '1' }),
  };
}

describeWithCoolify('coolify', () => siteRuntimeContract('coolify', () => open()));

describeWithCoolify('the coolify runtime itself', () => {
  let world: CoolifyWorld & RuntimeWorld;
  beforeEach(async () => void (world = await open()));
  afterEach(() => world.close());
  const asks = (pattern: RegExp) => world.coolify.asked.filter((one) => pattern.test(one));

  it('asks Coolify for nothing that it would do by itself: no domain, no pruning, no volumes but on request', async () => {
    const spec = freshSpec();
    await world.runtime.ensure(spec);
    const [app] = [...world.coolify.state.apps.values()];
    expect([app!.fqdn, app!.fields['health_check_enabled'], app!.fields['limits_memory'], app!.status]).toEqual([null, true, '536870912b', 'running:healthy']);
    await world.runtime.ensure(withEnv(spec, { GREETING: 'next' }));
    await world.runtime.remove(gone(spec));
    expect(asks(/^DELETE \/applications/).map((one) => /delete_volumes=(\w+)/.exec(one)![1])).toEqual(['false', 'true']);
    expect([world.coolify.state.prunes, asks(/docker_cleanup=false/).length]).toEqual([0, 4]);
  });

  it('gives each project a network of its own, or one to all when that is configured', async () => {
    const [a, b] = [freshSpec(), freshSpec()];
    await Promise.all([a, b].map((spec) => world.runtime.ensure(spec)));
    const { apps, destinations } = world.coolify.state;
    const networks = [...apps.values()].map(({ destinationUuid }) => destinations.get(destinationUuid)!.network);
    expect([new Set(networks).size, networks.every((name) => name.startsWith('hp-net-'))]).toEqual([2, true]);
    const shared = [...destinations.values()].find(({ network }) => network === 'coolify')!.uuid;
    const c = freshSpec();
    await world.with({ destinationUuid: shared }).ensure(c);
    expect([...apps.values()].at(-1)!.destinationUuid).toBe(shared);
    for (const spec of [a, b]) await world.runtime.remove(gone(spec));
    await world.with({ destinationUuid: shared }).remove(gone(c));
    expect(await world.coolify.leftovers()).toEqual([]);
  });

  it('hands the vault\'s values to the app as they are, and refuses one that Coolify would change without telling it', async () => {
    const values = { GREETING: 'a $HOME "quoted" # value \\ é', JSON: '{"a": "it\'s"}' };
    const target = await world.runtime.ensure(freshSpec(), undefined, { env: values });
    expect(await world.visit(target)).toBe(values.GREETING);
    for (const value of ["it's planted", ' padded-planted', '{{team.planted}}', '{"planted": "$x"}']) {
      const error = (await world.runtime.ensure(freshSpec(), undefined, { env: { NAME: value } }).catch((e: unknown) => e)) as Error;
      expect(error).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/variable NAME.*base64/s) });
      expect(error.message).not.toContain('planted');
    }
  });

  it('lets the old version serve until the new one is healthy, and keeps both ports the site\'s own', async () => {
    const spec = freshSpec();
    const first = await world.runtime.ensure(withEnv(spec, { GREETING: '1' }));
    const second = await world.runtime.ensure(withEnv(spec, { GREETING: '2' }));
    const third = await world.runtime.ensure(withEnv(spec, { GREETING: '3' }));
    expect([second.port === first.port, third.port === first.port]).toEqual([false, true]);
    // A neighbour whose own port is the one that the edge may still lead to.
    let neighbour = freshSpec();
    while (choosePort(neighbour.siteId, ports, new Set()) !== second.port) neighbour = freshSpec();
    expect((await world.runtime.ensure(neighbour)).port).not.toBe(second.port);
  });

  it('takes the next port when something that Coolify does not list holds its own', async () => {
    const spec = freshSpec();
    const port = choosePort(spec.siteId, ports, new Set());
    const rival = createServer();
    await new Promise<void>((resolve) => rival.listen(port, '127.0.0.1', resolve));
    const target = await world.runtime.ensure(withEnv(spec, { GREETING: 'beside' }));
    expect([await world.visit(target), target.port !== port, world.coolify.state.apps.size]).toEqual(['beside', true, 1]);
    await new Promise((resolve) => rival.close(resolve));
  });

  it('tells the end of a failed deployment\'s log, without values, and leaves nothing', async () => {
    const spec = withEnv(freshSpec(undefined, { image: 'nobody/has-this:1' }), { GREETING: 'planted-secret' });
    const error = (await world.runtime.ensure(spec).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/deployment \w+ failed[\s\S]*manifest for nobody\/has-this:1 not found[\s\S]*\*\*\*/) });
    expect(error.message).not.toMatch(/planted-secret|Writing \.env|a-token-of/);
    expect([...world.coolify.state.apps.values()]).toEqual([]);
    const reader = (await world.with({ token: COOLIFY_READER_TOKEN }).ensure(spec).catch((e: unknown) => e)) as Error;
    expect(reader.message).toMatch(/permission read:sensitive/);
    await world.runtime.remove(gone(spec));
  });

  it('tells what an app that ends, or is not healthy, said last', async () => {
    const ends = withEnv(freshSpec(), { EXIT_SECONDS: '0' });
    await expect(world.runtime.ensure(ends)).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/GET \/health .*restarting:unhealthy[\s\S]*ending as I was told/) });
    const sick = withEnv(freshSpec(), { UNHEALTHY: '1', GREETING: 'planted-secret' });
    const error = (await world.runtime.ensure(sick).catch((e: unknown) => e)) as Error;
    expect(error.message).toMatch(/answers 404, and Coolify says running:unhealthy[\s\S]*greeting is \*\*\*/);
    for (const spec of [ends, sick]) await world.runtime.remove(gone(spec));
    expect(await world.coolify.leftovers()).toEqual([]);
  });

  it.each([
    ['does not answer at first', /./, 'reset', {}, 1],
    ['is overloaded', /./, 'status', { status: 503 }, 2],
    ['asks for patience', /./, 'status', { status: 429, headers: { 'retry-after': '1' } }, 1],
    ['takes the project and loses its answer', /POST \/projects/, 'reset-after', {}, 1],
    ['takes the application and loses its answer', /POST \/applications\/dockerimage/, 'reset-after', {}, 1],
    ['takes the application and never answers', /POST \/applications\/dockerimage/, 'hang-after', {}, 1],
    ['makes the application and answers 500', /POST \/applications\/dockerimage/, 'status-after', { status: 500 }, 1],
    ['takes the deployment and loses its answer', /POST \/deploy/, 'reset-after', {}, 1],
    ['loses a mark', /PATCH/, 'reset-after', {}, 2],
  ] as const)('makes one site once when Coolify %s', async (_, on, kind, more, times) => {
    world.coolify.fail(on, kind, { ...more, times });
    const spec = withEnv(freshSpec(), { GREETING: 'once' });
    expect(await world.visit(await world.runtime.ensure(spec))).toBe('once');
    expect([world.coolify.state.apps.size, world.coolify.state.projects.size]).toEqual([1, 1]);
    world.coolify.fail(/DELETE/, kind === 'hang-after' ? 'reset-after' : kind, { ...more, times });
    await world.runtime.remove(gone(spec));
    expect(await world.coolify.leftovers()).toEqual([]);
  });

  it('waits for the queue: full, busy with another deployment, or with one that Coolify names wrongly', async () => {
    const { state } = world.coolify;
    const spec = freshSpec();
    const target = await world.runtime.ensure(spec);
    state.isHeld = true;
    world.coolify.fail(/POST \/deploy/, 'status', { status: 429, headers: { 'retry-after': '1' } });
    const app = [...state.apps.values()][0]!;
    state.queue(app);
    const again = world.runtime.ensure({ ...spec, restartedAfter: new Date().toISOString() });
    setTimeout(() => {
      state.isHeld = false;
      state.pump();
    }, 1_500);
    expect(await again).toEqual(target);
    expect(state.deployments.map(({ status }) => status)).toEqual(['finished', 'finished']);
  });

  it('restarts once for each time that it is asked to', async () => {
    const spec = freshSpec();
    await world.runtime.ensure(spec);
    const asked = { ...spec, restartedAfter: new Date().toISOString() };
    await world.runtime.ensure(asked);
    await world.restarted().ensure(asked);
    expect(world.coolify.state.deployments).toHaveLength(2);
  });

  it('does not let Coolify forget what still runs', async () => {
    const spec = freshSpec();
    const target = await world.runtime.ensure(spec);
    world.coolify.state.isReachable = false;
    await expect(world.runtime.remove(gone(spec))).rejects.toMatchObject({ retryable: true, message: expect.stringMatching(/does not get through to its server localhost/) });
    expect([asks(/^DELETE \/applications/), await world.visit(target)]).toEqual([[], 'hello from an app']);
    world.coolify.state.isReachable = true;
    await world.runtime.remove(gone(spec));
    expect(await world.coolify.leftovers()).toEqual([]);
  });

  it('says what is wrong with its configuration, and never its token', async () => {
    const message = async (options: Partial<CoolifyRuntimeOptions>) => {
      const error = (await world.with(options).ensure(freshSpec()).catch((e: unknown) => e)) as Error & { retryable: boolean };
      expect(error.message).not.toContain('planted-token');
      return [error.retryable, error.message];
    };
    expect(await message({ token: 'planted-token' })).toEqual([false, expect.stringMatching(/401 \(Unauthenticated\)\. Set COOLIFY_API_TOKEN/)]);
    expect(await message({ serverUuid: 'no-such' })).toEqual([false, expect.stringMatching(/"no-such".*COOLIFY_SERVER_UUID to one of: server-1 \(localhost\)/)]);
    expect(await message({ url: 'http://127.0.0.1:65535' })).toEqual([true, expect.stringMatching(/does not answer \(ECONNREFUSED.*COOLIFY_API_URL/)]);
    expect(await message({ serverAddress: 'no-such-host.invalid' })).toEqual([false, expect.stringMatching(/COOLIFY_SERVER_ADDRESS/)]);
    world.coolify.fail(/servers/, 'status', { status: 200 });
    expect(await message({})).toEqual([false, expect.stringMatching(/not as its API version 4 does/)]);
    world.coolify.fail(/servers/, 'hang-after', { times: 9 });
    expect(await message({ callMs: 50, attempts: 2 })).toEqual([true, expect.stringMatching(/no answer within 0\.05 s/)]);
  });

  it('asks which of several servers it shall use', async () => {
    const other = await open({ servers: [{ uuid: 's-1', name: 'one' }, { uuid: 's-2', name: 'two' }] });
    await expect(other.runtime.ensure(freshSpec())).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/s-1 \(one\), s-2 \(two\)/) });
    const spec = freshSpec();
    await other.with({ serverUuid: 's-2' }).ensure(spec);
    await other.with({ serverUuid: 's-2' }).remove(gone(spec));
    await other.close();
  });
});
