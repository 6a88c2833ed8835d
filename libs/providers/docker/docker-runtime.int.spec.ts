import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { ContentStore } from '#content/content-store.js';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { projectNetwork } from '#domain/naming/naming.js';
import { describeWithDocker, isOpen } from '../../../test/support/docker.js';
import { page, siteRuntimeContract, type RuntimeWorld } from '../contract/site-runtime.contract.js';
import { LABEL } from './requests.js';
import { DockerRuntime, type DockerRuntimeOptions } from './docker-runtime.js';
import { busyboxImage, nginxImage } from './settings.js';
import { parseRoutes } from './subnets.js';

jest.setTimeout(60_000);
const run = promisify(execFile);
/** Built by infra/images; `npm test` sees to it. */
const STATIC = 'hostplane-test/static:latest';
const NGINX = 'hostplane-test/nginx:latest';
const OCTET = 130 + Math.floor(Math.random() * 100);
let subnets = Math.floor(Math.random() * 1000);

/** The engine as an administrator sees it, not through the adapter. */
async function docker(...args: string[]): Promise<string> {
  return (await run('docker', args)).stdout.trim();
}
const lines = (text: string) => text.split('\n').filter((line) => line !== '');
const inside = (id: string, ...command: string[]) => docker('exec', id, '/bin/busybox', ...command);

interface DockerWorld extends RuntimeWorld {
  readonly plane: string;
  /** Every spec that was handed out and not taken away again. */
  readonly handedOut: WorkloadSpec[];
  app(image?: string, app?: object, project?: WorkloadSpec): WorkloadSpec;
  containerOf(spec: WorkloadSpec): Promise<string>;
  with(options: Partial<DockerRuntimeOptions>): DockerRuntime;
}

function freshSpec(project?: WorkloadSpec): WorkloadSpec {
  const subnet = project?.subnet ?? `10.${OCTET}.${subnets++ % 256}.0/24`;
  const host = project ? Number(project.address.split('.')[3]) + 1 : 10;
  const address = subnet.replace('0/24', String(host));
  return WorkloadSpec.fromJSON({ siteId: randomUUID(), projectId: project?.projectId ?? randomUUID(), name: 'site', kind: 'static', runtime: 'docker', power: 'running', subnet, address });
}

/** The engine behind a proxy that answers 403 to some requests, and counts how many of a kind, by the last part of their path, were under way at once. */
async function engineThrough(refuses: (request: IncomingMessage) => boolean, refusal: object = {}) {
  const under = new Map<string, number>();
  const most = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    if (refuses(incoming)) return void outgoing.writeHead(403, { 'content-type': 'application/json' }).end(JSON.stringify(refusal));
    const kind = incoming.url!.split('?')[0]!.split('/').at(-1)!;
    under.set(kind, (under.get(kind) ?? 0) + 1);
    most.set(kind, Math.max(most.get(kind) ?? 0, under.get(kind)!));
    const onward = request({ socketPath: '/var/run/docker.sock', method: incoming.method!, path: incoming.url!, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(outgoing).on('close', () => under.set(kind, under.get(kind)! - 1));
    });
    incoming.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    engine: { protocol: 'http', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const,
    abreast: (kind: string) => most.get(kind),
    close: () => void (server.close(), server.closeAllConnections()),
  };
}

