import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { PrivateApt } from './apt-download.js';

const run = promisify(execFile);

export interface NatsServer {
  readonly program: string;
  readonly version: string;
  /** Where it came from, in a person's words. */
  readonly from: string;
}

/** The oldest version with everything that the bus uses. */
const OLDEST = [2, 10] as const;

/** The release that is fetched where nothing else helps, with the checksums of its page's SHA256SUMS. */
const RELEASE = { version: '2.10.27', image: 'nats:2.10.27' };

export interface Finding {
  /** The program to use, whatever else is there (HOSTPLANE_NATS_SERVER). */
  readonly configured?: string | undefined;
  /** Told what takes time. */
  readonly tell: (line: string) => void;
}

/** Finds a nats-server, or gets one: configured, on PATH, fetched before, package manager, container, release page; else says how. */
export async function findNatsServer({ configured, tell }: Finding): Promise<NatsServer> {
  if (configured) {
    const found = check(configured, 'HOSTPLANE_NATS_SERVER');
    if (typeof found === 'string') throw new Error(`HOSTPLANE_NATS_SERVER is "${configured}": ${found}`);
    return found;
  }
  const kept = join(cacheFolder(), 'nats-server');
  const tried: string[] = [];
  for (const [program, from] of [...onPath().map((path) => [path, 'PATH'] as const), [kept, 'fetched before'] as const]) {
    const found = check(program, from);
    if (typeof found !== 'string') return found;
    if (existsSync(program)) tried.push(`${program}: ${found}`);
  }
  for (const [way, fetchTo] of ways) {
    tell(`fetching nats-server (${way})`);
    const problem = await fetchTo(kept).catch((error: Error) => error.message.split('\n').filter(Boolean).slice(-2).join(' '));
    const found = problem ?? check(kept, way);
    if (typeof found !== 'string') return found;
    tried.push(`${way}: ${found}`);
  }
  throw new Error(
    `No nats-server ${OLDEST.join('.')} or newer was found, and none could be fetched:\n${tried.map((line) => `  - ${line}\n`).join('')}` +
      'Install one (Debian 13: apt-get install nats-server; others: https://nats.io/download) or name it with HOSTPLANE_NATS_SERVER=<path>, or use a running one with NATS_URL.',
  );
}

/** A folder for what is fetched once for this user and used by every data folder. */
export function cacheFolder(): string {
  const wanted = join(process.env['XDG_CACHE_HOME'] || join(process.env['HOME'] || homedir(), '.cache'), 'hostplane');
  try {
    mkdirSync(wanted, { recursive: true });
    accessSync(wanted, constants.W_OK);
    return wanted;
  } catch {
    const own = join(process.cwd(), 'node_modules', '.cache', 'hostplane');
    mkdirSync(own, { recursive: true });
    return own;
  }
}

/** What a program says of itself, or why it will not do. */
function check(program: string, from: string): NatsServer | string {
  if (!existsSync(program)) return 'there is no such file.';
  const asked = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const version = /v?(\d+)\.(\d+)\.(\d+)/.exec(asked.stdout ?? '');
  if (!version) return `it does not run as nats-server (${asked.error?.message ?? asked.stderr?.trim() ?? 'it said nothing'}).`;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) return `version ${version[0]} is older than ${OLDEST.join('.')}.`;
  return { program, version: version[0].replace('v', ''), from };
}

function onPath(): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return [...new Set(folders.filter(Boolean).map((folder) => join(folder, 'nats-server')))].filter((path) => existsSync(path));
}

/** Each puts the program at the path that it is given, or says why it cannot. */
const ways: readonly (readonly [string, (kept: string) => Promise<string | undefined>])[] = [
  ['package manager', byApt],
  ['container image', byContainer],
  ['release page', byRelease],
];

async function byApt(kept: string): Promise<string | undefined> {
  // Debian 12 has 2.9, too old; the binary of 13 is static and runs on every release.
  const apt = PrivateApt.on(join(cacheFolder(), 'apt'), (codename) => (['bullseye', 'bookworm'].includes(codename) ? 'trixie' : codename));
  if (!apt) return 'this machine has no apt with a mirror of its own.';
  return staged(kept, async (folder) => {
    await apt.unpack(['nats-server'], folder);
    return [join(folder, 'usr/sbin/nats-server'), join(folder, 'usr/bin/nats-server')].find((path) => existsSync(path));
  });
}

async function byContainer(kept: string): Promise<string | undefined> {
  if (spawnSync('docker', ['version'], { timeout: 10_000 }).status !== 0) return 'no Docker Engine answers.';
  return staged(kept, async (folder) => {
    const { stdout } = await run('docker', ['create', RELEASE.image], { timeout: 120_000 });
    const container = stdout.trim().split('\n').at(-1)!;
    try {
      await run('docker', ['cp', `${container}:/nats-server`, folder]);
    } finally {
      await run('docker', ['rm', container]);
    }
    return join(folder, 'nats-server');
  });
}

async function byRelease(kept: string): Promise<string | undefined> {
  const name = `nats-server-v${RELEASE.version}-linux-${process.arch === 'x64' ? 'amd64' : process.arch}`;
  const page = `https://github.com/nats-io/nats-server/releases/download/v${RELEASE.version}`;
  return staged(kept, async (folder) => {
    const archive = Buffer.from(await download(`${page}/${name}.tar.gz`));
    const sums = Buffer.from(await download(`${page}/SHA256SUMS`)).toString('utf8');
    const expected = sums.split('\n').find((line) => line.endsWith(`${name}.tar.gz`))?.split(/\s+/)[0];
    const actual = createHash('sha256').update(archive).digest('hex');
    if (actual !== expected) throw new Error(`the checksum of ${name}.tar.gz is ${actual}, and SHA256SUMS says ${expected ?? 'nothing of it'}.`);
    writeFileSync(join(folder, 'release.tar.gz'), archive);
    await run('tar', ['-xzf', join(folder, 'release.tar.gz'), '-C', folder, '--strip-components=1']);
    return join(folder, 'nats-server');
  });
}

async function download(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000) }).catch((error: Error & { cause?: Error }) => {
    throw new Error(`${url} cannot be reached (${error.cause?.message ?? error.message}).`);
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}.`);
  return response.arrayBuffer();
}

/** Fetches into a folder beside, and puts the program in place whole. */
async function staged(kept: string, fetchInto: (folder: string) => Promise<string | undefined>): Promise<string | undefined> {
  const folder = mkdtempSync(`${kept}.`);
  try {
    const program = await fetchInto(folder);
    if (!program || !existsSync(program)) return 'it brought no program named nats-server.';
    copyFileSync(program, `${folder}.ready`);
    chmodSync(`${folder}.ready`, 0o755);
    renameSync(`${folder}.ready`, kept);
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
