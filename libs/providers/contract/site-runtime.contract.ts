import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { pack } from 'tar-stream';
import type { ContentStore } from '#content/content-store.js';
import type { ContentRef } from '#contracts/gen/hostplane/v1/site.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { listenToProbes } from '#contracts/probe.js';
import { ProviderError } from '../provider-error.js';
import type { SiteRuntime } from '../site-runtime.js';
import { specHash } from '../spec-hash.js';

/** A runtime with the real world around it, and a look at that world that does not go through the runtime. */
export interface RuntimeWorld {
  readonly runtime: SiteRuntime;
  /** Another instance over the same world, as after a crash of the process. */
  restarted(): SiteRuntime;
  readonly content: ContentStore;
  /** The spec of a static site without content (or of an app, where the runtime has no static sites) in a project of its own, or in the one that is named. */
  freshSpec(project?: WorkloadSpec): WorkloadSpec;
  /** What a visitor gets, or undefined. */
  visit(target: Target): Promise<string | undefined>;
  /** Everything of this plane in the world, by name. */
  leftovers(): Promise<string[]>;
  /** Puts things that look like the site's, but are not ours, into the world; answers how to ask whether all are there still, and takes them away. */
  plantForeign(spec: WorkloadSpec): Promise<() => Promise<boolean>>;
  /** Whether a stopped site is really down; else its power is only recorded. */
  readonly stops: boolean;
  /** Where the runtime has no static sites: the app changed so that a visitor gets the text. */
  readonly showing?: (spec: WorkloadSpec, text: string) => WorkloadSpec;
  /** Turns a good spec into one that never becomes healthy. */
  readonly unhealthy?: (spec: WorkloadSpec) => WorkloadSpec;
  close(): Promise<void>;
}

export class Killed extends Error {
  override readonly name = 'Killed';
}

/** Works until the nth probe, and from there on without any effect, as a killed process would; answers the probes that were passed. */
export async function killedAt(nth: number, work: () => Promise<unknown>): Promise<string[]> {
  const passed: string[] = [];
  listenToProbes((point) => {
    if (point.endsWith(':done')) return;
    if (passed.push(point) >= nth) throw new Killed(point);
  });
  await work().catch((error: unknown) => {
    if (!(error instanceof Killed)) throw error;
  });
  listenToProbes(() => {});
  return passed;
}

/** Stores an archive with one page. */
export async function page(content: ContentStore, text: string): Promise<ContentRef> {
  const tar = pack();
  tar.entry({ name: 'index.html' }, text);
  tar.entry({ name: 'deep/er/page.html' }, `deep ${text}`);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const { sha256, sizeBytes } = await content.put(Readable.from([gzipSync(Buffer.concat(chunks))]), { maxBytes: 1e6 });
  return { sha256, sizeBytes, format: 'tar.gz', fileCount: 2 };
}

