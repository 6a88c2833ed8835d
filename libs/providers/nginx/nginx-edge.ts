import { chown, mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { reached } from '#contracts/probe.js';
import type { AppliedEdge, EdgeProvider, RouteTable } from '../edge.js';
import { ApplyQueue } from '../edge/apply-queue.js';
import { ensureCertificate, type CertificateFiles as OwnCertificate } from '../edge/certificate.js';
import { CertificateFiles, type Reader } from '../edge/certificate-files.js';
import type { EdgeSettings } from '../edge/edge-settings.js';
import { ProofFiles } from '../edge/proof-files.js';
import { askVersion } from '../edge/served-version.js';
import { ProviderError } from '../provider-error.js';
import { ErrorLog } from './error-log.js';
import { Generations } from './generations.js';
import { bindTroubleOf, errorsOf, type NginxProcess } from './nginx-process.js';
import { render, type RenderSettings, type RenderedConfig } from './render.js';

const CONFIRM_TIMEOUT_MS = 15_000;
const POLL_MS = 5;
/** Where workers cannot be seen: nginx lets the older ones leave 100 ms after the newer have begun. */
const UNSEEN_LEAVE_MS = 300;
/** More than these bring nothing for a proxy on one machine, and each costs memory at every reload. */
const WORKERS = Math.min(availableParallelism(), 8);
const EMPTY: RouteTable = { revision: 0, routes: [] };

/**
 * An edge by nginx. A table becomes a generation on disk that nginx checks before the link `current` points at it, and `apply` returns when the
 * new generation answers and no worker of another one takes requests. Known limit: a request that a visitor sends on an idle kept-alive connection in
 * the instant of a reload may find it closed; HTTP clients send it again by themselves (RFC 9112, 9.3.1).
 */
export class NginxEdge implements EdgeProvider {
  readonly name: string;
  readonly features = { proxyProtocol: true };
  readonly certificates: CertificateFiles;
  readonly proofs: ProofFiles;
  private readonly generations: Generations;
  private readonly errors: ErrorLog;
  private readonly queue = new ApplyQueue((table) => this.replace(table));
  private settled: RenderSettings | undefined;
  private reader: Promise<Reader | undefined> | undefined;

  constructor(
    private readonly settings: EdgeSettings,
    private readonly process: NginxProcess,
    private readonly confirmTimeoutMs = CONFIRM_TIMEOUT_MS,
  ) {
    this.name = process.name;
    this.certificates = new CertificateFiles(join(settings.folder, 'tls'), () => this.workers());
    this.proofs = new ProofFiles(join(settings.folder, 'proofs'));
    this.generations = new Generations(settings.folder);
    this.errors = new ErrorLog(join(settings.folder, 'error.log'));
  }

  /** Whether it can be run on this machine; else the reason, as half a sentence. */
  available(): Promise<true | string> {
    return this.process.available();
  }

  start(): Promise<void> {
    return this.queue.alone(() => this.restore());
  }

  apply(table: RouteTable): Promise<AppliedEdge> {
    return this.queue.apply(table);
  }

  async served(): Promise<AppliedEdge | undefined> {
    const version = await askVersion(this.settings);
    return version && { revision: version.revision, configHash: version.configHash };
  }

  async rendering(): Promise<Readonly<Record<string, unknown>>> {
    return { ...(await this.renderSettings()) };
  }

  stop(): Promise<void> {
    return this.queue.alone(() => this.process.stop());
  }

  /** Brings up the newest generation that nginx accepts, rendered anew: settings may have changed since, and the files may have been harmed. */
  private async restore(): Promise<void> {
    await this.prepare();
    const current = await this.generations.current();
    const older = (await this.generations.list()).filter((generation) => current === undefined || generation < current);
    for (const generation of current === undefined ? older : [current, ...older]) {
      const table = await this.generations.table(generation);
      if (!table) {
        this.settings.log?.(`The edge's generation ${generation} cannot be read: an older one is taken.`);
        continue;
      }
      try {
        await this.put(table);
        return;
      } catch (error) {
        if (!(error instanceof RefusedConfig)) throw error;
        this.settings.log?.(`The edge's generation ${generation} is refused: an older one is taken. ${error.message}`);
      }
    }
    await this.put(EMPTY);
  }

  private async replace(table: RouteTable): Promise<AppliedEdge> {
    const served = await this.served();
    if (served && served.revision > table.revision) return served;
    await this.prepare();
    return this.put(table);
  }

  private async put(table: RouteTable): Promise<AppliedEdge> {
    const config = render(table, await this.renderSettings());
    const applied = { revision: table.revision, configHash: config.configHash };
    const before = await this.generations.current();
    const isSame = before !== undefined && (await this.generations.holds(before, config));
    if (isSame && (await this.process.isRunning()) && (await this.isSettled(applied))) return applied;
    const generation = isSame ? before : await this.stage(table, config);
    reached('nginx:test');
    const complaint = await this.process.complaint(this.generations.configFileOf(generation));
    if (complaint !== undefined) {
      if (!isSame) await this.generations.drop(generation);
      const trouble = bindTroubleOf(complaint, this.settings);
      if (trouble !== undefined) throw new ProviderError(trouble, false);
      throw new RefusedConfig(`nginx refuses the configuration of revision ${table.revision}: ${complaint}`, false);
    }
    await this.switchTo(generation, before, applied);
    await this.generations.prune();
    return applied;
  }

  private stage(table: RouteTable, config: RenderedConfig): Promise<number> {
    reached('nginx:stage');
    return this.generations.stage(table, config);
  }

  private async switchTo(generation: number, before: number | undefined, applied: AppliedEdge): Promise<void> {
    const wasRunning = await this.process.isRunning();
    reached('nginx:swap');
    await this.generations.point(generation);
    try {
      await this.errors.mark();
      await (wasRunning ? this.reload() : this.begin());
      reached('nginx:confirm');
      await this.confirm(applied);
    } catch (error) {
      if (before !== undefined) await this.generations.point(before);
      if (!wasRunning) await this.process.stop();
      else if (await this.process.isRunning()) await this.process.reload();
      throw error;
    }
  }

  private begin(): Promise<void> {
    reached('nginx:start');
    return this.process.start(this.generations.configFile);
  }

  private reload(): Promise<void> {
    reached('nginx:reload');
    return this.process.reload();
  }

  /** Asked twice: the list of workers may miss one in the instant when another ends. */
  private async confirm(applied: AppliedEdge): Promise<void> {
    for (const deadline = Date.now() + this.confirmTimeoutMs; Date.now() < deadline; await sleep(POLL_MS)) {
      if ((await this.isSettled(applied)) && (await this.isSettled(applied))) return;
    }
    const errors = await this.errors.sinceMark();
    const trouble = bindTroubleOf(errors, this.settings);
    if (trouble !== undefined) throw new ProviderError(trouble, false);
    throw new ProviderError(`nginx did not serve revision ${applied.revision} within ${this.confirmTimeoutMs} ms: ${errorsOf(errors) || 'its log says nothing'}`, true);
  }

  /**
   * Whether this generation answers and no other one takes requests. nginx starts all of its new workers before it lets the older ones leave, so that
   * no more than one set of workers means one generation; reloads that follow each other closely have three sets for a while.
   */
  private async isSettled(applied: AppliedEdge): Promise<boolean> {
    const served = await this.served();
    if (served?.revision !== applied.revision || served.configHash !== applied.configHash) return false;
    const taking = await this.process.takingWorkers();
    if (taking === undefined) await sleep(UNSEEN_LEAVE_MS);
    return taking === undefined || taking <= WORKERS;
  }

  private async prepare(): Promise<void> {
    await mkdir(join(this.settings.folder, 'temp'), { recursive: true, mode: 0o755 });
    await mkdir(this.settings.sitesFolder, { recursive: true, mode: 0o755 });
  }

  private async renderSettings(): Promise<RenderSettings> {
    if (!this.settled) {
      const certificate = await ensureCertificate(this.settings.folder, this.settings.baseDomain);
      await this.letWorkersRead(certificate);
      const user = await this.process.workerUser();
      const { log: _, ...settings } = this.settings;
      this.settled = { ...settings, ...certificate, canDefer: process.platform === 'linux', workers: WORKERS, ...(user ? { user } : {}) };
    }
    return this.settled;
  }

  /** A worker opens the certificate that a handshake asks for, the one for all other names too. */
  private async letWorkersRead({ certFile, keyFile }: OwnCertificate): Promise<void> {
    const reader = await this.workers();
    if (reader) for (const file of [certFile, keyFile]) await chown(file, reader.uid, reader.gid);
  }

  private workers(): Promise<Reader | undefined> {
    this.reader ??= this.process.workerIds();
    this.reader.catch(() => (this.reader = undefined));
    return this.reader;
  }
}

/** nginx does not accept what was rendered: the old configuration stays. */
class RefusedConfig extends ProviderError {}