async function open(): Promise<DockerWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'hp-docker-'));
  const content = new ContentStore(folder);
  const plane = `test-${randomUUID().slice(0, 8)}`;
  const options = { plane, content, staticImage: busyboxImage(STATIC), healthyWithinMs: 5_000, stopWithinSeconds: 1 };
  const make = () => new DockerRuntime(options);
  const ours = `label=${LABEL.plane}=${plane}`;
  const handedOut: WorkloadSpec[] = [];
  const handOut = (spec: WorkloadSpec) => (handedOut.push(spec), spec);
  const app = (image = STATIC, more: object = {}, project?: WorkloadSpec) => handOut(WorkloadSpec.fromJSON({ ...freshSpec(project), kind: 'app', app: { image, port: 80, env: {}, healthPath: '/', ...more } }));
  return {
    plane,
    content,
    handedOut,
    freshSpec: (project) => handOut(freshSpec(project)),
    app,
    runtime: make(),
    restarted: make,
    with: (other) => new DockerRuntime({ ...options, ...other }),
    containerOf: (spec) => docker('ps', '-aq', '--filter', ours, '--filter', `label=${LABEL.site}=${spec.siteId}`),
    visit: async ({ address, port }) => fetch(`http://${address}:${port}/`, { signal: AbortSignal.timeout(3_000) }).then((r) => r.text(), () => undefined),
    leftovers: async () => {
      const found = await Promise.all([docker('ps', '-a', '--format', '{{.Names}}', '--filter', ours), docker('network', 'ls', '--format', '{{.Name}}', '--filter', ours), docker('volume', 'ls', '-q', '--filter', ours)]);
      return found.flatMap(lines);
    },
    plantForeign: async (spec) => {
      const name = `foreign-${randomUUID()}`;
      const labels = ['--label', `${LABEL.site}=${spec.siteId}`, '--label', `${LABEL.project}=${spec.projectId}`, '--label', `${LABEL.plane}=another`, '--label', `${LABEL.role}=workload`];
      await docker('network', 'create', '--subnet', freshSpec().subnet, ...labels, name);
      await docker('volume', 'create', ...labels, name);
      await docker('create', '--name', name, '--network', name, '-v', `${name}:/x`, ...labels, STATIC);
      return async () => {
        const kinds = await Promise.all([docker('inspect', name), docker('network', 'inspect', name), docker('volume', 'inspect', name)].map((p) => p.then(() => true, () => false)));
        await docker('rm', '-f', name);
        await docker('network', 'rm', name);
        await docker('volume', 'rm', name);
        return kinds.every((there) => there);
      };
    },
    stops: true,
    unhealthy: (spec) => WorkloadSpec.fromJSON({ ...spec, kind: 'app', app: { image: STATIC, port: 81, env: {}, healthPath: '' } }),
    close: async () => rmSync(folder, { recursive: true }),
  };
}

describeWithDocker('docker', () => siteRuntimeContract('docker', open));

