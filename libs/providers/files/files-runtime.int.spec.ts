import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ContentStore } from '#content/content-store.js';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { page, siteRuntimeContract, type RuntimeWorld } from '../contract/site-runtime.contract.js';
import { FilesRuntime } from './files-runtime.js';

async function open(): Promise<RuntimeWorld & { sitesFolder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'hp-files-'));
  const sitesFolder = join(folder, 'sites');
  mkdirSync(sitesFolder);
  const content = new ContentStore(join(folder, 'content'));
  const make = () => new FilesRuntime({ sitesFolder, content, plane: 'test' });
  return {
    sitesFolder,
    runtime: make(),
    restarted: make,
    content,
    freshSpec: (project) => WorkloadSpec.fromJSON({ siteId: randomUUID(), projectId: project?.projectId ?? randomUUID(), name: 'site', kind: 'static', runtime: 'files', power: 'running' }),
    visit: ({ root }) => readFile(join(sitesFolder, root, 'index.html'), 'utf8').catch(() => undefined),
    leftovers: async () => {
      const sites = (await readdir(sitesFolder)).filter((name) => name !== 'foreign');
      return [...sites, ...sites.flatMap((site) => readdirSync(join(sitesFolder, site)).map((name) => `${site}/${name}`))];
    },
    plantForeign: async (spec) => {
      mkdirSync(join(sitesFolder, 'foreign'));
      writeFileSync(join(sitesFolder, 'foreign', 'index.html'), 'mine');
      mkdirSync(join(sitesFolder, spec.siteId));
      writeFileSync(join(sitesFolder, spec.siteId, 'workload.json'), JSON.stringify({ plane: 'another', siteId: spec.siteId, releases: [] }));
      return async () => {
        const there = existsSync(join(sitesFolder, 'foreign', 'index.html')) && existsSync(join(sitesFolder, spec.siteId, 'workload.json'));
        for (const name of ['foreign', spec.siteId]) rmSync(join(sitesFolder, name), { recursive: true });
        return there;
      };
    },
    stops: false,
    close: async () => rmSync(folder, { recursive: true }),
  };
}

siteRuntimeContract('files', open);

describe('the files runtime itself', () => {
  it('unpacks a release again from which a file is missing or was cut off, and else leaves every file as it is', async () => {
    const world = await open();
    try {
      const spec = { ...world.freshSpec(), releaseId: randomUUID(), content: await page(world.content, 'x') };
      const { root } = await world.runtime.ensure(spec);
      const [index, deep] = [join(world.sitesFolder, root, 'index.html'), join(world.sitesFolder, root, 'deep/er/page.html')];
      const before = statSync(index).ino;
      await world.restarted().ensure(spec);
      expect(statSync(index).ino).toBe(before);
      rmSync(deep);
      await world.restarted().ensure(spec);
      expect(readFileSync(deep, 'utf8')).toBe('deep x');
      writeFileSync(index, '');
      await world.restarted().ensure(spec);
      expect(readFileSync(index, 'utf8')).toBe('x');
      rmSync(join(world.sitesFolder, spec.siteId, 'releases'), { recursive: true });
      await world.restarted().ensure(spec);
      expect(readFileSync(index, 'utf8')).toBe('x');
      expect(readdirSync(join(world.sitesFolder, spec.siteId)).sort()).toEqual(['current', 'releases', 'workload.json']);
    } finally {
      await world.close();
    }
  });
  it('can be read by anybody, whatever the umask', async () => {
    const before = process.umask(0o077);
    const world = await open();
    try {
      const spec = { ...world.freshSpec(), releaseId: randomUUID(), content: await page(world.content, 'x') };
      const { root } = await world.runtime.ensure(spec);
      const modes = ['', '..', 'deep', 'deep/er'].map((p) => statSync(join(world.sitesFolder, root, p)).mode & 0o777);
      expect([...modes, statSync(join(world.sitesFolder, root, 'deep/er/page.html')).mode & 0o777]).toEqual([0o755, 0o755, 0o755, 0o755, 0o644]);
    } finally {
      process.umask(before);
      await world.close();
    }
  });

  it('keeps the last three releases, each whole, and serves through a link that is swapped', async () => {
    const world = await open();
    const spec = world.freshSpec();
    for (const text of ['1', '2', '3', '4', '5']) await world.runtime.ensure({ ...spec, releaseId: text, content: await page(world.content, text) });
    const releases = join(world.sitesFolder, spec.siteId, 'releases');
    expect(readdirSync(releases).map((name) => readFileSync(join(releases, name, 'index.html'), 'utf8')).sort()).toEqual(['3', '4', '5']);
    expect(readdirSync(join(world.sitesFolder, spec.siteId)).sort()).toEqual(['current', 'releases', 'workload.json']);
    await world.close();
  });

  it('sees what another process has made of a site since it looked last', async () => {
    const world = await open();
    const spec = { ...world.freshSpec(), releaseId: '1', content: await page(world.content, '1') };
    const { siteId, projectId } = spec;
    const seen = async () => (await world.runtime.list()).map(({ power, healthy }) => [power, healthy]);
    await world.runtime.ensure(spec);
    expect([await seen(), await seen()]).toEqual([[['running', true]], [['running', true]]]);
    await world.restarted().ensure({ ...spec, releaseId: '2', power: 'stopped', content: await page(world.content, '2') });
    expect(await seen()).toEqual([['stopped', true]]);
    await world.restarted().remove({ siteId, projectId, dataId: '', keepData: false });
    expect(await seen()).toEqual([]);
    await world.close();
  });

  it('never shows a visitor half a release', async () => {
    const world = await open();
    const spec = world.freshSpec();
    await world.runtime.ensure({ ...spec, releaseId: 'r0', content: await page(world.content, '0') });
    let done = false;
    const seen = new Set<string | undefined>();
    const visitor = (async () => {
      while (!done) seen.add(await world.visit({ address: '', port: 0, root: `${spec.siteId}/current` }));
    })();
    for (const text of ['1', '2', '3']) await world.runtime.ensure({ ...spec, releaseId: `r${text}`, content: await page(world.content, text) });
    done = true;
    await visitor;
    expect([...seen].filter((s) => s === undefined)).toEqual([]);
    await world.close();
  });

  it('escapes the name of a site that waits', async () => {
    const world = await open();
    const { root } = await world.runtime.ensure({ ...world.freshSpec(), name: '<script>"&' });
    expect(readFileSync(join(world.sitesFolder, root, 'index.html'), 'utf8')).toContain('<h1>&#60;script&#62;&#34;&#38;</h1>');
    await world.close();
  });

  it('takes no id that leads out of its folder', async () => {
    const world = await open();
    for (const siteId of ['../x', '', '.', 'a/b']) await expect(world.runtime.ensure({ ...world.freshSpec(), siteId })).rejects.toMatchObject({ retryable: false });
    await world.close();
  });
});
