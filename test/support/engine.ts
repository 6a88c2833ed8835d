import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import Docker from 'dockerode';

const run = promisify(execFile);
const WITHIN_MS = 60_000;
/** Of the default bridge, on which nothing of a plane runs; out of the ranges that planes of tests have (pool.ts). */
const BRIDGE_ADDRESS = '10.254.254.1/24';
const onSbin = { env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } };

/**
 * A real Docker Engine of a test's own, beside the machine's: its folder, its containerd, its bridge, and hands off the machine's firewall. (One without a default
 * bridge would not do: at its start such an engine removes docker0, which is the machine's.) Needs root.
 */
export class OwnEngine {
  readonly folder = mkdtempSync(join(tmpdir(), 'hostplane-engine-'));
  readonly socket = this.path('docker.sock');
  readonly docker = new Docker({ socketPath: this.socket });
  private readonly bridge = `hpt${process.pid}`;
  private containerd: ChildProcess | undefined;
  private dockerd: ChildProcess | undefined;

  static async start(): Promise<OwnEngine> {
    const engine = new OwnEngine();
    const lines = ['version = 2', 'disabled_plugins = ["io.containerd.grpc.v1.cri"]', `root = "${engine.path('containerd')}"`, `state = "${engine.path('run')}"`, '[grpc]', `address = "${engine.path('containerd.sock')}"`];
    writeFileSync(engine.path('containerd.toml'), lines.join('\n'));
    await run('ip', ['link', 'add', engine.bridge, 'type', 'bridge'], onSbin);
    await run('ip', ['addr', 'add', BRIDGE_ADDRESS, 'dev', engine.bridge], onSbin);
    await engine.start();
    return engine;
  }

  async start(): Promise<void> {
    if (!isAlive(this.containerd)) {
      this.containerd = this.spawn('containerd', ['--config', this.path('containerd.toml')]);
      await this.until('containerd', this.containerd, () => Promise.resolve(existsSync(this.path('containerd.sock'))));
    }
    this.dockerd = this.spawn('dockerd', [
      '--data-root', this.path('data'), '--exec-root', this.path('exec'), '--pidfile', this.path('pid'), '-H', `unix://${this.socket}`, '--containerd', this.path('containerd.sock'),
      `--bridge=${this.bridge}`, '--iptables=false', '--ip-masq=false', '--ip-forward=false',
    ]);
    await this.until('dockerd', this.dockerd, () => this.docker.ping().then(() => true, () => false));
  }

  /** As an operator stops it: its containers stop too. */
  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  /** kill -9. Its containers run on, with nobody to ask for them. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** kill -9 of it with all that it runs, as when the power fails: containerd, shims, and what is in containers. */
  async killWhole(): Promise<void> {
    await this.end('SIGKILL');
    this.containerd?.kill('SIGKILL');
    for (const pid of this.shims()) for (const one of [pid, ...childrenOf(pid)]) endNow(one);
    for (const end = Date.now() + WITHIN_MS; (this.shims().length > 0 || isAlive(this.containerd)) && Date.now() < end; ) await sleep(20);
    rmSync(this.path('containerd.sock'), { force: true });
  }

  /** Brings images here from the machine's engine. */
  async load(from: Docker, ...images: readonly string[]): Promise<void> {
    for (const image of images) {
      const loading = (await this.docker.loadImage((await from.getImage(image).get()) as unknown as string)) as NodeJS.ReadableStream;
      await pipeline(loading, async function* (said) { for await (const _ of said); });
    }
  }

  /** Ends it with all that it has. */
  async remove(): Promise<void> {
    // Only it knows which bridges of the machine are its own.
    if (!isAlive(this.dockerd)) await this.start().catch(() => undefined);
    if (isAlive(this.dockerd)) {
      for (const { Id } of await this.docker.listContainers({ all: true })) await this.docker.getContainer(Id).remove({ force: true, v: true }).catch(() => undefined);
      for (const { Id, Driver } of await this.docker.listNetworks()) if (Driver === 'bridge') await this.docker.getNetwork(Id).remove().catch(() => undefined);
    }
    await this.killWhole();
    await run('ip', ['link', 'del', this.bridge], onSbin).catch(() => undefined);
    const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? '').filter((path) => path.startsWith(`${this.folder}/`));
    for (const path of mounts.reverse()) await run('umount', ['-l', path]).catch(() => undefined);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private path(name: string): string {
    return join(this.folder, name);
  }

  private spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(this.path(`${program}.log`), 'a');
    const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true, ...onSbin });
    closeSync(log);
    return child;
  }

  private async until(program: string, child: ChildProcess, isSo: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + WITHIN_MS; !(await isSo()); await sleep(20)) {
      if (Date.now() > end || !isAlive(child)) throw new Error(`${program} does not start:\n${readFileSync(this.path(`${program}.log`), 'utf8').slice(-1_500)}`);
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.dockerd;
    if (!child || !isAlive(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    rmSync(this.path('pid'), { force: true });
  }

  /** Each container has one; they know their containerd by its folder. */
  private shims(): number[] {
    return readdirSync('/proc').map(Number).filter((pid) => commandOf(pid).includes('containerd-shim') && commandOf(pid).includes(`${this.folder}/`));
  }
}

const isAlive = (child: ChildProcess | undefined): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return [];
  const children = readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...childrenOf(child)]);
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
