import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { APPS, schemaOf, type App } from '#eventstore/apps.js';
import type { EventStore } from '#eventstore/event-store.js';
import { BUS_USERS } from '#messaging/subjects.js';
import { databaseUrls } from '../../infra/start/addresses.js';
import { credentials } from '../../infra/start/credentials.js';
import { freePort } from '../../infra/start/ports.js';
import type { SiteView } from '../support/api.js';
import { startPlane, type Plane } from '../support/plane.js';
import { cpuSecondsOf, familyOf, pssOf } from './at-rest.js';
import { takeAsDone } from './take-as-done.js';
import { untilServed } from './until-served.js';

type Runtime = 'docker' | 'files';

/** A throw-away plane with sites in Docker and an edge by nginx, as a bench needs it. */
export class LivePlane {
  private constructor(
    private plane: Plane,
    readonly folder: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** With project networks of this range; `more`: settings that win. */
  static async start(pool: string, more: NodeJS.ProcessEnv = {}): Promise<LivePlane> {
    const folder = await mkdtemp(join(tmpdir(), 'hostplane-bench-plane-'));
    const [api, http, https] = await Promise.all([freePort(), freePort(), freePort()]);
    const ports = { HOSTPLANE_API_PORT: String(api), HOSTPLANE_EDGE_HTTP_PORT: String(http), HOSTPLANE_EDGE_HTTPS_PORT: String(https) };
    const env = { ...ports, HOSTPLANE_DOCKER: 'on', HOSTPLANE_EDGE: 'nginx', HOSTPLANE_NETWORK_POOL: pool, HOSTPLANE_REQUESTS_PER_MINUTE: '1000000', ...more };
    return new LivePlane(await startPlane({ folder, env }), folder, env);
  }

  get databaseUrl(): string {
    return this.plane.databaseUrl;
  }

  /** As the role of an app. */
  databaseUrlOf(app: App): string {
    const secrets = credentials(this.folder, { postgres: ['admin', ...APPS], nats: BUS_USERS });
    return databaseUrls(this.databaseUrl, secrets)[`HOSTPLANE_${schemaOf(app).toUpperCase()}_DATABASE_URL`]!;
  }

  get apiUrl(): string {
    return this.plane.api.base;
  }

  /** What the CLI needs to sign in. */
  get signIn(): NodeJS.ProcessEnv {
    return { HOSTPLANE_URL: this.apiUrl, HOSTPLANE_TOKEN: this.plane.api.token };
  }

  /** Reads an address with our token, whoever serves it. */
  async get(url: string): Promise<void> {
    const response = await fetch(url, { headers: { authorization: `Bearer ${this.plane.api.token}` } });
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`GET ${url} answers ${response.status}.`);
  }

