import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, constants, setPriority, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { buildImages } from '../images/build-images.js';
import { bringEngine, bringKnot, bringNginx, bringPebble, type Engine } from './machine.js';
import { findNatsServer } from './nats-server.js';
import { consoleSay } from './say.js';

/** After its last test a process may take so long to end. */
const ENDS_WITHIN_MS = 20_000;
/** In this order: what is quick and says most comes first. */
const SUITES = ['unit', 'int', 'e2e', 'chaos'] as const;
type Suite = (typeof SUITES)[number];

/**
 * Suites with real parts mostly wait, for half a core in all, so lanes run abreast, each one spec after the other: two, and a third once unit and check leave it a processor. Two of them take what
 * needs this machine's Docker Engine first; more would bring one of 20.10 to a standstill.
 */
type Lane = 'engine' | 'any';
const SPECS: Readonly<Record<Exclude<Suite, 'unit'>, string>> = { int: '{libs,apps,infra}/**/*.int.spec.ts', e2e: 'test/e2e/**/*.spec.ts', chaos: 'test/chaos/**/*.spec.ts' };

/** These first of their suite: clusters of servers, which want a processor, before the third lane comes; and what takes longest, for the last to be begun decides how long one lane is alone. */
const FIRST = ['libs/messaging/', ...['control-plane', 'servers', 'tunnel', 'certificate'].map((what) => `test/chaos/${what}-at-each-step`)];

/** What one run of jest is given. */
interface Batch {
  readonly suite: Exclude<Suite, 'unit'>;
  readonly lane: Lane;
  readonly name: string;
  readonly specs: readonly string[];
}

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly tookMs: number;
}

const ROOT = join(import.meta.dirname, '../../..');
const say = consoleSay();

/** `npm test`: gets the real parts, runs every suite against them, and sums up. `npm test -- unit int` runs some; `--check` also checks the code. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { check: { type: 'boolean', default: false } }, allowPositionals: true });
  const unknown = positionals.filter((name) => !(SUITES as readonly string[]).includes(name));
  if (unknown.length) throw new Error(`There is no suite called ${unknown.join(', ')}. There are: ${SUITES.join(', ')}.`);
  const suites = SUITES.filter((suite) => !positionals.length || positionals.includes(suite));
  const pure = runPure(values.check, suites.includes('unit'));
  const outcomes: Outcome[] = [];
  const parts = suites.some((suite) => suite !== 'unit') ? await bringParts() : undefined;
  try {
    if (parts?.missing.length && process.env['CI']) outcomes.push({ name: 'real parts', passed: 0, failed: parts.missing.length, skipped: 0, tookMs: 0 });
    const waiting = SUITES.filter((suite) => suite !== 'unit').filter((suite) => suites.includes(suite)).flatMap(batchesOf);
    const run = (lane: Lane) => runLane(lane, waiting, parts?.env ?? {});
    outcomes.push(...(await Promise.all([run('engine'), run('any'), pure.then(() => run('engine'))])).flat());
  } finally {
    parts?.engine?.stop();
  }
  return summary([...(await pure), ...outcomes], parts?.missing ?? []);
}

/** What needs no real part, with what the lanes and the fetching of parts leave of the processors. */
async function runPure(isChecked: boolean, hasUnit: boolean): Promise<Outcome[]> {
  return [...(hasUnit ? [await runSuite('unit', {})] : []), ...(isChecked ? [await check()] : [])];
}

/** The real parts that suites run against, as environment for them, and what could not be had. */
async function bringParts(): Promise<{ env: NodeJS.ProcessEnv; missing: string[]; engine?: Engine }> {
  const missing: string[] = [];
  const bring = async (name: string, part: (tell: (line: string) => void) => Promise<string | undefined> | string | undefined) => {
    const step = say.step(name);
    const why = await part((line) => step.note(line));
    if (why === undefined) return step.done();
    missing.push(why);
    step.missing(why);
  };
  const step = say.step('nats-server');
  const nats = await findNatsServer({ configured: process.env['HOSTPLANE_NATS_SERVER'], tell: (line) => step.note(line) });
  step.done(`${nats.version} (${nats.from})`);
  const env = { HOSTPLANE_NATS_SERVER: nats.program };
  await bring('nginx', bringNginx);
  await bring('knot', bringKnot);
  await bring('pebble', bringPebble);

  const docker = say.step('Docker Engine');
  const engine = await bringEngine((line) => docker.note(line));
  if (typeof engine === 'string') {
    docker.missing(engine);
    return { env, missing: [...missing, engine] };
  }
  docker.done(engine.version);
  await bring('images', async (tell) => ((await buildImages(engine.docker, tell)) ? undefined : 'the test images cannot be built: this machine has no Debian mirror.'));
  return { env, missing, engine };
}

