import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reached } from '#contracts/probe.js';
import { ProviderError } from '../provider-error.js';
import type { AppliedTunnel, TunnelProvider, TunnelTable } from '../tunnel.js';
import { writeWhole } from '../write-whole.js';
import type { StartedTunnel, TunnelProcess } from './tunnel-process.js';
import { askTunnel } from './tunnel-metrics.js';
import { areSameRules, hostnamesOf, isOurFile, renderFile, rulesOfFile, type LocalTunnel as Settings } from './tunnel-config.js';

export interface LocalTunnelOptions extends Settings {
  /** Where cloudflared's config.yml is. The last one that came up is kept beside it. */
  readonly configFile: string;
  /** How long a configuration may take to come up. */
  readonly readyWithinMs: number;
}

const LOOK_MS = 100;

/** A tunnel by a cloudflared of this host: it reads its file when it starts, so each change is a start that is confirmed by what it says of itself. */
export class LocalTunnel implements TunnelProvider {
  readonly name = 'local';
  readonly id: string;
  private revision = 0;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly options: LocalTunnelOptions,
    private readonly process: TunnelProcess,
    private readonly tell: (line: string) => void = () => undefined,
  ) {
    this.id = options.id;
  }

  start(): Promise<void> {
    return this.alone(async () => {
      await this.process.settle();
      const file = await this.read(this.options.configFile);
      const good = await this.read(this.goodFile);
      const text = good ?? (file !== undefined && isOurFile(file) ? file : undefined);
      // What was written and never came up, before a crash, is not started again.
      if (text === undefined || (text === file && (await this.isUp(text)))) return;
      await this.mayWrite();
      await this.bringUp(text);
    });
  }

  apply(table: TunnelTable): Promise<AppliedTunnel> {
    return this.alone(async () => {
      const text = renderFile(table, this.options);
      const hostnames = hostnamesOf(rulesOfFile(text), this.options);
      const good = await this.read(this.goodFile);
      if (table.revision < this.revision && good !== undefined) return { hostnames: hostnamesOf(rulesOfFile(good), this.options) };
      await this.mayWrite();
      const isThere = good === text && (await this.read(this.options.configFile)) === text && (await this.isUp(text));
      if (!isThere) await this.replace(text, good);
      this.revision = table.revision;
      return { hostnames };
    });
  }

  async served(): Promise<AppliedTunnel | undefined> {
    const said = await askTunnel(this.process.metrics);
    return said?.isReady ? { hostnames: hostnamesOf(said.rules, this.options) } : undefined;
  }

  stop(): Promise<void> {
    return this.alone(() => this.process.stop());
  }

  private get goodFile(): string {
    return `${this.options.configFile}.good`;
  }

  private alone<T>(run: () => Promise<T>): Promise<T> {
    const result = this.tail.then(run);
    this.tail = result.catch(() => undefined);
    return result;
  }

  /** Puts a configuration in place; one that does not come up gives way to the last that did. */
  private async replace(text: string, good: string | undefined): Promise<void> {
    try {
      await this.bringUp(text);
    } catch (error) {
      reached('tunnel:roll-back');
      if (good === undefined) await Promise.all([this.process.stop(), rm(this.options.configFile, { force: true })]);
      else await this.goBackTo(good);
      throw error;
    }
  }

  /** The one that has led visitors goes on, if it can run beside another one; it need not be connected. */
  private async goBackTo(good: string): Promise<void> {
    await writeWhole(this.options.configFile, good, 0o600);
    const said = await askTunnel(this.process.metrics);
    if (said && areSameRules(said.rules, rulesOfFile(good))) return;
    await this.bringUp(good).catch((worse: unknown) => this.tell(`The tunnel ${this.id} does not come up with its last configuration either: ${(worse as Error).message}`));
  }

  private async bringUp(text: string): Promise<void> {
    await mkdir(dirname(this.options.configFile), { recursive: true });
    reached('tunnel:write');
    await writeWhole(this.options.configFile, text, 0o600);
    reached('tunnel:restart');
    const started = await this.process.begin(this.options.configFile);
    reached('tunnel:restarted');
    await this.confirm(started, text).catch(async (error: unknown) => {
      await started.drop();
      throw error;
    });
    await writeWhole(this.goodFile, text, 0o600);
    reached('tunnel:good');
    await started.keep();
  }

  private async confirm(started: StartedTunnel, text: string): Promise<void> {
    for (const end = Date.now() + this.options.readyWithinMs; Date.now() < end; await sleep(LOOK_MS)) {
      if (await this.isUp(text, started.metrics)) return;
      const why = await started.ended();
      if (why !== undefined) throw new ProviderError(`cloudflared does not take the tunnel's configuration: ${why}`, false);
    }
    throw new ProviderError(`The tunnel ${this.id} did not come up with its new configuration within ${this.options.readyWithinMs / 1000} s; it has the last one that did.`, true);
  }

  /** Asked of cloudflared itself: it is connected, and has the rules of this very file. */
  private async isUp(text: string, metrics = this.process.metrics): Promise<boolean> {
    const said = await askTunnel(metrics);
    return said?.isReady === true && areSameRules(said.rules, rulesOfFile(text));
  }

  private async mayWrite(): Promise<void> {
    const there = await this.read(this.options.configFile);
    if (there === undefined || isOurFile(there)) return;
    throw new ProviderError(`${this.options.configFile} is a configuration that this plane did not write and does not replace: move it away, or set HOSTPLANE_TUNNEL_CONFIG to another file.`, false);
  }

  private read(file: string): Promise<string | undefined> {
    return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw new ProviderError(`${file} cannot be read: ${error.message}`, false, { cause: error });
    });
  }
}
