import { existsSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import pg from 'pg';
import { visit, type Reply, type SiteView } from '../support/api.js';
import { startPlane, type Part, type Plane } from '../support/plane.js';
import { Faults, type Passing } from './faults.js';

const ENDED = ['ACTIVE', 'FAILED', 'DESTROYED'];
const RECOVERS_WITHIN_MS = 60_000;

export type Runtime = 'files' | 'docker';

/** A plane that dies at each step of one story: a project and its site are launched, visited, removed. */
export class MortalPlane {
  /** What was killed, and where. */
  readonly killed: string[] = [];
  private count = 0;

  private constructor(
    readonly plane: Plane,
    private readonly log: pg.Pool,
    private readonly faults: Faults,
  ) {}

  static async start(): Promise<MortalPlane> {
    const faults = new Faults();
    const plane = await startPlane({ env: { ...faults.env, HOSTPLANE_REDELIVERY_SECONDS: '1' } });
    const log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
    log.on('error', () => undefined);
    return new MortalPlane(plane, log, faults);
  }

  async stop(): Promise<void> {
    await this.log.end();
    await this.plane.stop();
    this.faults.remove();
  }

  /** The points that the story passes, in order. */
  async traced(runtime: Runtime): Promise<readonly Passing[]> {
    this.faults.forget();
    await this.story(`traced-${runtime}`, runtime);
    return this.faults.passed();
  }

  /** The points of a site that is served from files: those of both processes, of all handlers that its story comes to. */
  async steps(): Promise<readonly Passing[]> {
    const passed = await this.traced('files');
    const handled = new Set(passed.flatMap(({ point }) => /^handler:(.*):received$/.exec(point)?.[1] ?? []));
    const steps = passed.filter(({ point }) => !point.startsWith('handler:') || handled.has(point.split(':')[1] ?? ''));
    expect(new Set(steps.map(({ process }) => process))).toEqual(new Set(['control-plane', 'provisioner']));
    expect(steps.filter(isStep).length).toBeGreaterThan(40);
    return steps;
  }

  /** Each position of the log is taken. */
  async expectWholeLog(): Promise<void> {
    const { rows } = await this.log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect(Number(rows[0]?.gaps)).toBe(0);
    process.stderr.write(`  ${this.killed.length} kills\n`);
  }

  /** Dies at each of the points: the process itself, or a server that it relies on. Nearly all of them must come again in each telling, or nothing was proved. */
  async dieAtEach(points: readonly Passing[], runtime: Runtime, victim?: Part): Promise<void> {
    const before = this.killed.length;
    for (const [i, passing] of points.entries()) {
      if (i % 10 === 0) process.stderr.write(`  ${victim ?? passing.process}: ${i} of ${points.length} points (${runtime})\n`);
      await this.dieAt(passing, runtime, victim);
    }
    expect(points.length).toBeGreaterThan(0);
    expect(this.killed.length - before).toBeGreaterThan(points.length * 0.8);
  }

  private async dieAt(passing: Passing, runtime: Runtime, victim?: Part): Promise<void> {
    const name = `k${++this.count}`;
    const dying = victim ?? (passing.process as Part);
    this.faults.order(passing, victim && this.plane.daemon(dying).pid);
    try {
      await this.story(name, runtime);
    } catch (error) {
      throw new Error(`${dying} killed at ${passing.point}#${passing.nth} of ${passing.process} (site ${name}):\n${(error as Error).message}\n${await this.plane.complaints()}`, { cause: error });
    }
    if (await this.faults.carriedOut()) this.killed.push(`${dying} at ${passing.point}#${passing.nth}`);
  }

  /** Nothing may be doubled or left behind. */
  private async story(name: string, runtime: Runtime): Promise<void> {
    const { plane } = this;
    const project = await this.accepted('POST', '/projects', { name });
    await plane.operation(project.operationId, 'succeeded', RECOVERS_WITHIN_MS);
    const created = await this.accepted('POST', '/sites', { projectId: project.id, name, kind: 'static', runtime });
    const site = await plane.api.settled(created.id, ENDED, RECOVERS_WITHIN_MS);
    if (site.status === 'ACTIVE') expect((await settledVisit(site.url, 200)).status).toBe(200);
    else expect(site.lastError).toBeTruthy();
    await this.accepted('DELETE', `/sites/${site.id}`);
    expect(await plane.api.settled(site.id, ['DESTROYED', 'FAILED'], RECOVERS_WITHIN_MS)).toMatchObject({ status: 'DESTROYED' });
    expect(existsSync(join(plane.folder, 'sites', site.id))).toBe(false);
    expect((await settledVisit(site.url, 404)).status).toBe(404);
    const end = await this.accepted('DELETE', `/projects/${project.id}`);
    await plane.operation(end.operationId, 'succeeded', RECOVERS_WITHIN_MS);
    for (const [type, count] of Object.entries({ ...(await this.happened('site', site.id)), ...(await this.happened('project', project.id)) })) expect({ type, count }).toEqual({ type, count: 1 });
  }

  private async accepted(method: string, path: string, body?: unknown): Promise<SiteView> {
    const reply = await this.ask(method, path, body);
    expect({ status: reply.status, body: reply.body }).toMatchObject({ status: 202 });
    return reply.body;
  }

  /** Asks until there is an answer, with one idempotency key: what a careful client does while processes die. */
  private async ask(method: string, path: string, body?: unknown): Promise<Reply<SiteView>> {
    const headers = { 'idempotency-key': randomUUID() };
    for (const end = Date.now() + RECOVERS_WITHIN_MS; ; await sleep(100)) {
      const reply = await this.plane.api.call<SiteView>(method, path, body, headers).catch(() => undefined);
      if (reply && reply.status < 500) return reply;
      if (Date.now() > end) throw new Error(`${method} ${path} is not answered: ${JSON.stringify(reply?.body)}`);
    }
  }

  /** How often something happened to a resource, by type; to one that was asked for once, each thing may happen at most once. */
  private async happened(category: string, id: string): Promise<Record<string, number>> {
    const { rows } = await this.log.query<{ type: string; count: string }>(`SELECT type, count(*) FROM log.messages WHERE stream_id = $1 GROUP BY type`, [`${category}/${id}`]);
    return Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
  }
}

/** Points of the story itself: what a process passes while it only waits is not a step of it. */
export const isStep = ({ point }: Passing): boolean => !point.startsWith('relay:') && !point.endsWith(':acked');

/** The edge may be starting again. */
async function settledVisit(url: string, status: number): Promise<{ status: number }> {
  let last = { status: 0 };
  for (const end = Date.now() + 15_000; Date.now() < end && last.status !== status; await sleep(50)) last = await visit(url).catch(() => ({ status: 0 }));
  return last;
}