describeWithDocker('the docker runtime itself', () => {
  let world: DockerWorld;
  const images: string[] = [];
  beforeAll(async () => void (world = await open()));
  afterAll(async () => {
    for (const image of images) await docker('rmi', '-f', image);
    await world.close();
  });
  afterEach(async () => {
    for (const { siteId, projectId } of world.handedOut.splice(0)) await world.runtime.remove({ siteId, projectId, keepData: false });
    expect(await world.leftovers()).toEqual([]);
  });

  /** An image of our own that runs a line of shell. */
  async function imageThat(line: string, ...changes: string[]): Promise<string> {
    const image = `hp-test-${randomUUID().slice(0, 8)}:1`;
    const container = await docker('create', STATIC);
    const all = [`CMD ${JSON.stringify(['/bin/busybox', 'sh', '-c', line])}`, ...changes];
    await docker('commit', ...all.flatMap((change) => ['--change', change]), container, image);
    await docker('rm', container);
    images.push(image);
    return image;
  }

  it('keeps projects apart: their containers cannot reach each other, those of one project can', async () => {
    const [a, b] = [world.app(), world.app()];
    const sibling = world.app(STATIC, {}, a);
    await Promise.all([a, b, sibling].map((spec) => world.runtime.ensure(spec)));
    const gets = (from: WorkloadSpec, to: WorkloadSpec) => {
      const line = `printf 'GET / HTTP/1.0\r\n\r\n' | busybox nc -w 2 ${to.address} 80`;
      return isOpen(async () => (await inside(await world.containerOf(from), 'sh', '-c', line).catch(() => '')).includes('It serves'));
    };
    expect([await gets(a, sibling), await gets(a, b), await gets(b, a)]).toEqual([true, false, false]);
  });

  it('gives a container its address, and the same one after a restart', async () => {
    const spec = world.app();
    const addressOf = async () => docker('inspect', '-f', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}} {{.State.StartedAt}}', await world.containerOf(spec));
    await world.runtime.ensure(spec);
    const before = await addressOf();
    await world.runtime.ensure({ ...spec, restartedAfter: new Date().toISOString() });
    const after = await addressOf();
    await world.runtime.ensure({ ...spec, restartedAfter: new Date(0).toISOString() });
    expect(await addressOf()).toBe(after);
    expect([before.split(' ')[0], after.split(' ')[0]]).toEqual([spec.address, spec.address]);
    expect(after).not.toBe(before);
  });

  it('runs a static site without root, capabilities or anything to write to, within its limits', async () => {
    const spec = world.freshSpec();
    await world.runtime.ensure(spec);
    const id = await world.containerOf(spec);
    const status = await inside(id, 'cat', '/proc/1/status');
    expect(status).toMatch(/Uid:\s+65534\s+65534/);
    expect(status).toMatch(/CapEff:\s+0{16}\n/);
    expect(status).toMatch(/NoNewPrivs:\s+1/);
    await expect(inside(id, 'touch', '/x')).rejects.toThrow(/Read-only/);
    await expect(inside(id, 'touch', '/srv/x')).rejects.toThrow(/Read-only/);
    const { HostConfig } = JSON.parse(await docker('inspect', '-f', '{{json .}}', id)) as { HostConfig: object };
    expect(HostConfig).toMatchObject({ Memory: 64 * 1024 * 1024, NanoCpus: 5e8, PidsLimit: 64, ReadonlyRootfs: true, CapDrop: ['ALL'], RestartPolicy: { Name: 'unless-stopped' } });
    const memory = await inside(id, 'sh', '-c', 'busybox cat /sys/fs/cgroup/memory.max 2>/dev/null || busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes').catch(() => 'unknown here');
    expect([String(64 * 1024 * 1024), 'unknown here']).toContain(memory);
  });

  it('runs an app without privileges beyond a low port', async () => {
    const spec = world.app();
    await world.runtime.ensure(spec);
    const status = await inside(await world.containerOf(spec), 'cat', '/proc/1/status');
    expect(status).toMatch(/CapEff:\s+0{13}400\n/);
    expect(status).toMatch(/NoNewPrivs:\s+1/);
  });

  it('serves static sites by nginx as well', async () => {
    const runtime = world.with({ staticImage: nginxImage(NGINX), healthyWithinMs: 10_000 });
    const spec = { ...world.freshSpec(), releaseId: 'r', content: await page(world.content, 'by nginx') };
    const target = await runtime.ensure(spec);
    expect([await world.visit(target), await fetch(`http://${target.address}/deep/er/page.html`).then((r) => r.text())]).toEqual(['by nginx', 'deep by nginx']);
    expect(await docker('exec', await world.containerOf(spec), 'cat', '/proc/1/status')).toMatch(/Uid:\s+101\s+101/);
  });

  it('makes eight sites at once in two projects', async () => {
    const first = [world.app(), world.app()];
    const specs = [...first];
    for (let i = 0; i < 6; i++) specs.push(world.app(STATIC, {}, specs[i]));
    const targets = await Promise.all(specs.map((spec) => world.runtime.ensure(spec)));
    expect(await Promise.all(targets.map((t) => world.visit(t)))).toEqual(Array(8).fill('<h1>It serves</h1>\n'));
    await Promise.all(specs.map(({ siteId, projectId }) => world.runtime.remove({ siteId, projectId, keepData: false })));
    expect(await world.leftovers()).toEqual([]);
  });

  it('says how an app that ends ended, with its last words and without its secrets', async () => {
    const image = await imageThat('echo last words with $KEY; exit 3');
    const error = (await world.runtime.ensure(world.app(image, { env: { KEY: 'planted-secret' } })).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(/ended with exit code 3[\s\S]*last words with \*\*\*/) });
    expect(error.message).not.toContain('planted-secret');
    expect((await world.leftovers()).filter((name) => name.startsWith('hp-app'))).toEqual([]);
  });

  it('masks a value before it cuts the last words', async () => {
    const image = await imageThat('echo first; printf %s "$KEY"; printf "%04090d" 0; exit 3');
    const error = (await world.runtime.ensure(world.app(image, { env: { KEY: 'planted-secret-value' } })).catch((e: unknown) => e)) as Error;
    expect(error.message).toMatch(/ended with exit code 3 instead of serving\. Its last log lines:\n[^]*0{4000,}/);
    expect(error.message).not.toMatch(/plan|valu/);
  });

  it('says what an app that does not become healthy answers', async () => {
    await expect(world.runtime.ensure(world.app(STATIC, { healthPath: '/healthz' }))).rejects.toMatchObject({ retryable: false, message: expect.stringMatching(/did not become healthy within 5 s: GET \/healthz on port 80 answers 404/) });
  });

  it('keeps what an image declares as a volume when the container is replaced, and on request when the site is removed', async () => {
    const image = await imageThat('busybox httpd -f -p 80 -h /data', 'VOLUME /data');
    const spec = world.app(image, { healthPath: '' });
    await world.runtime.ensure(spec);
    await inside(await world.containerOf(spec), 'sh', '-c', 'echo kept > /data/index.html');
    const changed = { ...spec, app: { ...spec.app!, env: { NEW: '1' } } };
    expect(await world.visit(await world.runtime.ensure(changed))).toBe('kept\n');
    await world.runtime.remove({ ...spec, keepData: true });
    expect(await world.visit(await world.runtime.ensure({ ...spec, name: 'renamed' }))).toBe('kept\n');
  });

  it('makes a workload anew when its network was taken away', async () => {
    const spec = world.app();
    await world.runtime.ensure(spec);
    const id = await world.containerOf(spec);
    const [network] = lines(await docker('network', 'ls', '-q', '--filter', `label=${LABEL.project}=${spec.projectId}`));
    await docker('stop', '-t', '0', id);
    await docker('network', 'rm', network!);
    expect(await world.visit(await world.runtime.ensure(spec))).toContain('It serves');
  });

  it('names a network of somebody else, or a route of the host, that a project cannot share', async () => {
    const spec = world.freshSpec();
    const name = `foreign-${randomUUID()}`;
    await docker('network', 'create', '--subnet', spec.subnet.replace('.0/24', '.128/25'), name);
    const refused = { name: 'ProviderError', retryable: false, message: expect.stringMatching(/overlaps[\s\S]*HOSTPLANE_NETWORK_POOL/) };
    await expect(world.runtime.ensure(spec)).rejects.toMatchObject(refused);
    await docker('network', 'rm', name);
    const [route] = parseRoutes(readFileSync('/proc/net/route', 'utf8'));
    const subnet = `${[24, 16, 8, 0].map((shift) => Math.floor(route!.subnet.first / 2 ** shift) % 256).join('.')}/30`;
    await expect(world.runtime.ensure({ ...spec, subnet })).rejects.toMatchObject(refused);
  });

  it.each([
    ['of another plane', ['--label', `${LABEL.plane}=another`], /^The network hp-net-\w+ belongs to another plane at this engine, another; this one is /],
    ['of somebody else', [], /^A network that is not Hostplane's has the name hp-net-\w+: remove it\.$/],
  ] as const)('says whose network has the name of its own: one %s', async (_, labels, message) => {
    const spec = world.freshSpec();
    await docker('network', 'create', ...labels, projectNetwork(spec.projectId));
    await expect(world.runtime.ensure(spec)).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(message) });
    await docker('network', 'rm', projectNetwork(spec.projectId));
  });

  it('removes a site whose network cannot go, and says what keeps it when the project goes', async () => {
    const spec = world.app();
    const runtime = world.with({ networkGoesWithinMs: 300 });
    await runtime.ensure(spec);
    const [network] = lines(await docker('network', 'ls', '--format', '{{.Name}}', '--filter', `label=${LABEL.project}=${spec.projectId}`));
    const stranger = await docker('run', '-d', '--rm', '--network', network!, STATIC, '/bin/busybox', 'sleep', '60');
    const name = (await docker('inspect', '--format', '{{.Name}}', stranger)).slice(1);
    await runtime.remove({ ...spec, keepData: false });
    await expect(runtime.removeHome(spec.projectId)).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(`${network!}.*${name}`) });
    await docker('rm', '-f', stranger);

    const miscounting = await engineThrough(({ method, url }) => method === 'DELETE' && url!.startsWith('/networks/'), { message: `error while removing network: ${network!} has active endpoints` });
    try {
      await expect(world.with({ networkGoesWithinMs: 300, engine: miscounting.engine }).removeHome(spec.projectId)).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringMatching(`${network!}.*started again`) });
    } finally {
      miscounting.close();
    }
    await runtime.removeHome(spec.projectId);
    expect(lines(await docker('network', 'ls', '-q', '--filter', `name=${network!}`))).toEqual([]);
  });

  it('lets containers leave one network in turn', async () => {
    const watched = await engineThrough(() => false);
    const runtime = world.with({ engine: watched.engine });
    const first = world.app();
    const specs = [first, world.app(undefined, undefined, first)];
    specs.push(world.app(undefined, undefined, specs[1]));
    try {
      await Promise.all(specs.map((spec) => runtime.ensure(spec)));
      await Promise.all(specs.map((spec) => runtime.ensure({ ...spec, power: 'stopped' })));
      await Promise.all(specs.map((spec) => runtime.ensure(spec)));
      await Promise.all(specs.map((spec) => runtime.remove({ ...spec, keepData: false })));
    } finally {
      watched.close();
    }
    expect(watched.abreast('stop')).toBe(1);
  });

  it('is worth another try when the engine does not answer', async () => {
    const runtime = world.with({ engine: { socketPath: '/nowhere/docker.sock' } });
    for (const call of [runtime.ensure(world.app()), runtime.list(), runtime.remove({ ...world.app(), keepData: false })]) {
      await expect(call).rejects.toMatchObject({ name: 'ProviderError', retryable: true, message: expect.stringContaining('/nowhere/docker.sock does not answer') });
    }
  });

  it('puts the old site back when a replacement is called off half-way', async () => {
    const spec = world.app();
    const target = await world.runtime.ensure(spec);
    const calledOff = new AbortController();
    const replaced = world.runtime.ensure({ ...spec, app: { ...spec.app!, healthPath: '/never' } }, calledOff.signal);
    setTimeout(() => calledOff.abort(), 900);
    await expect(replaced).rejects.toMatchObject({ name: 'ProviderError', retryable: true });
    expect(await world.visit(target)).toContain('It serves');
  });
});