/** What every runtime promises in libs/providers/site-runtime.ts. */
export function siteRuntimeContract(name: string, open: () => Promise<RuntimeWorld>): void {
  describe(`the ${name} runtime`, () => {
    let world: RuntimeWorld;
    const made: WorkloadSpec[] = [];
    beforeAll(async () => void (world = await open()));
    afterAll(() => world.close());
    afterEach(async () => {
      listenToProbes(() => {});
      for (const spec of made.splice(0)) await remove(spec);
      expect(await world.leftovers()).toEqual([]);
    });

    const fresh = (project?: WorkloadSpec): WorkloadSpec => {
      const spec = world.freshSpec(project);
      made.push(spec);
      return spec;
    };
    const takesContent = () => world.runtime.features.kinds.includes('static');
    const released = async (spec: WorkloadSpec, text: string): Promise<WorkloadSpec> =>
      takesContent() ? { ...spec, releaseId: randomUUID(), content: await page(world.content, text) } : world.showing!(spec, text);
    const remove = (spec: WorkloadSpec, runtime = world.runtime, keepData = false) => runtime.remove({ siteId: spec.siteId, projectId: spec.projectId, keepData });
    const seen = async (spec: WorkloadSpec) => world.visit((await world.runtime.observe(spec.siteId))!.target);

    it('serves a page that waits, then the first upload, then the next', async () => {
      const spec = { ...fresh(), name: 'waits' };
      const first = await world.visit(await world.runtime.ensure(spec));
      if (takesContent()) expect(first).toContain('waits for its first upload');
      for (const text of ['one', 'two']) expect(await world.visit(await world.runtime.ensure(await released(spec, text)))).toBe(text);
    });

    it('shows in observe and list what it was made from', async () => {
      const spec = await released(fresh(), 'x');
      const target = await world.runtime.ensure(spec);
      const expected = { siteId: spec.siteId, projectId: spec.projectId, power: 'running', healthy: true, specHash: specHash(spec), target };
      expect(await world.runtime.observe(spec.siteId)).toEqual(expected);
      expect(await world.restarted().list()).toEqual([expected]);
      expect(await world.runtime.observe(randomUUID())).toBeUndefined();
    });

    it('does the same when it is asked twice, at once, or after a restart', async () => {
      const spec = await released(fresh(), 'same');
      const targets = await Promise.all([1, 2, 3].map(() => world.runtime.ensure(spec)));
      const before = await world.leftovers();
      targets.push(await world.restarted().ensure(spec));
      expect(new Set(targets.map((t) => JSON.stringify(t))).size).toBe(1);
      expect(await world.leftovers()).toEqual(before);
      expect(await world.runtime.list()).toHaveLength(1);
    });

    it('keeps a workload with the same spec as it is', async () => {
      const spec = await released(fresh(), 'kept');
      await world.runtime.ensure(spec);
      const points = await killedAt(Infinity, () => world.runtime.ensure(spec));
      expect(points.filter((p) => /create|remove|stage|switch|stop|start/.test(p))).toEqual([]);
    });

    it('removes twice, removes what was never there, and makes it again', async () => {
      const spec = await released(fresh(), 'again');
      await remove(spec);
      await world.runtime.ensure(spec);
      await remove(spec);
      await remove(spec, world.restarted());
      expect([await world.runtime.observe(spec.siteId), await world.leftovers()]).toEqual([undefined, []]);
      expect(await world.visit(await world.runtime.ensure(spec))).toBe('again');
    });

    it('stops, stays stopped, takes a release while stopped, and starts', async () => {
      const spec = await released(fresh(), 'first');
      await world.runtime.ensure(spec);
      const stopped = { ...spec, power: 'stopped' };
      const target = await world.runtime.ensure(stopped);
      await world.runtime.ensure(stopped);
      expect((await world.runtime.observe(spec.siteId))?.power).toBe('stopped');
      if (world.stops) expect(await world.visit(target)).toBeUndefined();
      const next = await released(stopped, 'second');
      await world.runtime.ensure(next);
      expect((await world.runtime.observe(spec.siteId))?.power).toBe('stopped');
      expect(await world.visit(await world.runtime.ensure({ ...next, power: 'running' }))).toBe('second');
      expect((await world.runtime.observe(spec.siteId))?.power).toBe('running');
    });

    it('restarts when it is asked to, and serves again', async () => {
      const spec = await released(fresh(), 'r');
      await world.runtime.ensure(spec);
      const again = { ...spec, restartedAfter: new Date().toISOString() };
      expect(await world.visit(await world.runtime.ensure(again))).toBe('r');
      expect((await world.runtime.observe(spec.siteId))?.specHash).toBe(specHash(spec));
    });

    it('goes back to an earlier release', async () => {
      const spec = fresh();
      const [one, two] = [await released(spec, 'one'), await released(spec, 'two')];
      for (const release of [one, two, one]) await world.runtime.ensure(release);
      expect(await seen(spec)).toBe('one');
    });

    it('keeps serving the old release when the content of the new is missing or damaged', async () => {
      if (!takesContent()) return;
      const spec = await released(fresh(), 'old');
      await world.runtime.ensure(spec);
      const lost = { ...spec, releaseId: randomUUID(), content: { ...spec.content!, sha256: 'a'.repeat(64) } };
      await expect(world.runtime.ensure(lost)).rejects.toMatchObject({ name: 'ProviderError', retryable: true });
      const { sha256 } = await world.content.put(Readable.from([Buffer.from('no archive')]), { maxBytes: 100 });
      const broken = { ...lost, content: { ...spec.content!, sha256 } };
      await expect(world.runtime.ensure(broken)).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
      expect(await seen(spec)).toBe('old');
    });

    it('keeps the old workload serving when the new one does not become healthy', async () => {
      if (!world.unhealthy) return;
      const spec = fresh();
      const good = await world.runtime.ensure(spec);
      await expect(world.runtime.ensure(world.unhealthy(spec))).rejects.toBeInstanceOf(ProviderError);
      expect(await world.visit(good)).toBeDefined();
      expect((await world.runtime.observe(spec.siteId))?.specHash).toBe(specHash(spec));
    });

    it('keeps the data on request, and takes it away later', async () => {
      const spec = await released(fresh(), 'data');
      await world.runtime.ensure(spec);
      await remove(spec, world.runtime, true);
      await remove(spec, world.runtime, true);
      expect([await world.runtime.observe(spec.siteId), await world.runtime.list()]).toEqual([undefined, []]);
      expect((await world.leftovers()).length).toBeGreaterThan(0);
      expect(await world.visit(await world.runtime.ensure(spec))).toBe('data');
      await remove(spec, world.runtime, true);
      await remove(spec);
      expect(await world.leftovers()).toEqual([]);
    });

    it('gives a project its room with its first site, and takes it away only when it is empty', async () => {
      const spec = fresh();
      await world.runtime.removeHome(spec.projectId);
      await world.runtime.ensure(spec);
      await expect(world.runtime.removeHome(spec.projectId)).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
      await remove(spec);
      await world.runtime.removeHome(spec.projectId);
      await world.runtime.removeHome(spec.projectId);
    });

    it('serves several sites of one project, each its own, and removes one without the others', async () => {
      const first = await released(fresh(), 'first');
      const second = await released(fresh(first), 'second');
      const [a, b] = await Promise.all([first, second].map((spec) => world.runtime.ensure(spec)));
      expect([await world.visit(a!), await world.visit(b!)]).toEqual(['first', 'second']);
      await remove(first);
      expect(await world.visit(b!)).toBe('second');
      expect((await world.runtime.list()).map((w) => w.siteId)).toEqual([second.siteId]);
    });

    it('sees and touches nothing that is not ours', async () => {
      const spec = fresh();
      const untouched = await world.plantForeign(spec);
      expect([await world.runtime.observe(spec.siteId), await world.runtime.list()]).toEqual([undefined, []]);
      await remove(spec);
      await world.runtime.removeHome(spec.projectId);
      expect(await untouched()).toBe(true);
    });

    it('refuses what it cannot run, for good', async () => {
      await expect(world.runtime.ensure({ ...fresh(), kind: 'wordpress', wordpress: undefined })).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
    });

    it('stops working when it is called off', async () => {
      await expect(world.runtime.ensure(fresh(), AbortSignal.abort())).rejects.toMatchObject({ name: 'ProviderError', retryable: true });
    });

    it.each(['ensure', 'remove'])('is killed anywhere while it makes a site: %s puts it right', async (repair) => {
      for (let nth = 1; ; nth++) {
        const spec = await released(fresh(), 'made');
        const passed = await killedAt(nth, () => world.restarted().ensure(spec));
        if (repair === 'ensure') expect([passed, await world.visit(await world.restarted().ensure(spec))]).toEqual([passed, 'made']);
        await remove(spec, world.restarted());
        expect([passed, await world.leftovers()]).toEqual([passed, []]);
        if (passed.length < nth) break;
      }
    }, 300_000);

    it('is killed anywhere while it takes a new release: ensure puts it right, to the new or the old', async () => {
      for (let nth = 1; ; nth++) {
        const [old, next] = [await released(fresh(), 'old'), 'next'] as const;
        await world.runtime.ensure(old);
        const settled = await world.leftovers();
        const changed = await released(old, next);
        const passed = await killedAt(nth, () => world.restarted().ensure(changed));
        const wanted = nth % 2 === 0 ? old : changed;
        expect([passed, await world.visit(await world.restarted().ensure(wanted))]).toEqual([passed, nth % 2 === 0 ? 'old' : 'next']);
        expect([passed, (await world.leftovers()).length]).toEqual([passed, settled.length]);
        await remove(old);
        if (passed.length < nth) break;
      }
    }, 300_000);

    it('is killed anywhere while it removes: remove again leaves nothing', async () => {
      for (let nth = 1; ; nth++) {
        const spec = await released(fresh(), 'x');
        await world.runtime.ensure(spec);
        const passed = await killedAt(nth, () => remove(spec, world.restarted()));
        await remove(spec, world.restarted());
        expect([passed, await world.leftovers()]).toEqual([passed, []]);
        if (passed.length < nth) break;
      }
    }, 300_000);
  });
}
