import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import Docker from 'dockerode';
import pg from 'pg';
import { visit, type Reply, type SiteView } from '../support/api.js';
import { describeWithDocker } from '../support/docker.js';
import { startPlane, type Part, type Plane } from '../support/plane.js';
import { Faults, type Passing } from './faults.js';

// Each suite below dies dozens of times.
jest.setTimeout(900_000);

const ENDED = ['ACTIVE', 'FAILED', 'DESTROYED'];
const RECOVERS_WITHIN_MS = 60_000;

type Runtime = 'files' | 'docker';

let plane: Plane;
let log: pg.Pool;
const faults = new Faults();

beforeAll(async () => {
  plane = await startPlane({ env: { ...faults.env, HOSTPLANE_REDELIVERY_SECONDS: '1' } });
  log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
  log.on('error', () => undefined);
});
afterAll(async () => {
  await log?.end();
  await plane?.stop();
  faults.remove();
});

/** Asks until there is an answer, with one idempotency key: what a careful client does while processes die. */
async function ask(method: string, path: string, body?: unknown): Promise<Reply<SiteView>> {
  const headers = { 'idempotency-key': randomUUID() };
  for (const end = Date.now() + RECOVERS_WITHIN_MS; ; await sleep(100)) {
    const reply = await plane.api.call<SiteView>(method, path, body, headers).catch(() => undefined);
    if (reply && reply.status < 500) return reply;
    if (Date.now() > end) throw new Error(`${method} ${path} is not answered: ${JSON.stringify(reply?.body)}`);
  }
}

async function launch(projectId: string, name: string, runtime: Runtime): Promise<SiteView> {
  const created = await accepted('POST', '/sites', { projectId, name, kind: 'static', runtime });
  return plane.api.settled(created.id, ENDED, RECOVERS_WITHIN_MS);
}

async function remove(site: SiteView): Promise<SiteView> {
  await accepted('DELETE', `/sites/${site.id}`);
  return plane.api.settled(site.id, ['DESTROYED', 'FAILED'], RECOVERS_WITHIN_MS);
}

/** How often something happened to a resource, by type; to one that was asked for once, each thing may happen at most once. */
async function happened(category: string, id: string): Promise<Record<string, number>> {
  const { rows } = await log.query<{ type: string; count: string }>(`SELECT type, count(*) FROM log.messages WHERE stream_id = $1 GROUP BY type`, [`${category}/${id}`]);
  return Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
}

async function accepted(method: string, path: string, body?: unknown): Promise<SiteView> {
  const reply = await ask(method, path, body);
  expect({ status: reply.status, body: reply.body }).toMatchObject({ status: 202 });
  return reply.body;
}

/** The story in which everything dies once: a project and its site are launched, visited, removed. Nothing may be doubled or left behind. */
async function story(name: string, runtime: Runtime): Promise<void> {
  const project = await accepted('POST', '/projects', { name });
  await plane.operation(project.operationId, 'succeeded', RECOVERS_WITHIN_MS);
  const site = await launch(project.id, name, runtime);
  if (site.status === 'ACTIVE') expect((await settledVisit(site.url, 200)).status).toBe(200);
  else expect(site.lastError).toBeTruthy();
  const gone = await remove(site);
  expect(gone).toMatchObject({ status: 'DESTROYED' });
  expect(existsSync(join(plane.folder, 'sites', site.id))).toBe(false);
  expect((await settledVisit(site.url, 404)).status).toBe(404);
  const end = await accepted('DELETE', `/projects/${project.id}`);
  await plane.operation(end.operationId, 'succeeded', RECOVERS_WITHIN_MS);
  for (const [type, count] of Object.entries({ ...(await happened('site', site.id)), ...(await happened('project', project.id)) })) expect({ type, count }).toEqual({ type, count: 1 });
}

/** The edge may be starting again. */
async function settledVisit(url: string, status: number): Promise<{ status: number }> {
  let last = { status: 0 };
  for (const end = Date.now() + 15_000; Date.now() < end && last.status !== status; await sleep(50)) last = await visit(url).catch(() => ({ status: 0 }));
  return last;
}

async function traced(runtime: Runtime): Promise<readonly Passing[]> {
  faults.forget();
  await story(`traced-${runtime}`, runtime);
  return faults.passed();
}

