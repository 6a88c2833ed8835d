import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { describeWithCoolify } from '../../../test/support/coolify-spec.js';
import type { StandInOptions } from '../../../test/support/coolify-stand-in.js';
import { blogSpec as freshSpec, openCoolify, ports, wordpressSecrets as secrets, type CoolifyWorld } from '../../../test/support/coolify-world.js';
import { siteRuntimeContract, type RuntimeWorld } from '../contract/site-runtime.contract.js';
import type { SiteRuntime } from '../site-runtime.js';
import { specHash } from '../spec-hash.js';
import type { CoolifyRuntimeOptions } from './coolify-runtime.js';
import { markOf } from './mark.js';
import { choosePort } from './ports.js';
import { withVersion } from './wordpress-compose.js';

jest.setTimeout(60_000);

/** PHP's version is the tag of the image, and the image says what it is. */
const showing = (spec: WorkloadSpec, phpVersion: string): WorkloadSpec => ({ ...spec, wordpress: { ...spec.wordpress!, phpVersion } });
const gone = (spec: WorkloadSpec) => ({ siteId: spec.siteId, projectId: spec.projectId, keepData: false });

/** The same runtime, handed the passwords that the vault has. */
function handed(runtime: SiteRuntime): SiteRuntime {
  const ensure: SiteRuntime['ensure'] = (spec, signal) => runtime.ensure(spec, signal, secrets);
  return new Proxy(runtime, { get: (target, key) => (key === 'ensure' ? ensure : (Reflect.get(target, key) as () => unknown).bind?.(target) ?? Reflect.get(target, key)) });
}

async function open(standIn: StandInOptions = {}, options: Partial<CoolifyRuntimeOptions> = {}): Promise<CoolifyWorld & RuntimeWorld> {
  const world = await openCoolify(standIn, options);
  const { rows } = world.coolify.stacks;
  return {
    ...world,
    runtime: handed(world.runtime),
    restarted: () => handed(world.restarted()),
    freshSpec,
    showing,
    plantForeign: async (spec) => {
      const mark = { plane: 'another', project: spec.projectId, site: spec.siteId, data: spec.siteId, spec: specHash(spec), image: 'x', state: 'live', restarted: 0, port: 20_000 } as const;
      const { makeStack } = world.coolify.stacks;
      const row = { id: 3, projectUuid: 'theirs', destinationUuid: '', compose: 'services: {}', envs: [], status: 'running:healthy', stack: makeStack('theirs'), createdAt: '2026-01-01T00:00:00Z', queue: Promise.resolve() };
      rows.set('marked', { ...row, uuid: 'marked', name: 'foreign-marked', description: markOf(mark) });
      rows.set('plain', { ...row, uuid: 'plain', name: `foreign-${spec.siteId}`, description: 'mine' });
      return () => Promise.resolve([rows.delete('marked'), rows.delete('plain')].every(Boolean));
    },
    unhealthy: (spec) => showing(spec, 'unhealthy'),
  };
}

describeWithCoolify('WordPress at coolify', () => siteRuntimeContract('coolify', () => open()));

