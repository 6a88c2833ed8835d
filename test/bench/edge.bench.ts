import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { EdgeRoute, RouteTable } from '#providers/edge.js';
import type { EdgeSettings } from '#providers/edge/edge-settings.js';
import { askVersion } from '#providers/edge/served-version.js';
import { LocalNginx } from '#providers/nginx/local-nginx.js';
import { NginxEdge } from '#providers/nginx/nginx-edge.js';
import { render } from '#providers/nginx/render.js';
import { freePort } from '../../infra/start/ports.js';
import { median, milliseconds, say, timeRow, type Bench } from './table.js';

const SITES = 10_000;
const RUNS = 9;
const runProgram = promisify(execFile);

/** T9: one of 10,000 sites changes, until every worker serves the change; beside a bare `nginx -t` and reload of an equal configuration. */
export const run: Bench = async (report) => {
  const folder = await mkdtemp(join(tmpdir(), 'hostplane-bench-edge-'));
  const settings = await settingsIn(join(folder, 'ours'));
  const edge = new NginxEdge(settings, new LocalNginx(settings));
  const available = await edge.available();
  if (available !== true) return report({ what: 'T9 edge', ours: `skipped: ${available}`, target: '≤ 1.5 ×' });
  await edge.start();
  await edge.apply(tableOf(1));
  const bare = await startBare(join(folder, 'bare'));
  try {
    const [ours, floors, renders]: [number[], number[], number[]] = [[], [], []];
    for (let i = 0; i < RUNS; i++) {
      say(`  change ${i + 1} of ${RUNS}`);
      const table = tableOf(i + 2);
      floors.push(await timed(() => bare.change(i + 2)));
      ours.push(await timed(() => edge.apply(table)));
      renders.push(await timed(() => Promise.resolve(render(table, bare.rendering))));
    }
    await sleep(500);
    const pss = await pssOf(settings.folder);
    report(timeRow(`T9 a change of ${SITES} sites is served`, median(ours), median(floors), 1.5));
    report({ what: `T9 render of ${SITES} sites`, ours: milliseconds(median(renders)), target: '≤ 20 ms', met: median(renders) <= 20 });
    report({ what: `T9 memory of nginx, ${SITES} sites`, ours: `${(pss / 1024 ** 2).toFixed(1)} MB (PSS)`, target: '≤ 18 MB', met: pss <= 18 * 1024 ** 2 });
  } finally {
    await bare.stop();
    await edge.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

/** Half of the sites are containers, half are files; with each revision one of them moves. */
function tableOf(revision: number): RouteTable {
  const routes = Array.from({ length: SITES }, (_, i): EdgeRoute => {
    const port = i === revision ? 9_000 : 8_080;
    const target = i % 2 ? { address: '', port: 0, root: `0198c0de-0000-7000-8000-${String(i).padStart(12, '0')}/current` } : { address: `10.77.${i >> 8}.${i & 255}`, port, root: '' };
    return { siteId: `site-${i}`, hostnames: [`site-number-${i}.localhost`], target, state: 'up' };
  });
  return { revision, routes };
}

interface Bare {
  readonly rendering: Parameters<typeof render>[1];
  /** Writes what changes, checks, reloads, and waits until nothing older takes requests. */
  change(revision: number): Promise<void>;
  stop(): Promise<void>;
}

/** An nginx with an equal configuration that is driven by nothing but its own command line and signals. */
async function startBare(folder: string): Promise<Bare> {
  const settings = await settingsIn(folder);
  const through = new LocalNginx(settings);
  const key = join(folder, 'key.pem'), cert = join(folder, 'cert.pem');
  await mkdir(join(folder, 'temp'), { recursive: true });
  await runProgram('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost', '-keyout', key, '-out', cert]);
  const rendering = { ...settings, certFile: cert, keyFile: key, canDefer: process.platform === 'linux', workers: Math.min(availableParallelism(), 8), ...(process.getuid?.() === 0 ? { user: { name: 'root', group: 'root' } } : {}) };
  const file = join(folder, 'nginx.conf');
  for (const [name, text] of Object.entries(render(tableOf(1), rendering).files)) await writeFile(join(folder, name), text);
  await through.start(file);
  const next = new Map(Array.from({ length: RUNS }, (_, i) => [i + 2, render(tableOf(i + 2), rendering).files]));
  return {
    rendering,
    change: async (revision) => {
      const files = next.get(revision)!;
      await writeFile(file, files['nginx.conf']!);
      const complaint = await through.complaint(file);
      if (complaint !== undefined) throw new Error(complaint);
      process.kill(Number(await readFile(join(folder, 'nginx.pid'), 'utf8')), 'SIGHUP');
      while ((await askVersion(settings))?.revision !== revision || (await through.takingWorkers()) !== rendering.workers) await sleep(2);
    },
    stop: () => through.stop(),
  };
}

async function settingsIn(folder: string): Promise<EdgeSettings> {
  const [httpPort, httpsPort] = [await freePort(), await freePort()];
  return { planeId: `bench-${httpPort}`, folder, sitesFolder: join(folder, 'sites'), bind: '127.0.0.1', httpPort, httpsPort, baseDomain: 'localhost' };
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

/** Bytes of memory that master and workers have, shared pages counted once. */
async function pssOf(folder: string): Promise<number> {
  const master = Number(await readFile(join(folder, 'nginx.pid'), 'utf8'));
  const workers = (await readFile(`/proc/${master}/task/${master}/children`, 'utf8')).trim().split(' ').map(Number);
  const rollups = await Promise.all([master, ...workers].map((pid) => readFile(`/proc/${pid}/smaps_rollup`, 'utf8')));
  return rollups.reduce((sum, text) => sum + Number(/^Pss:\s+(\d+)/m.exec(text)![1]) * 1024, 0);
}
