import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import { testImage } from '../../infra/images/recipes.js';
import { visit, type SiteView } from '../support/api.js';
import { until } from '../support/bus.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Plane } from '../support/plane.js';

jest.setTimeout(240_000);

/** What a minute is on a machine that does other things as well. */
const A_MINUTE_MS = 90_000;

/** A way to the engine that can be closed: to those who go it the engine stops and starts. */
class Gate {
  private server: Server | undefined;
  private readonly open = new Set<Socket>();

  constructor(private readonly path: string, private readonly engine: string) {}

  async start(): Promise<void> {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      const onward = connect({ path: this.engine, allowHalfOpen: true });
      for (const one of [socket, onward]) {
        this.open.add(one);
        one.on('error', () => one.destroy());
        one.on('close', () => this.open.delete(one));
      }
      socket.pipe(onward).pipe(socket);
    });
    await new Promise<void>((resolve) => this.server!.listen(this.path, resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => this.server?.close(resolve));
    rmSync(this.path, { force: true });
  }
}

interface HealthyView extends SiteView {
  readonly health?: { readonly state: string; readonly since: string; readonly detail?: string };
}
interface Event {
  readonly type: string;
  readonly data: { readonly state?: string; readonly action?: string };
  readonly meta: { readonly actor: string };
}

describeWithDocker('the health of a site', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-gate-'));
  const docker = new Docker();
  const gate = new Gate(join(folder, 'docker.sock'), process.env['DOCKER_HOST']?.replace(/^unix:\/\//, '') ?? '/var/run/docker.sock');
  let plane: Plane;
  let app: HealthyView;
  let blog: HealthyView;

  beforeAll(async () => {
    await gate.start();
    plane = await startPlane({ env: { HOSTPLANE_DOCKER: 'on', DOCKER_HOST: `unix://${join(folder, 'docker.sock')}`, HOSTPLANE_EDGE: 'embedded', HOSTPLANE_OBSERVE_SECONDS: '1', HOSTPLANE_REDELIVERY_SECONDS: '1' } });
    const wishes = [{ name: 'app', kind: 'app', image: testImage('app'), port: 8080, healthPath: '/health' }, { name: 'blog', kind: 'wordpress' }];
    const created = await Promise.all(wishes.map((wish) => plane.api.call<SiteView>('POST', '/sites', wish)));
    [app, blog] = (await Promise.all(created.map(({ body }) => plane.api.settled(body.id, ['ACTIVE'], 120_000)))) as [HealthyView, HealthyView];
  });
  afterAll(async () => {
    if (!existsSync(join(folder, 'docker.sock'))) await gate.start();
    for (const { id } of [app, blog].filter(Boolean)) {
      await until('it can be destroyed', async () => (await plane.api.call('DELETE', `/sites/${id}`)).status === 202, 60_000);
      await plane.api.settled(id, ['DESTROYED'], 60_000);
    }
    await plane?.stop();
    await gate.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const container = async (label: string) => docker.getContainer((await docker.listContainers({ all: true, filters: { label: [`hostplane.plane=${readFileSync(join(plane.folder, 'plane-id'), 'utf8').trim()}`, label] } }))[0]!.Id);
  const health = async ({ id }: SiteView) => ((await plane.api.site(id)) as HealthyView).health;
  /** States that were recorded, in order, and the repairs. */
  async function story({ id }: SiteView): Promise<string[]> {
    const { body } = await plane.api.call<{ items: Event[] }>('GET', `/sites/${id}/events?format=json&limit=200&type=WorkloadObserved,SiteSwitchRequested`);
    return body.items.map(({ type, data, meta }) => (type === 'WorkloadObserved' ? String(data.state) : `${data.action} by ${meta.actor}`));
  }
  /** Waits until it was seen to be so, repaired, and healthy again. */
  async function comesBack(site: SiteView, state: string, from: number): Promise<void> {
    await until(`${site.name} is back after it was ${state}`, async () => (await story(site)).slice(from).at(-1) === 'healthy', A_MINUTE_MS).catch(async (error: Error) => {
      throw new Error(`${error.message}\n${await plane.complaints()}`, { cause: error });
    });
    const told = (await story(site)).slice(from);
    expect([told[0], told.includes('repair by system:lifecycle')]).toEqual([state, true]);
    await until(`${site.name} is free`, async () => (await plane.api.site(site.id))['operation'] === undefined, 60_000);
    expect([(await visit(site.url)).status, (await plane.api.site(site.id)).status, (await health(site))?.state]).toEqual([200, 'ACTIVE', 'healthy']);
  }

  it('is healthy from its launch on, and nothing is recorded as long as it stays so', async () => {
    expect([(await health(app))?.state, (await health(blog))?.state]).toEqual(['healthy', 'healthy']);
    expect([await story(app), await story(blog)]).toEqual([[], []]);
  });

  it('is seen within a minute when its container was stopped, or removed, by somebody else; and it comes back by itself', async () => {
    await (await container(`hostplane.site=${app.id}`)).stop({ t: 1 });
    await comesBack(app, 'stopped', 0);
    const from = (await story(app)).length;
    await (await container(`hostplane.site=${app.id}`)).remove({ force: true });
    await comesBack(app, 'missing', from);
  });

  it('is seen within a minute when its database server was stopped, and WordPress comes back by itself', async () => {
    await (await container('hostplane.role=database')).stop({ t: 10 });
    await comesBack(blog, 'failing', 0);
  });

  it('is none of a site that is meant to stand still: it is left alone', async () => {
    const stopped = await plane.api.call('POST', `/sites/${app.id}/stop`);
    await plane.operation(String(stopped.body['operationId']), 'succeeded');
    const from = (await story(app)).length;
    // It is looked at some times meanwhile, and what is to be repaired is looked for once at least.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect([await health(app), (await story(app)).slice(from)]).toEqual([undefined, []]);
    const started = await plane.api.call('POST', `/sites/${app.id}/start`);
    await plane.operation(String(started.body['operationId']), 'succeeded');
  });

  it('is unknown while the engine cannot be asked, and while the host is away, and nothing is done about it', async () => {
    const from = (await story(app)).length;
    await gate.stop();
    await until('it is unknown', async () => (await health(app))?.state === 'unknown', A_MINUTE_MS);
    expect((await health(app))?.detail).toMatch(/Docker Engine at .* does not answer/);
    expect((await visit(app.url)).status).toBe(200);
    await gate.start();
    await until('it is seen again', async () => (await health(app))?.state === 'healthy', A_MINUTE_MS);
    expect((await story(app)).slice(from)).toEqual(['unknown', 'healthy']);
    await plane.kill('provisioner');
    await until('the host is silent', async () => (await health(blog))?.state === 'unknown', A_MINUTE_MS);
    expect((await health(blog))?.detail).toMatch(/The host "local" does not answer/);
    await plane.start('provisioner');
    await until('the host is there again', async () => (await health(blog))?.state === 'healthy', A_MINUTE_MS);
  });
});