describeWithCoolify('WordPress at coolify itself', () => {
  let world: CoolifyWorld & RuntimeWorld;
  beforeEach(async () => void (world = await open()));
  afterEach(() => world.close());
  const asks = (pattern: RegExp) => world.coolify.asked.filter((one) => pattern.test(one));
  const [row, rows] = [() => [...world.coolify.stacks.rows.values()][0]!, () => [...world.coolify.stacks.rows.values()]];
  const reason = async (work: Promise<unknown>): Promise<Error & { retryable: boolean }> => (await work.catch((error: unknown) => error)) as Error & { retryable: boolean };

  it('is a service with two volumes and a network of its own, and its passwords are in its variables alone', async () => {
    const spec = freshSpec();
    await world.runtime.ensure(spec);
    expect((await world.leftovers()).map((name) => name.split(/[ _]/).at(-1)!.replace(/-[a-z0-9]{26}$/, ''))).toEqual(['hp-wp-blog', expect.any(String), 'data', 'database', expect.any(String), 'hp-project', 'hp-net']);
    const { compose, name, description, envs } = row();
    expect(envs.map(({ key, value, is_literal }) => [key, value, is_literal])).toEqual([['SITE_DATABASE_PASSWORD', secrets.databasePassword, true], ['SITE_ADMIN_PASSWORD', secrets.adminPassword, true]]);
    const blob = /printf %s (\S+)/.exec(compose)![1]!;
    const script = Buffer.from(blob, 'base64').toString();
    const inner = Buffer.from(/base64_decode\('([^']+)'\)/.exec(script)![1]!, 'base64').toString();
    expect([compose, name, description, script, inner].join()).not.toContain('planted');
    expect([inner, compose.replaceAll(blob, '')]).toEqual([expect.stringContaining('"title":"Blog"'), expect.not.stringMatching(/\$(?!\{SITE_(DATABASE|ADMIN)_PASSWORD\})/)]);
    await world.runtime.remove(gone(spec));
    expect([await world.coolify.leftovers(), world.coolify.state.prunes, asks(/^DELETE \/services/)]).toEqual([[], 0, [expect.stringMatching(/delete_volumes=true&docker_cleanup=false&delete_connected_networks=true/)]]);
  });

  it('keeps its port, volumes and service with another version of PHP, and is seen to be that version', async () => {
    const spec = freshSpec();
    const target = await world.runtime.ensure(spec);
    const { uuid, compose } = row();
    expect([await world.runtime.ensure(showing(spec, 'second')), await world.visit(target), row().uuid, asks(/restart/).length]).toEqual([target, 'second', uuid, 1]);
    expect([/2\d{4}:80/.exec(row().compose)![0], row().compose === compose]).toEqual([/2\d{4}:80/.exec(compose)![0], false]);
  });

  it.each([
    ['ends over and over', 'unhealthy', /did not become healthy within 0\.6 s: GET \/wp-login\.php on port \d+ fails .*restarting:unhealthy[\s\S]*ending as I was told, with \*\*\* and \*\*\*/],
    ['answers with errors', 'failing', /answers 500, and Coolify says running:unknown/],
    ['has no image', 'missing', /took the request to start .*it does not run after 1 s: .* Coolify says exited\. Its API does not say why\. .*image may be missing/],
  ])('puts the compose file before back when the new version %s', async (_, tag, said) => {
    const runtime = handed(world.with({ deployedWithinMs: 1_000 }));
    const spec = freshSpec();
    const target = await runtime.ensure(spec);
    const { compose } = row();
    const error = await reason(runtime.ensure(showing(spec, tag)));
    expect(error).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(said) });
    expect(error.message).toMatch(/The one before runs again\.$/);
    expect(error.message).not.toContain('planted');
    const but = (text: string) => withVersion(text, 'another start');
    expect([await world.visit(target), but(row().compose), (await runtime.observe(spec.siteId))?.specHash]).toEqual(['first', but(compose), specHash(spec)]);
  });

  it.each(['unhealthy', 'missing'])('leaves nothing of a first version that is %s', async (tag) => {
    const spec = showing(freshSpec(), tag);
    await expect(handed(world.with({ deployedWithinMs: 1_000, healthyWithinMs: 200 })).ensure(spec)).rejects.toMatchObject({ retryable: false });
    expect(rows()).toEqual([]);
    await world.runtime.remove(gone(spec));
    expect(await world.coolify.leftovers()).toEqual([]);
  });

  it('says so when Coolify answers and starts nothing, and takes the service away', async () => {
    world.coolify.stacks.lostStarts = 1;
    const error = await reason(handed(world.with({ deployedWithinMs: 500 })).ensure(freshSpec()));
    expect([error.retryable, error.message, rows()]).toEqual([false, expect.stringMatching(/does not run after 0\.5 s: .*ECONNREFUSED.*Coolify says exited/), []]);
  });

  it('does not take the version before for the new one when Coolify answers and restarts nothing', async () => {
    const spec = freshSpec();
    const target = await world.runtime.ensure(spec);
    world.coolify.stacks.lostStarts = 1;
    const error = await reason(world.runtime.ensure(showing(spec, 'second')));
    expect([error.retryable, error.message, await world.visit(target)]).toEqual([false, expect.stringMatching(/what answers is not this version, and Coolify says running:unknown[\s\S]*The one before runs again/), 'first']);
    expect((await world.runtime.observe(spec.siteId))?.specHash).toBe(specHash(spec));
  });

  it('takes another port than one that somebody has, whom Coolify does not know; and never one of an app or of a service', async () => {
    const spec = freshSpec();
    const port = choosePort(spec.siteId, ports, new Set());
    const rival = createServer();
    await new Promise<void>((resolve) => rival.listen(port, '127.0.0.1', resolve));
    const { port: taken } = await world.runtime.ensure(spec);
    expect(taken).not.toBe(port);
    await new Promise((resolve) => rival.close(resolve));
    const first = taken < ports.first + 3 ? taken + 1 : ports.first;
    const narrow = handed(world.with({ ports: { first, last: first + 2 } }));
    const others = [freshSpec(), { ...freshSpec(), kind: 'app', wordpress: undefined, app: { image: 'hostplane-test/app:latest', port: 8080, healthPath: '/health', env: {}, sealedEnv: [], secretEnv: [] } }, freshSpec()];
    const found = await Promise.all(others.map(async (other) => (await narrow.ensure(other)).port));
    expect(new Set(found).size).toBe(3);
  });

  it('lets a port be somebody\'s who came first, when that is found out only by starting: nothing is left, and theirs goes on', async () => {
    const spec = freshSpec();
    const rival = createHttpServer((_, response) => response.writeHead(200, { connection: 'close' }).end('theirs'));
    world.coolify.fail(/POST \/services\/\w+\/start/, 'status', { status: 429, headers: { 'retry-after': '1' } });
    const launched = reason(handed(world.with({ deployedWithinMs: 500 })).ensure(spec));
    while (rows().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise<void>((resolve) => rival.listen(choosePort(spec.siteId, ports, new Set()), '127.0.0.1', resolve));
    expect((await launched).message).toMatch(/what answers is not this version, and Coolify says exited/);
    await world.runtime.remove(gone(spec));
    expect([await world.coolify.leftovers(), rival.listening]).toEqual([[], true]);
    rival.closeAllConnections();
    await new Promise((resolve) => rival.close(resolve));
  });

  it.each([
    ['does not answer at first', /./, 'reset', {}, 1],
    ['is overloaded', /./, 'status', { status: 503 }, 2],
    ['asks for patience', /./, 'status', { status: 429, headers: { 'retry-after': '1' } }, 1],
    ['takes the service and loses its answer', /POST \/services$/, 'reset-after', {}, 1],
    ['takes the service and never answers', /POST \/services$/, 'hang-after', {}, 1],
    ['makes the service and answers 500', /POST \/services$/, 'status-after', { status: 500 }, 1],
    ['takes the start and loses its answer', /POST \/services\/\w+\/start/, 'reset-after', {}, 1],
    ['loses the variables', /envs\/bulk/, 'reset', {}, 1],
    ['loses a mark', /PATCH/, 'reset-after', {}, 2],
  ] as const)('is made once when Coolify %s', async (_, on, kind, more, times) => {
    world.coolify.fail(on, kind, { ...more, times });
    const spec = freshSpec();
    const target = await world.runtime.ensure(spec);
    // A start that was asked for twice is done twice.
    for (let left = 250; left > 0 && (await world.visit(target)) !== 'first'; left--) await sleep(20);
    expect([await world.visit(target), rows().length, world.coolify.state.projects.size]).toEqual(['first', 1, 1]);
    world.coolify.fail(/DELETE/, kind === 'hang-after' ? 'reset-after' : kind, { ...more, times });
    await world.runtime.remove(gone(spec));
    expect(await world.coolify.leftovers()).toEqual([]);
  });

  it('is taken over by another site of the project, with its name; and data that is not there is not made up', async () => {
    const old = freshSpec();
    await world.runtime.ensure(old);
    const { uuid } = row();
    await world.runtime.remove({ ...gone(old), keepData: true });
    expect([row().description, (await world.leftovers()).some((name) => name.startsWith('container'))]).toEqual([expect.stringContaining('state=kept'), false]);
    const heir = { ...freshSpec(old), name: 'heir', dataId: old.siteId };
    await world.runtime.ensure(heir);
    expect([row().uuid, row().name, (await world.runtime.list()).map(({ siteId }) => siteId)]).toEqual([uuid, expect.stringMatching(/^hp-wp-heir-/), [heir.siteId]]);
    await world.runtime.remove(gone(old));
    expect(rows()).toHaveLength(1);
    await world.runtime.remove(gone(heir));
    expect(await world.coolify.leftovers()).toEqual([]);
    await expect(world.runtime.ensure(heir)).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/data of the site .* is not at Coolify any more/) });
  });

  it('keeps data that was taken over when the site that took it over does not become healthy', async () => {
    const old = freshSpec();
    await world.runtime.ensure(old);
    await world.runtime.remove({ ...gone(old), keepData: true });
    const heir = { ...showing(freshSpec(old), 'unhealthy'), dataId: old.siteId };
    await expect(world.runtime.ensure(heir)).rejects.toMatchObject({ retryable: false });
    await world.runtime.remove({ ...gone(heir), keepData: true });
    expect([row().description, (await world.leftovers()).filter((name) => name.startsWith('volume')).length]).toEqual([expect.stringContaining('state=kept'), 2]);
    expect(await world.visit(await world.runtime.ensure({ ...heir, ...showing(heir, 'again') }))).toBe('again');
  });

  it('does not let Coolify forget what still runs', async () => {
    const spec = freshSpec();
    const target = await world.runtime.ensure(spec);
    world.coolify.state.isReachable = false;
    await expect(world.runtime.remove(gone(spec))).rejects.toMatchObject({ retryable: true, message: expect.stringMatching(/does not get through to its server/) });
    expect([asks(/^DELETE \/services/), await world.visit(target)]).toEqual([[], 'first']);
    world.coolify.state.isReachable = true;
    await world.runtime.remove(gone(spec));
    expect(await world.coolify.leftovers()).toEqual([]);
  });

  it('is not started without its passwords', async () => {
    await expect(world.with({}).ensure(freshSpec())).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/was handed none/) });
  });
});
