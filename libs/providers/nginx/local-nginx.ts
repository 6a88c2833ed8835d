import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readdir, readFile, readlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { askVersion } from '../edge/served-version.js';
import { takenPortMessage } from '../edge/taken-port.js';
import { ProviderError } from '../provider-error.js';
import { bindTroubleOf, errorsOf, isTaking, NGINX_ENVIRONMENT, type NginxProcess } from './nginx-process.js';
import { closedFolderOf, closedTo, idsOf, ROOT, servingUser } from './worker-user.js';

const FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/local/nginx/sbin'];
/** The first version with the option -e, so that an ordinary user's nginx does not reach for the system's log. */
const OLDEST = [1, 19, 5] as const;
const RUN_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

/** nginx by the binary of this machine: a daemon that outlives whoever started it and is found again by its pid file. */
export class LocalNginx implements NginxProcess {
  readonly name = 'nginx';
  private binary: Promise<string | undefined> | undefined;

  constructor(
    private readonly settings: EdgeSettings,
    private readonly configured?: string,
  ) {}

  async available(): Promise<true | string> {
    const binary = await this.find();
    if (binary === undefined) return this.configured === undefined ? 'no nginx is installed on this machine' : `there is no program at ${this.configured}`;
    const { output } = await run(binary, ['-v']);
    const version = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(output)?.slice(1).map(Number);
    if (!version) return `${binary} does not tell its version: ${output.trim().slice(0, 200)}`;
    const isOld = version.map((part, i) => part - OLDEST[i]!).find((difference) => difference !== 0) ?? 0;
    return isOld < 0 ? `${binary} is nginx ${version.join('.')}; ${OLDEST.join('.')} or newer is needed` : true;
  }

  async workerIds(): Promise<{ uid: number; gid: number } | undefined> {
    const serving = await this.serving();
    return serving && idsOf(serving.user.name);
  }

  async workerUser(): Promise<{ name: string; group: string } | undefined> {
    const serving = await this.serving();
    if (serving?.reason !== undefined) this.settings.log?.(`nginx serves as root: ${serving.reason}`);
    return serving?.user;
  }

  private async serving(): Promise<{ user: { name: string; group: string }; reason?: string } | undefined> {
    if (process.getuid?.() !== 0) return undefined;
    const closed = (await closedFolderOf(this.settings.sitesFolder)) ?? (await closedFolderOf(this.settings.folder));
    const user = closed === undefined ? await servingUser() : undefined;
    if (user) return { user };
    return { user: ROOT, reason: closed === undefined ? 'this machine has no user for it.' : closedTo(closed) };
  }

  async complaint(configFile: string): Promise<string | undefined> {
    const { code, output } = await this.run('-t', '-q', '-c', configFile);
    return code === 0 ? undefined : errorsOf(output);
  }

  async isRunning(): Promise<boolean> {
    return (await this.master()) !== undefined;
  }

