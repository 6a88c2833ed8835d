import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { ContentStore } from '#content/content-store.js';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { listenToProbes } from '#contracts/probe.js';
import { describeWithDocker } from '../../../test/support/docker.js';
import { killedAt } from '../contract/site-runtime.contract.js';
import { DockerRuntime } from './docker-runtime.js';
import { LABEL } from './requests.js';
import { busyboxImage } from './settings.js';

jest.setTimeout(120_000);
const run = promisify(execFile);
const STATIC = 'hostplane-test/static:latest';
const docker = async (...args: string[]) => (await run('docker', args)).stdout.trim();

describeWithDocker("docker's storage", () => {
  const folder = mkdtempSync(join(tmpdir(), 'hp-storage-'));
  const plane = `test-${randomUUID().slice(0, 8)}`;
  const ours = `label=${LABEL.plane}=${plane}`;
  const image = `hp-test-${randomUUID().slice(0, 8)}:1`;
  const make = () => new DockerRuntime({ plane, content: new ContentStore(folder), staticImage: busyboxImage(STATIC), healthyWithinMs: 5_000, stopWithinSeconds: 1 });
  const runtime = make();
  const subnet = `10.${130 + Math.floor(Math.random() * 100)}.${Math.floor(Math.random() * 250)}.0/24`;
  const projectId = randomUUID();
  const made: WorkloadSpec[] = [];
  let hosts = 10;

  beforeAll(async () => {
    const container = await docker('create', STATIC);
    const cmd = JSON.stringify(['/bin/busybox', 'sh', '-c', 'busybox httpd -f -p 80 -h /']);
    await docker('commit', '--change', `CMD ${cmd}`, '--change', 'VOLUME /data', '--change', 'VOLUME /more', container, image);
    await docker('rm', container);
  });
  afterAll(async () => {
    await docker('rmi', '-f', image);
    rmSync(folder, { recursive: true });
  });
  afterEach(async () => {
    listenToProbes(() => {});
    for (const spec of made.splice(0)) await runtime.remove({ ...spec, keepData: false });
    expect(await docker('ps', '-aq', '--filter', ours)).toBe('');
    expect(await docker('volume', 'ls', '-q', '--filter', ours)).toBe('');
  });

  function freshSpec(more: object = {}): WorkloadSpec {
    const address = subnet.replace('0/24', String(hosts++));
    const spec = WorkloadSpec.fromJSON({ siteId: randomUUID(), projectId, name: 'site', kind: 'app', runtime: 'docker', power: 'running', subnet, address, app: { image, port: 80, env: {}, healthPath: '' }, ...more });
    made.push(spec);
    return spec;
  }
  const containerOf = (spec: WorkloadSpec) => docker('ps', '-aq', '--filter', ours, '--filter', `label=${LABEL.site}=${spec.siteId}`, '--filter', `label=${LABEL.role}=workload`);
  const inside = async (spec: WorkloadSpec, line: string) => docker('exec', await containerOf(spec), '/bin/busybox', 'sh', '-c', line);
  const paused = async (spec: WorkloadSpec) => docker('inspect', '-f', '{{.State.Paused}}', await containerOf(spec));
  async function fill(spec: WorkloadSpec): Promise<void> {
    await inside(spec, 'cd /data; mkdir -p deep; echo kept > deep/file; chmod 640 deep/file; ln -s deep/file link; chmod 755 .; echo more > /more/file');
    // A site's own container may not give files to others.
    await docker('run', '--rm', '--network', 'none', '--volumes-from', await containerOf(spec), STATIC, '/bin/busybox', 'chown', '33:33', '/data/deep/file');
  }
  const LOOK = 'cd /data; busybox stat -c "%n %a %u:%g" . deep deep/file; busybox readlink link; cat /more/file';
  async function exported(spec: WorkloadSpec): Promise<Map<string, Buffer>> {
    const trees = new Map<string, Buffer>();
    await runtime.storage.exportData(spec, async (path, tar) => void trees.set(path, await buffer(tar)));
    return trees;
  }
  async function filled(spec: WorkloadSpec, trees: ReadonlyMap<string, Buffer>, storage = runtime.storage): Promise<void> {
    for (const [path, tar] of trees) await storage.importTree(spec, path, Readable.from([tar]));
  }

  it('hands out every volume with owners, modes and links, and another site on them is the same', async () => {
    const spec = freshSpec();
    await runtime.ensure(spec);
    await fill(spec);
    const trees = await exported(spec);
    expect([...trees.keys()].sort()).toEqual(['/data', '/more']);
    const copy = freshSpec({ dataId: randomUUID() });
    await filled(copy, trees);
    await filled(copy, trees);
    await runtime.ensure(copy);
    expect(await inside(copy, LOOK)).toBe(await inside(spec, LOOK));
    expect(await inside(copy, LOOK)).toContain('deep/file 640 33:33');
  });

  it('lets a site stand still while it is read, and go on, also when it could not be read', async () => {
    const spec = freshSpec();
    await runtime.ensure(spec);
    const seen: string[] = [];
    const frozenMs = await runtime.storage.exportData(spec, async (_, tar) => {
      seen.push(await paused(spec));
      await buffer(tar);
    });
    expect([seen, await paused(spec)]).toEqual([['true', 'true'], 'false']);
    expect(frozenMs).toBeGreaterThan(0);
    await expect(runtime.storage.exportData(spec, async (_, tar) => {
      tar.destroy();
      throw new Error('the disk is full');
    })).rejects.toThrow('the disk is full');
    expect(await paused(spec)).toBe('false');
  });

  it('is killed anywhere while a site is read: the next process lets it go on, and reads it again', async () => {
    const spec = freshSpec();
    await runtime.ensure(spec);
    for (let nth = 1; ; nth++) {
      const passed = await killedAt(nth, () => make().storage.exportData(spec, async (_, tar) => void (await buffer(tar))));
      await make().storage.thawAll();
      expect([passed, await paused(spec)]).toEqual([passed, 'false']);
      if (passed.length < nth) break;
    }
    expect((await exported(spec)).size).toBe(2);
    expect(await docker('ps', '-aq', '--filter', ours, '--filter', `label=${LABEL.role}=upload`)).toBe('');
  });

  it('is killed anywhere while a volume is filled: doing it again fills it, removing it leaves nothing', async () => {
    const spec = freshSpec();
    await runtime.ensure(spec);
    await fill(spec);
    const trees = await exported(spec);
    for (let nth = 1; ; nth++) {
      const copy = freshSpec({ dataId: randomUUID() });
      const passed = await killedAt(nth, () => filled(copy, trees, make().storage));
      if (nth % 2 === 0) await filled(copy, trees);
      await make().storage.removeData(copy.dataId);
      await make().storage.removeData(copy.dataId);
      expect([passed, (await docker('volume', 'ls', '-q', '--filter', ours)).split('\n').length]).toEqual([passed, 2]);
      if (passed.length < nth) break;
    }
  });

  it('measures the volumes of a project, and takes none away that a site uses', async () => {
    const spec = freshSpec();
    await runtime.ensure(spec);
    await inside(spec, 'busybox dd if=/dev/zero of=/data/big bs=1M count=3');
    const volumes = await runtime.storage.volumes({ projectId });
    expect(volumes.map(({ path, role, dataId }) => ({ path, role, dataId })).sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([{ path: '/data', role: 'data', dataId: spec.siteId }, { path: '/more', role: 'data', dataId: spec.siteId }]);
    expect(volumes.find(({ path }) => path === '/data')!.bytes).toBeGreaterThanOrEqual(3 * 2 ** 20);
    expect(await runtime.storage.volumes({ role: 'data' })).toEqual(volumes);
    for (const none of [{ projectId: randomUUID() }, { projectId, role: 'release' }] as const) expect(await runtime.storage.volumes(none)).toEqual([]);
    await expect(runtime.storage.removeData(spec.siteId)).rejects.toMatchObject({ name: 'ProviderError', retryable: false });
    expect(await runtime.storage.volumes({ projectId })).toHaveLength(2);
  });
});
