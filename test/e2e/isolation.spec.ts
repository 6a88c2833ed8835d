import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { testImage } from '../../infra/images/recipes.js';
import { freePort } from '../../infra/start/ports.js';
import { identityOf } from '../../infra/start/processes.js';
import { accountInsteadOfRoot } from '../../infra/start/reachable.js';
import { visit, Api, type SiteView } from '../support/api.js';
import { describeWithDocker } from '../support/docker.js';
import { canMount } from '../support/mounts.js';
import { networkPool } from '../support/pool.js';

const SOCKET = '/var/run/docker.sock';
const ROOT = join(import.meta.dirname, '../..');

let launcher: ChildProcess | undefined;
let home = '';
let api: Api;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hostplane-isolation-'));
  chmodSync(home, 0o755);
});
afterEach(async () => {
  if (launcher && launcher.exitCode === null && launcher.signalCode === null) {
    launcher.kill('SIGINT');
    await once(launcher, 'exit');
  }
  rmSync(home, { recursive: true, force: true });
});

/** A launcher as another user or with fewer rights than this test: `as` are the words in front of its command, run by `node` from `project`. Returns what it printed until it was ready. */
async function launch({ as = [], project = ROOT, nats = process.env['HOSTPLANE_NATS_SERVER'] }: { as?: readonly string[]; project?: string; nats?: string | undefined } = {}): Promise<string> {
  const [port, http, https] = await Promise.all([freePort(), freePort(), freePort()]);
  const ports = { HOSTPLANE_API_PORT: String(port), HOSTPLANE_EDGE_HTTP_PORT: String(http), HOSTPLANE_EDGE_HTTPS_PORT: String(https), HOSTPLANE_EDGE: 'embedded' };
  const env = { PATH: process.env['PATH'], HOME: home, HOSTPLANE_DATA: join(home, 'data'), HOSTPLANE_STATIC_IMAGE: testImage('static'), HOSTPLANE_NETWORK_POOL: networkPool, ...ports };
  const [program, ...args] = [...as, process.execPath.replace(ROOT, project), join(project, 'dist/infra/start/main.js')];
  launcher = spawn(program!, args, { cwd: home, env: { ...env, HOSTPLANE_NATS_SERVER: nats }, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  launcher.stdout!.on('data', (data: Buffer) => (output += data.toString()));
  while (!output.includes('Ctrl-C stops everything')) {
    if (launcher.exitCode !== null) throw new Error(`The launcher ended with ${launcher.exitCode}:\n${output}`);
    await sleep(20);
  }
  api = new Api(`http://127.0.0.1:${port}/api/v1`, /hp_[A-Za-z0-9_-]{43}/.exec(output)?.[0] ?? '');
  return output;
}

/** The words that start a command as an ordinary user who sees the project at a folder of that user's own: root's may be closed to others. */
function asUser({ uid, gid }: { uid: number; gid: number }, project: string): readonly string[] {
  mkdirSync(project);
  const script = 'mount --bind "$1" "$2"; shift 2; exec "$@"';
  return ['unshare', '--mount', 'sh', '-ec', script, 'sh', ROOT, project, 'setpriv', `--reuid=${uid}`, `--regid=${gid}`, `--groups=${statSync(SOCKET).gid}`, '--'];
}

/** A copy of the nats-server that root has found, where everybody can run it. */
function natsForAll(): string | undefined {
  const found = process.env['HOSTPLANE_NATS_SERVER'];
  if (!found) return undefined;
  copyFileSync(found, join(home, 'nats-server'));
  return join(home, 'nats-server');
}

async function isolationPart(): Promise<string | undefined> {
  const reply = await api.call<{ parts: { name: string; detail: string }[] }>('GET', '/health');
  return reply.body.parts.find(({ name }) => name === 'isolation')?.detail;
}

const pidOf = (name: string) => (JSON.parse(readFileSync(join(home, 'data/run', `${name}.json`), 'utf8')) as { pid: number }).pid;

/** Connects to a socket in the mounts of a process. */
function connectIn(name: string, socket: string): string {
  const program = "require('net').connect(process.argv[1]).on('connect', () => { console.log('connected'); process.exit(); }).on('error', (e) => console.log(e.code))";
  return spawnSync('nsenter', ['--target', String(pidOf(name)), '--mount', process.execPath, '-e', program, socket], { encoding: 'utf8' }).stdout.trim();
}

const kernelSays = (name: string, field: string) => new RegExp(`^${field}:\\s*(\\S+)`, 'm').exec(readFileSync(`/proc/${pidOf(name)}/status`, 'utf8'))?.[1];

/** CAP_SYS_ADMIN (mounts), CAP_SYS_PTRACE (other processes), CAP_DAC_READ_SEARCH (files by their number), CAP_MKNOD (devices). */
const STRONG = (1n << 21n) | (1n << 19n) | (1n << 2n) | (1n << 27n);

async function expectIsolated(): Promise<void> {
  expect(await isolationPart()).toBe('masked');
  expect([connectIn('provisioner', SOCKET), connectIn('control-plane', SOCKET)]).toEqual(['connected', 'ENOENT']);
  expect(BigInt(`0x${kernelSays('control-plane', 'CapBnd')}`) & STRONG).toBe(0n);
  expect(kernelSays('control-plane', 'NoNewPrivs')).toBe('1');
  expect(readlinkSync(`/proc/${pidOf('control-plane')}/ns/mnt`)).not.toBe(readlinkSync(`/proc/${pidOf('provisioner')}/ns/mnt`));
  const created = await api.call<SiteView>('POST', '/sites', { name: 'boxed', kind: 'static', runtime: 'docker' });
  const site = await api.settled(created.body.id, ['ACTIVE', 'FAILED']);
  expect(site.lastError ?? (await visit(site.url)).status).toBe(200);
  await api.call('DELETE', `/sites/${site.id}`);
  expect((await api.settled(site.id, ['DESTROYED'])).status).toBe('DESTROYED');
  // Who may signal the provisioner shall not open its debugger with that.
  process.kill(pidOf('provisioner'), 'SIGUSR1');
  await sleep(300);
  expect(readFileSync(join(home, 'data/logs/provisioner.log'), 'utf8')).not.toContain('Debugger listening');
  // Comes back isolated after a crash, too.
  const before = pidOf('control-plane');
  process.kill(before, 'SIGKILL');
  while (identityOf(before) || (await isolationPart().catch(() => undefined)) === undefined) await sleep(50);
  expect([await isolationPart(), connectIn('control-plane', SOCKET)]).toEqual(['masked', 'ENOENT']);
}

describeWithDocker('the engine', () => {
  (canMount ? it : it.skip)('cannot be reached by the control plane, and by the provisioner it can: as root (needs root that may mount)', async () => {
    expect(await launch()).toContain("engine's socket out of its reach: masked");
    await expectIsolated();
  });

  (canMount ? it : it.skip)('likewise as an ordinary user who may use the engine (needs root that may mount, to become that user)', async () => {
    const account = accountInsteadOfRoot()!;
    mkdirSync(join(home, 'data'), { mode: 0o711 });
    for (const folder of [home, join(home, 'data')]) chownSync(folder, account.uid, account.gid);
    const project = join(home, 'project');
    await launch({ as: asUser(account, project), project, nats: natsForAll() });
    await expectIsolated();
  });

  (canMount ? it : it.skip)('is said to be in reach where the kernel does not allow another view (needs root that may mount, to take that right away)', async () => {
    const printed = await launch({ as: ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--'] });
    expect(printed.match(/not possible: .*unshare.*Operation not permitted/g)).toHaveLength(1);
    expect(await isolationPart()).toMatch(/^not possible: .*Operation not permitted \(\/var\/run\/docker\.sock can be connected to\)$/);
    expect(connectIn('control-plane', SOCKET)).toBe('connected');
  });
});