  async start(configFile: string): Promise<void> {
    await this.endOrphans();
    const taken = await takenPortMessage(this.settings);
    if (taken !== undefined) throw new ProviderError(taken, false);
    const { code, output } = await this.run('-c', configFile);
    if (code === 0) return;
    const trouble = bindTroubleOf(output, this.settings);
    if (trouble !== undefined) throw new ProviderError(trouble, false);
    throw new ProviderError(`nginx did not start: ${errorsOf(output)}`, !/\(13: /.test(output));
  }

  async reload(): Promise<void> {
    const master = await this.master();
    if (master === undefined) throw new ProviderError('nginx ended before it could take its new configuration.', true);
    process.kill(master, 'SIGHUP');
  }

  async takingWorkers(): Promise<number | undefined> {
    const master = await this.master();
    const children = await readFile(`/proc/${master}/task/${master}/children`, 'utf8').catch(() => undefined);
    if (children === undefined) return undefined;
    return (await Promise.all(children.split(' ').filter(Boolean).map(Number).map(titleOf))).filter(isTaking).length;
  }

  async stop(): Promise<void> {
    const master = await this.master();
    if (master !== undefined) {
      process.kill(master, 'SIGTERM');
      if (!(await ends(master))) process.kill(master, 'SIGKILL');
    }
    await this.endOrphans();
  }

  /** Workers whose master was killed go on serving and hold the ports: each that answers is asked to leave, if it has this edge's log open. */
  private async endOrphans(): Promise<void> {
    for (let left = 200; left > 0; left--) {
      const version = await askVersion(this.settings);
      if (!version || (await this.isRunning()) || !(await this.isOwnWorker(version.pid))) return;
      kill(version.pid, 'SIGQUIT');
      await sleep(5);
    }
    throw new ProviderError('Workers of an nginx that was killed do not end.', true);
  }

  /** A number that was answered may be that of another process here: a container counts its processes anew. */
  private async isOwnWorker(pid: number): Promise<boolean> {
    if (!(await titleOf(pid)).startsWith('nginx: worker')) return false;
    const files = await openFilesOf(pid);
    // Root of a container may see nothing of other users' processes. A worker that has no master any more, and answers for this plane, is its own all the same.
    if (files === 'hidden') return !(await titleOf(await parentOf(pid))).startsWith('nginx: master');
    return files.includes(join(this.settings.folder, 'error.log'));
  }

  /** The process of this edge's master; a pid file that names another process is not believed. */
  private async master(): Promise<number | undefined> {
    const pid = Number(await readFile(join(this.settings.folder, 'nginx.pid'), 'utf8').catch(() => ''));
    if (!Number.isSafeInteger(pid) || pid <= 1 || !kill(pid, 0)) return undefined;
    const title = await titleOf(pid);
    if (title !== '') return title.startsWith('nginx: master') && title.includes(` -p ${this.settings.folder} -e `) ? pid : undefined;
    return process.platform !== 'linux' && (await askVersion(this.settings)) ? pid : undefined;
  }

  private async run(...args: string[]): Promise<{ code: number; output: string }> {
    const binary = await this.find();
    if (binary === undefined) throw new ProviderError('No nginx is installed on this machine.', false);
    return run(binary, ['-p', this.settings.folder, '-e', join(this.settings.folder, 'error.log'), ...args]);
  }

  private find(): Promise<string | undefined> {
    this.binary ??= this.configured === undefined ? firstProgram([...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), ...FOLDERS].map((folder) => join(folder, 'nginx'))) : firstProgram([this.configured]);
    return this.binary;
  }
}

async function firstProgram(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (await access(path, constants.X_OK).then(() => true, () => false)) return path;
  }
  return undefined;
}

function run(binary: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(binary, args, { timeout: RUN_TIMEOUT_MS, env: NGINX_ENVIRONMENT }, (error, stdout, stderr) => {
      const output = stdout + stderr;
      resolve(error ? { code: typeof error.code === 'number' ? error.code : 1, output: output || error.message } : { code: 0, output });
    });
  });
}

/** Sends a signal; false when there is no such process. */
function kill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function titleOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim();
}

async function openFilesOf(pid: number): Promise<readonly string[] | 'hidden'> {
  const hidden = (error: NodeJS.ErrnoException) => (error.code === 'EACCES' ? ('hidden' as const) : undefined);
  const open = await readdir(`/proc/${pid}/fd`).catch(hidden);
  if (open === 'hidden') return open;
  const files = await Promise.all((open ?? []).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(hidden)));
  return files.includes('hidden') ? 'hidden' : files.flatMap((file) => file ?? []);
}

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1]);
}

async function ends(pid: number): Promise<boolean> {
  for (const deadline = Date.now() + STOP_TIMEOUT_MS; Date.now() < deadline; await sleep(10)) {
    if (!kill(pid, 0) || (process.platform === 'linux' && (await titleOf(pid)) === '')) return true;
  }
  return false;
}
