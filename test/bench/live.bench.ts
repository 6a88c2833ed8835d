import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { buildImages } from '../../infra/images/build-images.js';
import type { SiteView } from '../support/api.js';
import { BareDocker } from './bare-docker.js';
import { BareNginx } from './bare-nginx.js';
import { LivePlane } from './live-plane.js';
import { median, milliseconds, quantile, say, timeRow, type Bench } from './table.js';
import { READERS, timed, underLoad } from './under-load.js';

const RUNS = 7;
const ACCEPTED_RUNS = 30;
const MANY = 20;
const MANY_RUNS = 5;
const ABREAST = 4;
const STARTS = 5;
const REST_S = 20;
/** Another one for each run, so that runs beside each other do not meet. */
const POOL = `10.${80 + Math.floor(Math.random() * 120)}`;

type Report = Parameters<Bench>[0];
interface Stage {
  readonly plane: LivePlane;
  readonly docker: BareDocker;
  readonly nginx: BareNginx;
  /** Stay until the end. */
  readonly kept: readonly SiteView[];
}

/** T6, T8, T13, T14, T15 and T16: a whole plane beside what a bare script does with the same engine, nginx and database. */
export const run: Bench = async (report) => {
  const missing = await new Docker().ping().then(() => undefined, (error: Error) => error.message);
  const skip = (why: string) => report({ what: 'T6, T8, T13 to T16 live sites', ours: `skipped: ${why}`, target: '' });
  if (missing !== undefined) return skip(`no Docker Engine answers (${missing})`);
  if (!(await buildImages(new Docker(), (line) => say(`  ${line}`)))) return skip('the images of sites cannot be built, for this machine has no Debian mirror');
  const plane = await LivePlane.start(`${POOL}.0.0/16`);
  try {
    const [docker, nginx] = [await BareDocker.start(`${POOL}.255`), await BareNginx.start()];
    try {
      const kept = [(await plane.launch('kept-files', 'files')).site, (await plane.launch('kept-docker', 'docker')).site];
      await measure({ plane, docker, nginx, kept }, report);
    } finally {
      await nginx.stop();
      await docker.stop();
    }
  } finally {
    await plane.stop();
  }
};

async function measure(stage: Stage, report: Report): Promise<void> {
  await rest(stage, report);
  await oneSite(stage, report);
  await manyAtOnce(stage, report);
  await accepted(stage, report);
  await memory(stage, report, 'after the runs above');
  await secondStarts(stage, report);
}

async function rest({ plane, kept, ...stage }: Stage, report: Report): Promise<void> {
  await plane.settled(kept);
  await sleep(5_000);
  say(`  at rest for ${REST_S} s`);
  const load = await plane.load(REST_S);
  const share = sum(load.values());
  await memory({ plane, kept, ...stage }, report, 'fresh');
  report({ what: `T15 plane at rest, processor over ${REST_S} s`, ours: `${(share * 100).toFixed(2)} % of a core (${listed(load, (part) => (part * 100).toFixed(2))})`, target: '≤ 1 %', met: share <= 0.01 });
}

async function memory({ plane }: Stage, report: Report, when: string): Promise<void> {
  const parts = await plane.memory();
  const bytes = sum(parts.values());
  report({ what: `T15 memory of a plane at rest, ${when}`, ours: `${megabytes(bytes)} MB (${listed(parts, megabytes)})`, target: '≤ 400 MB', met: bytes <= 400 * 1024 ** 2 });
}

/** T6: one site at a time, in Docker and from files. */
async function oneSite({ plane, docker, nginx }: Stage, report: Report): Promise<void> {
  const [ours, floors]: [number[], number[]] = [[], []];
  const sites: SiteView[] = [];
  for (let i = 0; i < RUNS; i++) {
    floors.push(await timed(async () => nginx.route(`bare-${i}.localhost`, `${await docker.launchHealthy()}:80`)));
    const { site, servedMs } = await plane.launch(`one-${i}`, 'docker');
    ours.push(servedMs);
    sites.push(site);
    await plane.settled([site]);
    say(`  site ${i + 1} of ${RUNS}: ${milliseconds(servedMs)} beside ${milliseconds(floors.at(-1)!)}: ${await plane.timeline(site)}`);
  }
  report(timeRow('T6 static site in Docker, request → first 200', median(ours), median(floors), 1.3));
  await docker.clear();
  await plane.remove(sites);
}

