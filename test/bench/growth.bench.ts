import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { schemaOf } from '#eventstore/apps.js';
import { EventStore } from '#eventstore/event-store.js';
import { Projection } from '#eventstore/projection.js';
import { gatewayProjection } from '../../apps/api-gateway/gateway.projection.js';
import type { SiteView } from '../support/api.js';
import { GROWN_POOL, GrownLog } from './grown-log.js';
import { LivePlane } from './live-plane.js';
import { median, milliseconds, quantile, say, type Bench, type BenchRow } from './table.js';
import { READERS, timed, underLoad } from './under-load.js';

const LARGEST = Number(process.env['HOSTPLANE_BENCH_SITES'] ?? 10_000);
const SIZES = [...new Set([10, Math.max(10, LARGEST / 10), LARGEST])];
const RUNS = 7;
const LAUNCHES = 21;
const READ_SITES = 30;
const STARTS = 3;
const SETTLE_MS = 10_000;
const REST_S = 30;
/** Of the largest to the smallest. */
const FLAT = 1.2;

/** Nobody's DNS is asked, and what watches over sites does. */
const SETTINGS = { HOSTPLANE_DOCKER: 'off', HOSTPLANE_EDGE: 'auto', HOSTPLANE_OBSERVE_SECONDS: '10', HOSTPLANE_MEASURE_SECONDS: '300', HOSTPLANE_DNS_RESOLVERS: '127.0.0.1:9' };
const CLI = join(import.meta.dirname, '../../apps/cli/bin/hostplane.js');
const runProgram = promisify(execFile);

type Report = Parameters<Bench>[0];

/** What is measured at each size, in milliseconds; `flat`: it must not grow. */
interface Figure {
  readonly what: string;
  readonly flat?: boolean;
  /** The smallest log that has as much to answer as the largest. */
  readonly from?: number;
  readonly ms: number[];
}

/** T18, but for T11, which waits for the reconciler: what it costs to launch, accept and read a site beside 10, 1,000 and 10,000 others in the log, and what else has them all to carry. */
export const run: Bench = async (report, wants) => {
  if (!wants('T18')) return;
  const plane = await LivePlane.start(GROWN_POOL, SETTINGS);
  try {
    const log = await GrownLog.begin(plane);
    const figures = new Map<string, Figure>();
    for (const sites of SIZES) {
      const caughtUpMs = await log.growTo(sites);
      say(`  ${sites} sites: ready after ${milliseconds(caughtUpMs)} with all of it new`);
      await sleep(SETTLE_MS);
      for (const figure of await measure(plane, sites)) figures.set(figure.what, { ...figure, ms: [...(figures.get(figure.what)?.ms ?? []), ...figure.ms] });
    }
    await burden(plane, report);
    for (const figure of figures.values()) report(rowOf(figure));
  } finally {
    await plane.stop();
  }
};

function rowOf({ what, flat, from = SIZES[0]!, ms }: Figure): BenchRow {
  const ratio = ms.at(-1)! / ms[SIZES.findIndex((size) => size >= from)]!;
  const sizes = SIZES.map((size) => size.toLocaleString('en')).join(' / ');
  const ours = ms.map(milliseconds).join(' / ');
  return { what: `T18 ${what}, ${sizes} sites${from > SIZES[0]! ? `, ratio from ${from}` : ''}`, ours, ratio: `${ratio.toFixed(2)} ×`, target: flat ? `≤ ${FLAT} ×` : '—', ...(flat && { met: ratio <= FLAT }) };
}

async function measure(plane: LivePlane, sites: number): Promise<Figure[]> {
  const items = await listed(plane, READ_SITES);
  return [...(await launches(plane, sites)), ...(await reads(plane, items)), ...(await whole(plane))];
}

