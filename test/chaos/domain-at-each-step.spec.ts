import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import pg from 'pg';
import { visit, type Reply, type SiteView } from '../support/api.js';
import { describeWithKnot } from '../support/docker.js';
import { Knot } from '../support/knot.js';
import { startPlane, type Part, type Plane } from '../support/plane.js';
import { Faults, type Passing } from './faults.js';

jest.setTimeout(900_000);

const RECOVERS_WITHIN_MS = 60_000;
const HERE = '198.51.100.7';

interface DomainView extends Record<string, unknown> {
  readonly status: string;
  readonly expected: readonly { purpose: string; name: string; value: string }[];
}

describeWithKnot('a custom domain, added and removed', () => {
  const faults = new Faults();
  let plane: Plane;
  let knot: Knot;
  let log: pg.Pool;
  let site: SiteView;

  beforeAll(async () => {
    knot = await Knot.start('example.com');
    plane = await startPlane({
      env: {
        ...faults.env, HOSTPLANE_DOCKER: 'off', HOSTPLANE_REDELIVERY_SECONDS: '1', HOSTPLANE_DNS_RESOLVERS: knot.address, HOSTPLANE_PUBLIC_ADDRESSES: HERE,
        HOSTPLANE_DOMAIN_CHECK_SECONDS: '1', HOSTPLANE_DOMAIN_LONGEST_CHECK_SECONDS: '1',
      },
    });
    log = new pg.Pool({ connectionString: plane.databaseUrl, max: 1 });
    log.on('error', () => undefined);
    const { body } = await plane.api.call<SiteView>('POST', '/sites', { name: 'steady', kind: 'static' });
    site = await plane.api.settled(body.id, ['ACTIVE', 'FAILED']);
  });
  afterAll(async () => {
    await log?.end();
    await plane?.stop();
    await knot?.stop();
    faults.remove();
  });

  /** Asks until there is an answer, with one idempotency key. */
  async function ask(method: string, path: string, body?: unknown): Promise<Reply<DomainView>> {
    const headers = { 'idempotency-key': randomUUID() };
    for (const end = Date.now() + RECOVERS_WITHIN_MS; ; await sleep(100)) {
      const reply = await plane.api.call<DomainView>(method, path, body, headers).catch(() => undefined);
      if (reply && reply.status < 500) return reply;
      if (Date.now() > end) throw new Error(`${method} ${path} is not answered: ${JSON.stringify(reply?.body)}`);
    }
  }

  async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + RECOVERS_WITHIN_MS; Date.now() < end; await sleep(50)) if (await isSo().catch(() => false)) return;
    throw new Error(`It never came so: ${what}.`);
  }
  const served = (name: string) => visit(`http://127.0.0.1:${plane.edgePort}/`, { host: name }).then(({ status }) => status);

  /** A domain is added, proven, served and removed, while its site serves all along; each of its events happens once. */
  async function story(name: string): Promise<void> {
    const added = await ask('POST', `/sites/${site.id}/domains`, { name });
    expect({ status: added.status, body: added.body }).toMatchObject({ status: 202 });
    const token = added.body.expected.find(({ purpose }) => purpose === 'ownership')!;
    await knot.set('example.com', `${token.name}. TXT "${token.value}"`, `${name}. A ${HERE}`);
    await ask('POST', `/domains/${name}/check`);
    await until(`${name} is active`, async () => (await plane.api.call<DomainView>('GET', `/domains/${name}`)).body.status === 'active');
    await until(`${name} is served`, async () => (await served(name)) === 200);
    await plane.api.settled(site.id, ['DOMAIN_ACTIVE'], RECOVERS_WITHIN_MS);
    expect((await ask('DELETE', `/domains/${name}`)).status).toBeLessThan(500);
    await until(`${name} is gone`, async () => (await plane.api.call('GET', `/domains/${name}`)).status === 404);
    await until(`${name} is not served`, async () => (await served(name)) === 404);
    await plane.api.settled(site.id, ['ACTIVE'], RECOVERS_WITHIN_MS);
    await until('the site serves', async () => (await visit(site.url)).status === 200);
    const { rows } = await log.query<{ type: string; count: string }>('SELECT type, count(*) FROM log.messages WHERE stream_id = $1 GROUP BY type', [`domain/${name}`]);
    const counts = Object.fromEntries(rows.map(({ type, count }) => [type, Number(count)]));
    expect(counts).toMatchObject({ DomainRequested: 1, DomainRoutingStarted: 1, DomainActivated: 1, DomainRemovalRequested: 1, DomainRemoved: 1 });
    expect(counts).not.toHaveProperty('DomainFailed');
  }

  let count = 0;
  let steps: readonly Passing[] = [];

  it('passes the points at which everything will be killed', async () => {
    faults.forget();
    await story('traced.example.com');
    const passed = faults.passed();
    const handled = new Set(passed.flatMap(({ point }) => /^handler:(.*):received$/.exec(point)?.[1] ?? []));
    steps = passed.filter(({ point }) => !point.startsWith('relay:') && !point.endsWith(':acked') && (!point.startsWith('handler:') || handled.has(point.split(':')[1] ?? '')));
    expect(steps.map(({ point }) => point)).toEqual(expect.arrayContaining(['domains:look', 'domains:judge', 'handler:EdgeApplied:received', 'handler:DomainActivated:done']));
  });

  it.each(['control-plane', 'provisioner'] as const)('survives kill -9 of %s at each point', async (process: Part) => {
    // Each point once: a second look or answer of the same sort runs the same code.
    const points = steps.filter((step, at) => step.process === process && steps.findIndex(({ process, point }) => process === step.process && point === step.point) === at);
    let killed = 0;
    for (const [i, passing] of points.entries()) {
      if (i % 10 === 0) globalThis.process.stderr.write(`  ${process}: ${i} of ${points.length} points\n`);
      faults.order(passing);
      try {
        await story(`k${++count}.example.com`);
      } catch (error) {
        throw new Error(`${process} killed at ${passing.point}#${passing.nth} (k${count}):\n${(error as Error).message}\n${await plane.complaints()}`, { cause: error });
      }
      if (await faults.carriedOut()) killed++;
    }
    expect(points.length).toBeGreaterThan(0);
    expect(killed).toBeGreaterThan(points.length * 0.8);
  });

  it('leaves a log that is whole', async () => {
    const { rows } = await log.query<{ gaps: string }>('SELECT max(seq) - count(*) AS gaps FROM log.messages');
    expect(Number(rows[0]?.gaps)).toBe(0);
  });
});
