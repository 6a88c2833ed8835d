import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { reached } from '#contracts/probe.js';
import { ProviderError } from '../provider-error.js';

/** How a cloudflared is run: by us, or by whoever else looks after the services of this host. */
export interface TunnelProcess {
  /** Has it read its configuration anew: the old process has ended when this returns. */
  restart(configFile: string): Promise<void>;
  /** Why it has ended since; undefined while it runs, or where that cannot be seen. */
  ended(): Promise<string | undefined>;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 60_000;
const ENDS_WITHIN_MS = 10_000;
const WORDS = 600;
/** In the environment of a cloudflared of ours: whose it is, also when its number was never kept. */
const LABEL = 'KEPT_BY_HOSTPLANE';

/** Restarted by a command, for example `systemctl restart cloudflared`; it stays when the plane goes. */
export class CommandedTunnel implements TunnelProcess {
  constructor(private readonly command: string) {}

  async restart(): Promise<void> {
    const [file = '', ...args] = this.command.split(/\s+/);
    await run(file, args, { timeout: COMMAND_TIMEOUT_MS }).catch((error: Error & { stderr?: string }) => {
      throw new ProviderError(`"${this.command}" (HOSTPLANE_TUNNEL_RESTART) failed: ${(error.stderr || error.message).trim().slice(0, WORDS)}`, true, { cause: error });
    });
  }

  async ended(): Promise<undefined> {
    return undefined;
  }

  async stop(): Promise<void> {
    // It is not ours to end.
  }
}

/** Run by us. It goes on when this process dies, so that visitors are led on: the next one finds it by its label, or the number that it left, and ends it before it starts its own. */
export class OwnTunnel implements TunnelProcess {
  private child: ChildProcess | undefined;
  private said = '';

  constructor(
    private readonly command: string,
    /** Where the process' number is kept. */
    private readonly pidFile: string,
    private readonly tell: (line: string) => void,
  ) {}

  async restart(configFile: string): Promise<void> {
    await this.endOld(configFile);
    await mkdir(dirname(this.pidFile), { recursive: true });
    const [file = '', ...args] = this.command.split(/\s+/);
    this.said = '';
    const child = spawn(file, [...args, 'tunnel', '--config', configFile, 'run'], { env: { ...ownEnvironment(process.env), [LABEL]: this.pidFile }, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    this.child = child;
    child.unref();
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-4 * WORDS);
    });
    child.once('exit', (code, signal) => this.tell(`cloudflared has ended (${signal ?? `code ${code}`}).`));
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error as Error))]).catch((error: Error) => {
      throw new ProviderError(`"${file}" (HOSTPLANE_TUNNEL_COMMAND) cannot be run: ${error.message}. Install cloudflared, or set the path to it.`, false, { cause: error });
    });
    reached('tunnel:spawned');
    await writeFile(this.pidFile, `${child.pid} ${configFile}\n`);
  }

  async ended(): Promise<string | undefined> {
    const { child } = this;
    if (!child || (child.exitCode === null && child.signalCode === null)) return undefined;
    return this.said.trim().split('\n').slice(-4).join(' ').slice(0, WORDS) || `it ended with ${child.signalCode ?? `code ${child.exitCode}`}.`;
  }

  async stop(): Promise<void> {
    const [, configFile = ''] = this.left();
    await this.endOld(configFile);
  }

  /** Ends the one that we, or a process before us, have started: never another one that has got its number since. */
  private async endOld(configFile: string): Promise<void> {
    const [kept] = this.left();
    const isThere = (pid: number): boolean => hasLabel(pid, this.pidFile) || (pid === kept && isOurs(pid, configFile));
    for (const pid of new Set([kept, ...labelled(this.pidFile)])) await endWhile(isThere, pid);
    await rm(this.pidFile, { force: true });
  }

  private left(): readonly [number, string?] {
    try {
      const [pid = '', configFile = ''] = readFileSync(this.pidFile, 'utf8').trim().split(/ (.*)/s);
      return [Number(pid), configFile];
    } catch {
      return [0];
    }
  }
}

async function endWhile(isThere: (pid: number) => boolean, pid: number): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isThere(pid)) return;
    process.kill(pid, signal);
    for (const end = Date.now() + ENDS_WITHIN_MS; Date.now() < end && isThere(pid); ) await sleep(20);
  }
}

/** What cloudflared may know of our environment: none of our secrets. TUNNEL_… are settings of its own. */
function ownEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => /^(PATH|HOME|LANG|TZ|SSL_CERT_(FILE|DIR)|(HTTPS?|NO)_PROXY|TUNNEL_.*|CLOUDFLARED_.*)$/i.test(name)));
}

/** Whether a process with this number runs a tunnel with this configuration. A dead one that nobody has waited for has no command line. */
function isOurs(pid: number, configFile: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(configFile);
  } catch {
    return false;
  }
}

function labelled(pidFile: string): readonly number[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && hasLabel(Number(name), pidFile)).map(Number);
  } catch {
    return [];
  }
}

/** Only processes of the same user show their environment; a dead one has none. */
function hasLabel(pid: number, pidFile: string): boolean {
  try {
    return pid > 0 && readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${LABEL}=${pidFile}`);
  } catch {
    return false;
  }
}
