// What must be there before anything of the project runs: packages as the lockfile says, Node 24, the compiled sources.
// Plain JavaScript without packages, because it runs on the machine's own Node before there are any.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tmpdir } from 'node:os';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const node24 = join(root, 'node_modules/.bin/node');

/** The project's own programs first on PATH: node is Node 24, everywhere below. */
export const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH ?? ''}` };

/** A mistake of the machine or of the person, said in words; no stack. */
export class Problem extends Error {}

/** Installs and builds what is missing or out of date. Quick when nothing is. */
export async function prepare() {
  checkNode();
  await installPackages();
  await healNode();
  await build();
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 18) throw new Problem(`This is Node ${process.versions.node}; the installation needs 18 or newer (what runs then is Node 24 from npm). Get it from your system's packages or from https://nodejs.org.`);
  if (process.platform === 'win32') throw new Problem('Hostplane runs on Linux. On Windows, use WSL.');
}

const stamp = join(root, 'node_modules/.hostplane-installed');

async function installPackages() {
  // Somebody shares one folder between several checkouts, and looks after it: npm ci would empty it for all of them.
  if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const wanted = hashOf(['package-lock.json', '.npmrc'].map((name) => readFileSync(join(root, name))));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  // Packages that somebody installed by hand (npm ci, npm install) are taken as they are when they match the lockfile.
  if (!existsSync(stamp) && matchesLockfile()) return writeFileSync(stamp, wanted);
  const npm = spawnSync('npm', ['--version'], { encoding: 'utf8', env: npmEnv() });
  if (npm.status !== 0) throw new Problem('npm is not there. On Debian: apt-get install npm (as root); elsewhere it comes with Node from https://nodejs.org.');
  await step('packages', `installing with npm ${npm.stdout.trim()}`, 'npm', ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'], npmEnv());
  writeFileSync(stamp, wanted);
}

function matchesLockfile() {
  try {
    const here = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(([path, { version, optional }]) => path === '' || here[path]?.version === version || (optional && !here[path]));
  } catch {
    return false;
  }
}

/** npm keeps its cache under the home folder; where that cannot be written (a service account), it gets one that can. */
function npmEnv() {
  const home = process.env.HOME ?? '';
  try {
    accessSync(home, constants.W_OK);
    return process.env;
  } catch {
    return { ...process.env, npm_config_cache: join(tmpdir(), `hostplane-npm-${process.getuid?.() ?? 0}`) };
  }
}

/** Node 24 comes by an install script, which npm may have been told not to run. */
async function healNode() {
  const says = () => spawnSync(node24, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  if (says()?.startsWith('v24.')) return;
  await step('Node 24', 'fetching', process.execPath, ['-e', 'require("./installArchSpecificPackage.js")'], npmEnv(), join(root, 'node_modules/node'));
  const link = join(root, 'node_modules/.bin/node');
  if (!existsSync(link)) throw new Problem(`The npm package "node" brought no program. Remove ${join(root, 'node_modules')} and start again; npm's setting ignore-scripts must not be on.`);
  const now = says();
  if (!now?.startsWith('v24.')) throw new Problem(`node_modules/.bin/node says "${now ?? 'nothing'}" and not v24. This machine (${process.platform} ${process.arch}) may have no such package; remove node_modules and start again.`);
}

async function build() {
  const sources = ['apps', 'libs', 'infra'].flatMap((folder) => filesOf(join(root, folder))).filter((file) => file.endsWith('.ts') && !/\.(spec|contract)\.ts$/.test(file));
  const inputs = [...sources, ...['tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'infra/start/bundle.mjs'].map((name) => join(root, name))];
  const wanted = hashOf(inputs.sort().map((file) => `${file}:${hashOf([readFileSync(file)])}`));
  const built = join(root, 'dist/.built');
  if (existsSync(built) && readFileSync(built, 'utf8') === wanted) return;
  rmSync(built, { force: true });
  mkdirSync(join(root, 'dist'), { recursive: true });
  await step('build', 'compiling', node24, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], env);
  await step('build', 'bundling', node24, [join(root, 'infra/start/bundle.mjs')], env);
  writeFileSync(built, wanted);
}

/** Runs a program, quiet when it goes well; shows that it is at work when it takes over two seconds. */
export async function step(name, doing, command, args, environment = env, cwd = root) {
  const began = Date.now();
  const seconds = () => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  const isLive = process.stdout.isTTY && !process.env.CI;
  let nextAt = began + 2000;
  const timer = setInterval(() => {
    if (isLive) return process.stdout.write(`\r\u001b[2K  … ${name.padEnd(14)} ${doing}  ${seconds()}`);
    if (Date.now() < nextAt) return;
    nextAt = Date.now() + 10_000;
    console.log(`  … ${name.padEnd(14)} ${doing}  ${seconds()}`);
  }, isLive ? 200 : 500);
  const { code, output } = await run(command, args, environment, cwd);
  clearInterval(timer);
  if (isLive) process.stdout.write('\r\u001b[2K');
  if (code !== 0) throw new Problem(`${name}: "${[command, ...args].join(' ')}" failed (${code}):\n${output.trim().split('\n').slice(-40).join('\n')}`);
  console.log(`  ✓ ${name.padEnd(14)} ${doing}  ${seconds()}`);
}

function run(command, args, environment, cwd) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, { cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const pipe of [child.stdout, child.stderr]) pipe.on('data', (data) => (output = (output + data).slice(-100_000)));
    child.on('error', (error) => resolve({ code: error.code, output: error.message }));
    child.on('close', (code, signal) => resolve({ code: code ?? signal, output }));
  });
}

/** Hands the terminal over to a program, passes signals on, and ends as it ended. The channel tells the program when this one is gone. */
export function become(command, args, environment = env) {
  const child = spawn(command, args, { cwd: root, env: environment, stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  // With somebody who listens, this signal does not open the debugger (see isolation.ts); the flag for it is not in every Node that may run this.
  process.on('SIGUSR1', () => undefined);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => finish(new Problem(`${command} cannot be run: ${error.message}`)));
  child.on('close', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}

/** Says what went wrong and ends. */
export function finish(error) {
  console.error(error instanceof Problem ? `\n${error.message}` : error);
  process.exit(1);
}

function filesOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => (statSync(join(folder, name)).isDirectory() ? filesOf(join(folder, name)) : [join(folder, name)]));
}

function hashOf(parts) {
  return parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex');
}