/** Each spec that takes minutes is one, so that lanes come to their ends together; quick ones of a folder of the code are one. */
function batchesOf(suite: Batch['suite']): Batch[] {
  const batches = new Map<string, Batch & { specs: string[] }>();
  for (const spec of inOrder(globSync(SPECS[suite], { cwd: ROOT }))) {
    const lane = sharesEngine(spec) ? 'engine' : 'any';
    const name = suite === 'int' && lane === 'any' ? /^(?:libs\/)?[^/]+/.exec(spec)![0] : basename(spec).replace(/(\.int)?\.spec\.ts$/, '');
    const batch = batches.get(name);
    if (batch) batch.specs.push(spec);
    else batches.set(name, { suite, lane, name, specs: [spec] });
  }
  return [...batches.values()];
}

/** Stays in the order of names where nothing else is said. */
function inOrder(specs: readonly string[]): readonly string[] {
  const rank = (spec: string): number => {
    const found = FIRST.findIndex((start) => spec.startsWith(start));
    return found < 0 ? FIRST.length : found;
  };
  return [...specs].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** A spec that needs this machine's engine says so, or its tests could not be skipped where there is none. */
function sharesEngine(spec: string): boolean {
  return /describeWithDocker\(/.test(readFileSync(join(ROOT, spec), 'utf8'));
}

/** Does what is its own first, and then whatever waits and may be done in any lane. */
async function runLane(lane: Lane, waiting: Batch[], env: NodeJS.ProcessEnv): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (;;) {
    const own = waiting.findIndex((batch) => batch.lane === lane);
    const next = own >= 0 ? own : waiting.findIndex((batch) => batch.lane === 'any');
    if (next < 0) return outcomes;
    const [batch] = waiting.splice(next, 1);
    outcomes.push(await runSuite(batch!.suite, env, batch));
  }
}

async function runSuite(suite: Suite, env: NodeJS.ProcessEnv, batch?: Batch): Promise<Outcome> {
  const name = batch ? `${suite}, ${batch.name}` : suite;
  say.line(`\n${pc.bold(name)}`);
  const folder = mkdtempSync(join(tmpdir(), 'hostplane-tests-'));
  const report = join(folder, 'report.json');
  const which = batch ? ['--runInBand', '--runTestsByPath', ...batch.specs] : [`--maxWorkers=${Math.max(2, availableParallelism() - 1)}`];
  const began = Date.now();
  const args = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js', '--selectProjects', suite, '--json', '--outputFile', report, ...which];
  // jest says nothing before a file is done, and some files take minutes.
  const beat = setInterval(() => say.line(`  … ${name} goes on, ${Math.round((Date.now() - began) / 1000)} s`), 60_000);
  const code = await run(process.execPath, args, env, { isOver: () => existsSync(report), isYielding: !batch }).finally(() => clearInterval(beat));
  const counts = readReport(report);
  rmSync(folder, { recursive: true, force: true });
  const failed = counts ? counts.numFailedTests + counts.numRuntimeErrorTestSuites : 1;
  return { name, passed: counts?.numPassedTests ?? 0, failed: failed || (code ? 1 : 0), skipped: counts?.numPendingTests ?? 0, tookMs: Date.now() - began };
}

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

async function check(): Promise<Outcome> {
  say.line(`\n${pc.bold('check')}`);
  const began = Date.now();
  const code = await run(process.execPath, ['infra/lint/check.mjs'], {}, { isYielding: true });
  return { name: 'check', passed: code ? 0 : 1, failed: code ? 1 : 0, skipped: 0, tookMs: Date.now() - began };
}

interface RunOptions {
  /** One that is over and does not end is killed. */
  readonly isOver?: () => boolean;
  /** Gives way to those that do not. */
  readonly isYielding: boolean;
}

/** Runs a program with its words going where ours go; jest's report goes to its file, so what it prints to standard output is left out. */
function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv, { isOver = () => false, isYielding }: RunOptions): Promise<number> {
  const isJest = args.includes('--json');
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ['ignore', isJest ? 'ignore' : 'inherit', 'inherit'] });
    if (isYielding && child.pid) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
    const looking = setInterval(() => {
      if (!isOver()) return;
      clearInterval(looking);
      ending = setTimeout(() => {
        say.warn('All tests have ended, and their process has not: a test left something open.');
        child.kill('SIGKILL');
      }, ENDS_WITHIN_MS);
    }, 1_000);
    let ending: NodeJS.Timeout | undefined;
    const pass = (signal: NodeJS.Signals) => child.kill(signal);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
    child.on('error', () => resolve(1));
    child.on('close', (code) => {
      clearInterval(looking);
      clearTimeout(ending);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass);
      resolve(code ?? 1);
    });
  });
}

function summary(outcomes: readonly Outcome[], missing: readonly string[]): number {
  say.line(`\n${pc.bold('summary')}`);
  for (const { name, passed, failed, skipped, tookMs } of outcomes) {
    say.line(`  ${(failed ? pc.red('✗') : pc.green('✓'))} ${name.padEnd(34)} ${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed ${String(skipped).padStart(4)} skipped  ${(tookMs / 1000).toFixed(1).padStart(6)} s`);
  }
  for (const line of missing) say.warn(`Missing here: ${line}`);
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
  say.line(`${sum((outcome) => outcome.passed)} passed, ${sum((outcome) => outcome.failed)} failed`);
  return sum((outcome) => outcome.failed) ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  say.failed((error as Error).message);
  say.line('0 passed, 1 failed');
  process.exitCode = 1;
}