/** T6 without an engine, and T14. */
async function launches(plane: LivePlane, sites: number): Promise<Figure[]> {
  const projectId = await plane.project(`measured-${sites}`);
  const [accepted, served]: [number[], number[]] = [[], []];
  const launched: SiteView[] = [];
  for (let i = 0; i < LAUNCHES; i++) {
    const { site, acceptedMs, servedMs } = await plane.launch(`measured-${sites}-${i}`, 'files', projectId);
    await plane.settled([site]);
    launched.push(site);
    accepted.push(acceptedMs);
    served.push(servedMs);
  }
  say(`  the last one: ${await plane.timeline(launched.at(-1)!)}`);
  await plane.remove(launched);
  return [
    { what: 'static site from files, request → first 200', flat: true, ms: [median(served)] },
    { what: 'POST /sites accepted, p50', flat: true, ms: [median(accepted)] },
  ];
}

/** T13. */
async function reads(plane: LivePlane, items: readonly SiteView[]): Promise<Figure[]> {
  const p99 = (path: (i: number) => string): Promise<number> => medianOf(RUNS, async () => quantile(await underLoad((i) => plane.get(plane.apiUrl + path(i))), 0.99));
  const by = `p99 with ${READERS} readers`;
  return [
    { what: `GET /sites/:id, ${by}`, flat: true, ms: [await p99((i) => `/sites/${items[i % items.length]!.id}`)] },
    { what: `GET /sites/:name, ${by}`, flat: true, ms: [await p99((i) => `/sites/${items[i % items.length]!.name}`)] },
    { what: `GET /sites?limit=10, ${by}`, flat: true, ms: [await p99(() => '/sites?limit=10')] },
    { what: `GET /sites?limit=50, ${by}`, flat: true, from: 50, ms: [await p99(() => '/sites?limit=50')] },
  ];
}

/** What has all sites to tell, and so grows with them. */
async function whole(plane: LivePlane): Promise<Figure[]> {
  const cli = (...args: string[]) => runProgram(process.execPath, [CLI, ...args], { env: { ...process.env, ...plane.signIn }, maxBuffer: 2 ** 30 });
  return [
    { what: 'hostplane site list (1,000 at most)', ms: [await medianOf(RUNS, () => timed(() => cli('site', 'list')))] },
    { what: 'GET /traefik/config', ms: [await medianOf(RUNS, () => timed(() => plane.get(`${plane.apiUrl}/traefik/config`)))] },
    { what: 'hostplane edge show', ms: [await medianOf(RUNS, () => timed(() => cli('edge', 'show')))] },
    { what: 'rebuild of the read model', ms: [await rebuild(plane)] },
    { what: 'start → ready', ms: [await medianOf(STARTS, () => plane.restart())] },
  ];
}

async function medianOf(runs: number, measureOnce: () => Promise<number>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < runs; i++) took.push(await measureOnce());
  return median(took);
}

async function rebuild(plane: LivePlane): Promise<number> {
  const connectionString = plane.databaseUrlOf('api-gateway');
  const store = new EventStore({ connectionString, app: 'bench' });
  const db = new pg.Pool({ connectionString, max: 3 });
  try {
    const projection = new Projection({ store, db, schema: schemaOf('api-gateway'), definition: gatewayProjection });
    return await timed(() => projection.rebuild());
  } finally {
    await store.close();
    await db.end();
  }
}

/** T15's figures, which are meant for a small plane. */
async function burden(plane: LivePlane, report: Report): Promise<void> {
  await sleep(SETTLE_MS);
  const load = await plane.load(REST_S);
  const memory = await plane.memory();
  const parts = (of: ReadonlyMap<string, number>, show: (value: number) => string): string => [...of].map(([name, value]) => `${name} ${show(value)}`).join(', ');
  report({ what: `T18 memory at rest, ${LARGEST} sites`, ours: parts(memory, (bytes) => `${(bytes / 1024 ** 2).toFixed(0)} MB`), target: '—' });
  report({ what: `T18 processor at rest over ${REST_S} s, ${LARGEST} sites`, ours: parts(load, (share) => `${(share * 100).toFixed(2)} %`), target: '—' });
}

async function listed(plane: LivePlane, limit: number): Promise<readonly SiteView[]> {
  return (await plane.call<{ items: SiteView[] }>('GET', `/sites?limit=${limit}`)).items;
}
