import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, identityOf } from './processes.js';

export interface DaemonSpec {
  /** Names its log and its pid file. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** A Node process that ends when the channel to its parent closes. */
  readonly ipc?: boolean;
  readonly stopSignal?: NodeJS.Signals;
  readonly stopGraceMs?: number;
  readonly startTimeoutMs?: number;
  /** Puts right what an earlier run left behind; called before each start. */
  readonly prepare?: () => Promise<void>;
  /** Whether it does its work; asked again and again until it says so. `hasSaidSo`: it sent its parent `{ ready }`. */
  readonly isReady: (pid: number, hasSaidSo: boolean) => Promise<boolean>;
}

/** Where daemons keep what they leave: logs/<name>.log and run/<name>.json. */
export interface DaemonHome {
  readonly folder: string;
  /** Told about what happens to a daemon that nobody asked for. */
  readonly tell: (line: string) => void;
}

const LOG_LIMIT_BYTES = 20 * 1024 * 1024;

/**
 * A process that is kept running: started again with a growing pause when it ends by itself, stopped when asked. It does not outlive its
 * parent (the kernel tells it), and what an earlier parent left is stopped before it is started.
 */
export class Daemon {
  private child: ChildProcess | undefined;
  private wanted = false;
  private restarting: Promise<void> | undefined;
  private unwanted = new AbortController();
  private rotation: NodeJS.Timeout | undefined;
  private extraEnv: NodeJS.ProcessEnv = {};

  constructor(
    private readonly spec: DaemonSpec,
    private readonly home: DaemonHome,
  ) {
    for (const folder of ['logs', 'run']) mkdirSync(join(home.folder, folder), { recursive: true, mode: 0o700 });
  }