let count = 0;
const killed: string[] = [];

/** Tells the story with a death at this point: of the process itself, or of a server that it relies on. */
async function dieAt(passing: Passing, runtime: Runtime, victim?: Part): Promise<void> {
  const name = `k${++count}`;
  const dying = victim ?? (passing.process as Part);
  faults.order(passing, victim && plane.daemon(dying).pid);
  try {
    await story(name, runtime);
  } catch (error) {
    throw new Error(`${dying} killed at ${passing.point}#${passing.nth} of ${passing.process} (site ${name}):\n${(error as Error).message}\n${plane.complaints()}`, { cause: error });
  }
  if (await faults.carriedOut()) killed.push(`${dying} at ${passing.point}#${passing.nth}`);
}

/** Dies at each of the points; nearly all of them must come again in each telling, or nothing was proved. */
async function dieAtEach(points: readonly Passing[], runtime: Runtime, victim?: Part): Promise<void> {
  const before = killed.length;
  for (const [i, passing] of points.entries()) {
    if (i % 10 === 0) process.stderr.write(`  ${victim ?? passing.process}: ${i} of ${points.length} points (${runtime})\n`);
    await dieAt(passing, runtime, victim);
  }
  expect(points.length).toBeGreaterThan(0);
  expect(killed.length - before).toBeGreaterThan(points.length * 0.8);
}

/** What the engine still has of this plane. */
async function labelled(): Promise<{ Containers: string[]; Networks: string[]; Volumes: string[] }> {
  const docker = new Docker();
  const filters = { label: [`hostplane.plane=${readFileSync(join(plane.folder, 'plane-id'), 'utf8').trim()}`] };
  const [containers, networks, volumes] = await Promise.all([docker.listContainers({ all: true, filters }), docker.listNetworks({ filters }), docker.listVolumes({ filters })]);
  return { Containers: containers.flatMap(({ Names }) => Names), Networks: networks.map(({ Name }) => Name), Volumes: volumes.Volumes.map(({ Name }) => Name) };
}

/** Points of the story itself: what a process passes while it only waits is not a step of it. */
const isStep = ({ point }: Passing): boolean => !point.startsWith('relay:') && !point.endsWith(':acked');
/** Where the loss of a server hurts most: the bus before the acknowledgement of a step, the log before a step's outcome is appended. */
const isWorst: Readonly<Record<'nats' | 'postgres', (passing: Passing) => boolean>> = {
  nats: ({ point }) => /^handler:.*:done$/.test(point),
  postgres: ({ point }) => /^handler:.*:received$/.test(point),
};

describe('a launch and a removal', () => {
  let steps: readonly Passing[] = [];

  it('pass the points at which everything will be killed', async () => {
    const passed = await traced('files');
    const handled = new Set(passed.flatMap(({ point }) => /^handler:(.*):received$/.exec(point)?.[1] ?? []));
    steps = passed.filter(({ point }) => !point.startsWith('handler:') || handled.has(point.split(':')[1] ?? ''));
    expect(new Set(steps.map(({ process }) => process))).toEqual(new Set(['control-plane', 'provisioner']));
    expect(steps.filter(isStep).length).toBeGreaterThan(40);
  });

  it.each(['control-plane', 'provisioner'] as const)('survive kill -9 of %s at each point', async (process) => {
    await dieAtEach(steps.filter((step) => isStep(step) && step.process === process), 'files');
  });

  it.each(['nats', 'postgres'] as const)('survive kill -9 of %s at each step', async (server) => {
    await dieAtEach(steps.filter(isWorst[server]), 'files', server);
  });
});

describeWithDocker('a launch and a removal in a container', () => {
  it('survive kill -9 of the provisioner before and after each change that it asks of the engine', async () => {
    const changes = (await traced('docker')).filter(({ point }) => /^docker:(?!list|inspect|version)/.test(point));
    await dieAtEach(changes, 'docker');
    const { Containers, Networks, Volumes } = await labelled();
    expect([...Containers, ...Networks, ...Volumes]).toEqual([]);
  });
});

describe('after all that', () => {
  it('the log is whole', async () => {
    const { rows } = await log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect(Number(rows[0]?.gaps)).toBe(0);
    process.stderr.write(`  ${killed.length} kills\n`);
  });
});