describeWithDocker('images that are not here', () => {
  let world: DockerWorld;
  const registry = createServer((request, response) => {
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    if (request.url === '/v2/') return void response.end('{}');
    if (!request.url!.includes('half')) return void response.writeHead(404).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }));
    if (request.url!.includes('blobs')) return void response.writeHead(404).end(JSON.stringify({ errors: [{ code: 'BLOB_UNKNOWN', message: 'blob unknown' }] }));
    const part = (digit: string) => ({ mediaType: 'application/vnd.docker.container.image.v1+json', size: 10, digest: `sha256:${digit.repeat(64)}` });
    response.setHeader('content-type', 'application/vnd.docker.distribution.manifest.v2+json');
    response.end(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.docker.distribution.manifest.v2+json', config: part('a'), layers: [{ ...part('b'), mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }] }));
  });
  let host: string;
  beforeAll(async () => {
    world = await open();
    await new Promise<void>((listening) => registry.listen(0, '127.0.0.1', listening));
    host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    registry.close();
    await world.close();
  });

  it('are pulled; one that does not exist is named, for good, and leaves nothing', async () => {
    const spec = world.app(`${host}/none:1`);
    await expect(world.runtime.ensure(spec)).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringContaining(`${host}/none:1`) });
    expect(await world.leftovers()).toEqual([]);
  });
  it('are not taken for pulled when the failure comes with the progress', async () => {
    await expect(world.runtime.ensure(world.app(`${host}/half`))).rejects.toMatchObject({ name: 'ProviderError', message: expect.stringContaining(`could not pull image ${host}/half`) });
    expect(await world.leftovers()).toEqual([]);
  });
  it('are given up after a few tries when the registry does not answer, and say what to check', async () => {
    await expect(world.runtime.ensure(world.app('127.0.0.1:1/none:1'))).rejects.toMatchObject({ name: 'ProviderError', retryable: false, message: expect.stringContaining('reaches its registry') });
  });
});