/** T14, and with the same sites T6 from files. */
async function accepted({ plane, nginx }: Stage, report: Report): Promise<void> {
  const { bare, port } = await bareApi(plane);
  const folder = await mkdtemp(join(tmpdir(), 'hostplane-bench-files-'));
  const [accepts, bareAccepts, served, bareServed]: [number[], number[], number[], number[]] = [[], [], [], []];
  const sites: SiteView[] = [];
  try {
    for (let i = 0; i < ACCEPTED_RUNS; i++) {
      const name = `accepted-${i}`;
      bareAccepts.push(await timed(() => post(port, { name, kind: 'static', runtime: 'files' })));
      if (i % 4 === 0) bareServed.push(await timed(() => place(nginx, folder, name)));
      const { site, acceptedMs, servedMs } = await plane.launch(name, 'files');
      accepts.push(acceptedMs);
      served.push(servedMs);
      sites.push(site);
      await plane.settled([site]);
    }
    say(`  the last one: ${await plane.timeline(sites.at(-1)!)}`);
  } finally {
    bare.disconnect();
    await rm(folder, { recursive: true, force: true });
  }
  report(timeRow('T14 POST /sites accepted, p50', median(accepts), median(bareAccepts), 3));
  await reads(plane, sites, report);
  report({ ...timeRow('T6 static site from files, request → first 200 (floor: edge apply)', median(served), median(bareServed), 1), target: '—', met: undefined });
  await plane.remove(sites);
}

/** T13: 16 readers at once, ours and the bare server's in turn, each by the same client. */
async function reads(plane: LivePlane, sites: readonly SiteView[], report: Report): Promise<void> {
  const { bare, port } = await bareApi(plane);
  const address = `http://127.0.0.1:${port}`;
  const kinds = [
    { what: 'GET /sites/:id', ours: (i: number) => `/sites/${sites[i % sites.length]!.id}`, floor: (i: number) => `/sites/${sites[i % sites.length]!.id}` },
    { what: 'GET /sites?limit=50', ours: () => '/sites?limit=50', floor: () => '/sites' },
  ];
  try {
    for (const { what, ours, floor } of kinds) {
      const [took, bareTook]: [number[], number[]] = [[], []];
      for (let run = 0; run < RUNS; run++) {
        bareTook.push(quantile(await underLoad((i) => plane.get(address + floor(i))), 0.99));
        took.push(quantile(await underLoad((i) => plane.get(plane.apiUrl + ours(i))), 0.99));
      }
      report(timeRow(`T13 ${what}, p99 with ${READERS} readers`, median(took), median(bareTook), 1.5));
    }
  } finally {
    bare.disconnect();
  }
}

async function bareApi(plane: LivePlane): Promise<{ bare: ChildProcess; port: number }> {
  const bare = fork(join(import.meta.dirname, 'bare-api-child.ts'), [plane.databaseUrl]);
  const [port] = (await once(bare, 'message')) as [number];
  return { bare, port };
}

/** T8: sites per second, from the first request until the last of them is served. */
async function manyAtOnce({ plane, docker }: Stage, report: Report): Promise<void> {
  const [ours, floors]: [number[], number[]] = [[], []];
  for (let i = 0; i < MANY_RUNS; i++) {
    floors.push(await timed(() => docker.launchMany(MANY, ABREAST)));
    await docker.clear();
    let sites: SiteView[] = [];
    ours.push(await timed(async () => {
      sites = (await Promise.all(Array.from({ length: MANY }, (_, n) => plane.launch(`many-${i}-${n}`, 'docker')))).map(({ site }) => site);
    }));
    say(`  ${MANY} at once, ${i + 1} of ${MANY_RUNS}: ${milliseconds(ours.at(-1)!)} beside ${milliseconds(floors.at(-1)!)}`);
    if (i === MANY_RUNS - 1) for (const site of [sites[0]!, sites.at(-1)!]) say(`  ${site.name}: ${await plane.timeline(site)}`);
    await plane.remove(sites);
  }
  const [perS, floorPerS] = [(MANY / median(ours)) * 1000, (MANY / median(floors)) * 1000];
  const ratio = perS / floorPerS;
  report({ what: `T8 ${MANY} static sites in Docker at once`, ours: `${perS.toFixed(1)}/s`, floor: `${floorPerS.toFixed(1)}/s`, ratio: `${ratio.toFixed(2)} ×`, target: '≥ 0.7 ×', met: ratio >= 0.7 });
}

/** T16, of which the first start on a fresh machine is measured elsewhere. */
async function secondStarts({ plane, kept }: Stage, report: Report): Promise<void> {
  const took: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    took.push(await plane.secondStart(kept));
    say(`  start ${i + 1} of ${STARTS}: ${milliseconds(took.at(-1)!)}`);
  }
  report({ what: 'T16 second start → sites are served', ours: milliseconds(median(took)), target: '≤ 8 s', met: median(took) <= 8_000 });
}

/** A site from files by a bare script: a page on disk, and the edge leads to it. */
async function place(nginx: BareNginx, folder: string, name: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, 'index.html'), name);
  await nginx.route(`${name}.localhost`, join(folder, name));
}

async function post(port: number, body: object): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/sites`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  await response.text();
  if (response.status !== 202) throw new Error(`The bare server answers ${response.status}.`);
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

const megabytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(0);

const listed = (parts: ReadonlyMap<string, number>, show: (value: number) => string): string => [...parts].map(([name, value]) => `${name} ${show(value)}`).join(', ');
