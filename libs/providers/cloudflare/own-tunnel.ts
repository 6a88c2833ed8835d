import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reached } from '#contracts/probe.js';
import { ProviderError } from '../provider-error.js';
import { writeWhole } from '../write-whole.js';
import { endWhile, hasLabel, LABEL, labelled } from './labelled-process.js';
import { metricsPair } from './tunnel-metrics.js';
import type { StartedTunnel, TunnelProcess } from './tunnel-process.js';

const WORDS = 600;

/** The one that leads visitors. */
interface Kept {
  readonly pid: number;
  readonly metrics: string;
}

/**
 * Run by us. It goes on when this process dies, so that visitors are led on: the next one finds it by its label and the number that it left. Another configuration is another
 * process beside it (a tunnel may have several: https://developers.cloudflare.com/tunnel/configuration/#replicas), which takes its place once it is up: nobody finds the tunnel closed.
 */
export class OwnTunnel implements TunnelProcess {
  constructor(
    private readonly command: string,
    /** Where number and metrics address of the one that leads visitors are kept. */
    private readonly pidFile: string,
    /** Host and port of its metrics. The port after it is the next one's, and so on in turn. */
    private readonly firstMetrics: string,
    private readonly tell: (line: string) => void,
  ) {}

  get metrics(): string {
    return this.kept()?.metrics ?? this.firstMetrics;
  }

  async begin(configFile: string): Promise<StartedTunnel> {
    await this.settle();
    const [first, second] = metricsPair(this.firstMetrics);
    const metrics = this.kept()?.metrics === first ? second : first;
    const { child, said } = await this.spawned(configFile, metrics);
    reached('tunnel:spawned');
    return {
      metrics,
      ended: async () => (child.exitCode === null && child.signalCode === null ? undefined : said() || `it ended with ${child.signalCode ?? `code ${child.exitCode}`}.`),
      keep: async () => {
        await mkdir(dirname(this.pidFile), { recursive: true });
        await writeWhole(this.pidFile, `${child.pid} ${metrics}\n`, 0o600);
        reached('tunnel:kept');
        await this.settle();
      },
      drop: () => this.settle(),
    };
  }

  async settle(): Promise<void> {
    await this.endAllBut(this.kept()?.pid);
  }

  async stop(): Promise<void> {
    await this.endAllBut(undefined);
    await rm(this.pidFile, { force: true });
  }

  private async spawned(configFile: string, metrics: string): Promise<{ child: ChildProcess; said(): string }> {
    const [file = '', ...args] = this.command.split(/\s+/);
    const child = spawn(file, [...args, 'tunnel', '--config', configFile, '--metrics', metrics, 'run'], { env: { ...ownEnvironment(process.env), [LABEL]: this.pidFile }, stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    child.unref();
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4 * WORDS);
    });
    child.once('exit', (code, signal) => this.tell(`cloudflared has ended (${signal ?? `code ${code}`}).`));
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error as Error))]).catch((error: Error) => {
      throw new ProviderError(`"${file}" (HOSTPLANE_TUNNEL_COMMAND) cannot be run: ${error.message}. Install cloudflared, or set the path to it.`, false, { cause: error });
    });
    return { child, said: () => said.trim().split('\n').slice(-4).join(' ').slice(0, WORDS) };
  }

  private async endAllBut(pid: number | undefined): Promise<void> {
    for (const one of labelled(this.pidFile)) if (one !== pid) await endWhile((left) => hasLabel(left, this.pidFile), one);
  }

  /** Undefined when it is no more: its number may be another process' since. */
  private kept(): Kept | undefined {
    const [, pid, metrics] = /^(\d+) (\S+)$/.exec(read(this.pidFile)) ?? [];
    return pid !== undefined && metrics !== undefined && hasLabel(Number(pid), this.pidFile) ? { pid: Number(pid), metrics } : undefined;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** What cloudflared may know of our environment: none of our secrets. TUNNEL_… are settings of its own; where it tells how it is, is ours to say. */
function ownEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => name !== 'TUNNEL_METRICS' && /^(PATH|HOME|LANG|TZ|SSL_CERT_(FILE|DIR)|(HTTPS?|NO)_PROXY|TUNNEL_.*|CLOUDFLARED_.*)$/i.test(name)));
}