  /** Asks something of the API that it does, or accepts. */
  async call<T>(method: string, path: string, wish?: object): Promise<T> {
    const { status, body } = await this.plane.api.call<T>(method, path, wish);
    if (status >= 300) throw new Error(`${method} ${path} answers ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  /** Id of a new project. */
  async project(name: string): Promise<string> {
    const { id, operationId } = await this.call<{ id: string; operationId: string }>('POST', '/projects', { name });
    await this.plane.operation(operationId, 'succeeded');
    return id;
  }

  /** Asks for a static site, by itself in the default project: how long the 202 took, and how long it was from the request to the first 200 through the edge. */
  async launch(name: string, runtime: Runtime, projectId?: string): Promise<{ site: SiteView; acceptedMs: number; servedMs: number }> {
    return this.served({ name, kind: 'static', runtime, ...(projectId && { projectId }) });
  }

  /** The same for a WordPress site. */
  async launchWordPress(name: string): Promise<{ site: SiteView; acceptedMs: number; servedMs: number }> {
    return this.served({ name, kind: 'wordpress' });
  }

  private async served(wish: object): Promise<{ site: SiteView; acceptedMs: number; servedMs: number }> {
    const began = performance.now();
    const site = await this.call<SiteView>('POST', '/sites', wish);
    const acceptedMs = performance.now() - began;
    await untilServed(site.url);
    return { site, acceptedMs, servedMs: performance.now() - began };
  }

  async settled(sites: readonly SiteView[]): Promise<void> {
    for (const { id } of sites) await this.plane.api.settled(id, ['ACTIVE'], 60_000);
  }

  async remove(sites: readonly SiteView[]): Promise<void> {
    await this.settled(sites);
    await Promise.all(sites.map(({ id }) => this.plane.api.call('DELETE', `/sites/${id}`)));
    for (const { id } of sites) await this.plane.api.settled(id, ['DESTROYED'], 120_000);
  }

  /** What happened to a site, and when: milliseconds after the first event. */
  async timeline(site: SiteView): Promise<string> {
    const { body } = await this.plane.api.call<{ items: { type: string; recordedAt: string }[] }>('GET', `/sites/${site.id}/events?format=json`);
    const began = Date.parse(body.items[0]?.recordedAt ?? '');
    return body.items.map(({ type, recordedAt }) => `${type} +${Date.parse(recordedAt) - began}`).join(', ');
  }

  /** Stops the whole plane and starts it again in the same folder; milliseconds from the start until the sites are served. */
  async secondStart(sites: readonly SiteView[]): Promise<number> {
    const readyMs = await this.restart();
    return readyMs + Math.max(...(await Promise.all(sites.map(({ url }) => untilServed(url)))));
  }

  /** The same until it is ready for requests. */
  async restart(): Promise<number> {
    await this.plane.stop();
    const began = performance.now();
    this.plane = await startPlane({ folder: this.folder, env: this.env });
    return performance.now() - began;
  }

  /** Stops the control plane and the provisioner; database and bus stay. */
  async halt(): Promise<void> {
    await this.plane.halt('provisioner');
    await this.plane.halt('control-plane');
  }

  /** Carries the log to the bus while the apps stand still, and acknowledges in their place what it has for them to do. */
  takeAsDone(source: EventStore): Promise<void> {
    return takeAsDone(this.plane.natsUrl, source);
  }

  /** Bytes of memory by part. */
  async memory(): Promise<Map<string, number>> {
    return new Map([...(await this.parts())].map(([name, pid]) => [name, familyOf([pid]).reduce((sum, one) => sum + pssOf(one), 0)]));
  }

  /** Share of one core that each part uses over so many seconds. */
  async load(seconds: number): Promise<Map<string, number>> {
    const parts = [...(await this.parts())];
    const used = () => parts.map(([, pid]) => familyOf([pid]).reduce((sum, one) => sum + cpuSecondsOf(one), 0));
    const before = used();
    await sleep(seconds * 1000);
    const after = used();
    return new Map(parts.map(([name], i) => [name, (after[i]! - before[i]!) / seconds]));
  }

  /** Stops it and removes its folder and everything in the engine that bears its label. */
  async stop(): Promise<void> {
    const label = `hostplane.plane=${(await readFile(join(this.folder, 'plane-id'), 'utf8')).trim()}`;
    await this.plane.stop();
    if (this.env['HOSTPLANE_DOCKER'] === 'on') await removeLabelled(label);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The process at the head of each part. */
  private async parts(): Promise<Map<string, number>> {
    const parts = (['postgres', 'nats', 'control-plane', 'provisioner'] as const).map((name) => [name, this.plane.daemon(name).pid!] as const);
    const nginx = await readFile(join(this.folder, 'edge', 'nginx.pid'), 'utf8').catch(() => undefined);
    return new Map<string, number>([...parts, ...(nginx ? [['nginx', Number(nginx)] as const] : [])]);
  }
}

async function removeLabelled(label: string): Promise<void> {
  const docker = new Docker();
  const filters = { label: [label] };
  for (const { Id } of await docker.listContainers({ all: true, filters })) await docker.getContainer(Id).remove({ force: true, v: true });
  for (const { Name } of (await docker.listVolumes({ filters })).Volumes) await docker.getVolume(Name).remove();
  for (const { Id } of await docker.listNetworks({ filters })) await docker.getNetwork(Id).remove();
}