  get name(): string {
    return this.spec.name;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get logFile(): string {
    return join(this.home.folder, 'logs', `${this.spec.name}.log`);
  }

  /** Starts it and returns once it is ready; throws with the end of its log when it ends first or takes too long. */
  async start(extraEnv: NodeJS.ProcessEnv = {}): Promise<void> {
    this.wanted = true;
    this.extraEnv = extraEnv;
    this.rotation ??= setInterval(() => this.rotateLog(), 60_000).unref();
    this.unwanted = new AbortController();
    await this.endLeftover();
    await this.launch();
  }

  /** Stops it, and returns once it is gone. */
  async stop(signal = this.spec.stopSignal ?? 'SIGTERM'): Promise<void> {
    this.wanted = false;
    clearInterval(this.rotation);
    this.rotation = undefined;
    const { child } = this;
    this.unwanted.abort();
    if (child?.pid && !hasEnded(child)) {
      const ended = once(child, 'exit');
      await end(child.pid, signal, this.spec.stopGraceMs ?? 10_000);
      await ended;
    }
    await this.restarting;
    rmSync(this.pidFile, { force: true });
  }

  /** Sends a signal and lets happen what happens: what is killed so comes back by itself. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child?.kill(signal);
  }

  /** Resolves once another process than this one is ready in its place. */
  async replaced(pid: number | undefined): Promise<void> {
    while (this.pid === pid || this.restarting || !this.child || hasEnded(this.child)) await sleep(10);
  }

  private async launch(): Promise<void> {
    await this.spec.prepare?.();
    if (!this.wanted) return;
    this.rotateLog();
    const logStart = sizeOf(this.logFile);
    const child = this.spawn();
    this.child = child;
    await untilReady(child, this.spec).catch((error: Error) => {
      const failed = new Error(`${this.spec.name} did not start: ${error.message}\n${this.tail(logStart)}(log: ${this.logFile})`);
      return (child.pid ? end(child.pid, 'SIGKILL', 0) : Promise.resolve()).then(() => Promise.reject(failed));
    });
    if (hasEnded(child)) throw new Error(`${this.spec.name} ended as soon as it was ready (${howEnded(child)}; log: ${this.logFile}).`);
    child.once('exit', () => this.ended(child));
  }

  private spawn(): ChildProcess {
    const { command, args, env, cwd, uid, gid, ipc, stopSignal } = this.spec;
    const log = openSync(this.logFile, 'a', 0o600);
    try {
      // A Node process notices by its channel; the others are told by the kernel.
      const [program, ...rest] = [...(ipc ? [] : diesWithParent(stopSignal ?? 'SIGTERM')), command, ...args];
      const child = spawn(program!, rest, {
        ...(cwd && { cwd }), ...(uid !== undefined && { uid }), ...(gid !== undefined && { gid }),
        env: { ...(env ?? process.env), ...this.extraEnv },
        stdio: ipc ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
        // A group of its own: Ctrl-C in the terminal reaches the launcher alone, which stops everything in order.
        detached: true,
      });
      child.channel?.unref();
      if (child.pid) writeFileSync(this.pidFile, JSON.stringify({ pid: child.pid, identity: identityOf(child.pid) }));
      return child;
    } finally {
      closeSync(log);
    }
  }

  private ended(child: ChildProcess): void {
    if (!this.wanted) return;
    this.home.tell(`${this.spec.name} ended by itself (${howEnded(child)}); starting it again. Log: ${this.logFile}`);
    this.restarting = this.restart().finally(() => (this.restarting = undefined));
  }

  private async restart(): Promise<void> {
    for (let pauseMs = 100; this.wanted; pauseMs = Math.min(pauseMs * 2, 10_000)) {
      try {
        await this.launch();
        return this.wanted ? this.home.tell(`${this.spec.name} is back.`) : undefined;
      } catch (error) {
        if (!this.wanted) return;
        this.home.tell(`${(error as Error).message}\nNext try in ${pauseMs / 1000} s.`);
        await sleep(pauseMs, undefined, { signal: this.unwanted.signal }).catch(() => undefined);
      }
    }
  }

  private async endLeftover(): Promise<void> {
    const left = readJson(this.pidFile) as { pid: number; identity: string } | undefined;
    if (!left || !left.identity || identityOf(left.pid) !== left.identity) return;
    this.home.tell(`${this.spec.name} of an earlier run is still there (pid ${left.pid}); stopping it first.`);
    await end(left.pid, this.spec.stopSignal ?? 'SIGTERM', this.spec.stopGraceMs ?? 10_000);
  }

  private get pidFile(): string {
    return join(this.home.folder, 'run', `${this.spec.name}.json`);
  }

  private tail(from: number): string {
    const text = sizeOf(this.logFile) ? readFileSync(this.logFile).subarray(from).toString('utf8') : '';
    return text.split('\n').slice(-15).map((line) => (line ? `  ${line}\n` : '')).join('');
  }

  /** Copies and truncates: the process goes on writing (appending) to the same file. */
  private rotateLog(): void {
    if (sizeOf(this.logFile) < LOG_LIMIT_BYTES) return;
    copyFileSync(this.logFile, `${this.logFile}.1`);
    truncateSync(this.logFile);
  }
}

async function untilReady(child: ChildProcess, spec: DaemonSpec): Promise<void> {
  const deadline = Date.now() + (spec.startTimeoutMs ?? 30_000);
  let broken: Error | undefined;
  let hasSaidSo = false;
  child.once('error', (error) => (broken = error));
  child.once('message', (message) => (hasSaidSo = typeof message === 'object' && 'ready' in message));
  for (;;) {
    if (broken) throw broken;
    if (hasEnded(child)) throw new Error(`it ended (${howEnded(child)}).`);
    if (child.pid && (await spec.isReady(child.pid, hasSaidSo))) return;
    if (Date.now() > deadline) throw new Error(`it was not ready after ${(spec.startTimeoutMs ?? 30_000) / 1000} s.`);
    await sleep(20);
  }
}

let deathSignalWorks: boolean | undefined;

/** The words in front of a command that have the kernel signal it when its parent dies; none where setpriv cannot do that. */
function diesWithParent(signal: NodeJS.Signals): string[] {
  deathSignalWorks ??= spawnSync('setpriv', ['--pdeathsig', 'TERM', 'true']).status === 0;
  return deathSignalWorks ? ['setpriv', '--pdeathsig', signal.replace('SIG', ''), '--'] : [];
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function howEnded(child: ChildProcess): string {
  return child.signalCode ? `signal ${child.signalCode}` : `exit code ${child.exitCode}`;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}
