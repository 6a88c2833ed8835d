import { createHash } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentStore } from '#content/content-store.js';
import type { ArchiveLimits } from '#content/archive-rules.js';
import { placeholderPage } from '#content/placeholder.js';
import { reached } from '#contracts/probe.js';
import type { Target } from '#contracts/gen/hostplane/v1/target.js';
import type { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { Refusal } from '#domain/refusal.js';
import { checkedContent } from '../checked-content.js';
import { InTurn } from '../in-turn.js';
import { ProviderError } from '../provider-error.js';
import type { ObservedWorkload, SiteRuntime, WorkloadRemoval } from '../site-runtime.js';
import type { SiteStorage } from '../site-storage.js';
import { specHash } from '../spec-hash.js';
import { FilesStorage } from './files-storage.js';
import { missing, openFolder, Releases, STAGING, syncFolder, type ReleaseSource } from './releases.js';
import { readRecord, SeenRecords, writeRecord, type SiteRecord } from './site-record.js';

const KEPT_RELEASES = 3;
/** Sites that are looked at together: a look at each of thousands, one by one, costs more in waiting than in looking. */
const ABREAST = 32;
const REMOVING = '.removing-';

export interface FilesRuntimeOptions {
  /** Where sites are laid out, `<site id>/current` each; the edge's process must be able to reach it. */
  readonly sitesFolder: string;
  readonly content: ContentStore;
  /** Name of this plane; a site's folder that bears another is not touched. */
  readonly plane: string;
  readonly limits?: ArchiveLimits;
}

/**
 * Static sites as folders that the edge serves by itself. Power is only recorded: the edge's route answers for a stopped site.
 * The last three releases stay; a process that is killed leaves at most staging folders, which the next ensure or remove takes away.
 */
export class FilesRuntime implements SiteRuntime {
  readonly name = 'files';
  readonly features = { kinds: ['static'], addresses: false, installs: false } as const;
  readonly storage: SiteStorage;
  private readonly turns = new InTurn();
  private readonly records = new SeenRecords();

  constructor(private readonly options: FilesRuntimeOptions) {
    this.storage = new FilesStorage(options);
  }

  async removeHome(projectId: string, signal?: AbortSignal): Promise<void> {
    const inIt = (await this.list(signal)).filter((w) => w.projectId === projectId);
    if (inIt.length > 0) throw new ProviderError(`The project ${projectId} still has ${inIt.length} site(s) here: remove them first.`, false);
  }

  async ensure(spec: WorkloadSpec, signal?: AbortSignal): Promise<Target> {
    if (spec.kind !== 'static') throw new ProviderError(`A site of kind "${spec.kind}" cannot run as files: choose the docker runtime.`, false);
    return this.inTurn(spec.siteId, signal, () => this.ensureAlone(spec, signal));
  }

  async remove(site: WorkloadRemoval, signal?: AbortSignal): Promise<void> {
    await this.inTurn(site.siteId, signal, () => this.removeAlone(site.siteId, site.keepData));
  }

  async observe(siteId: string, signal?: AbortSignal): Promise<ObservedWorkload | undefined> {
    return this.worldly(signal, async () => {
      const folder = this.folderOf(siteId);
      const record = await this.records.of(folder);
      if (record?.plane !== this.options.plane || record.removed) return undefined;
      const served = await new Releases(folder).served();
      const { projectId, power, specHash: hash } = record;
      return { siteId, projectId, power, healthy: hash !== '' && served === record.releases[0], specHash: hash, target: targetOf(siteId) };
    });
  }

  async list(signal?: AbortSignal): Promise<readonly ObservedWorkload[]> {
    const names = await this.worldly(signal, async () => (await readdir(this.options.sitesFolder).catch(missing)) ?? []);
    const [ids, found]: [string[], ObservedWorkload[]] = [names.filter(isId), []];
    for (let at = 0; at < ids.length; at += ABREAST) {
      const observed = await Promise.all(ids.slice(at, at + ABREAST).map((siteId) => this.observe(siteId, signal)));
      found.push(...observed.filter((one) => one !== undefined));
    }
    return found;
  }

  private async ensureAlone(spec: WorkloadSpec, signal: AbortSignal | undefined): Promise<Target> {
    const folder = this.folderOf(spec.siteId);
    const record = await this.claim(folder, spec);
    const wanted = specHash(spec);
    const name = releaseName(spec);
    const power = spec.power === 'stopped' ? 'stopped' : 'running';
    const site = new Releases(folder);
    const measure = record.measures?.[name];
    if (record.specHash === wanted && record.releases[0] === name && (await site.served()) === name && (await site.isWhole(name, measure))) {
      if (record.power !== power) await writeRecord(folder, { ...record, power });
      await site.keepOnly(record.releases);
      return targetOf(spec.siteId);
    }
    await site.serve(name, () => this.sourceOf(spec), measure);
    signal?.throwIfAborted();
    const releases = [name, ...record.releases.filter((r) => r !== name)].slice(0, KEPT_RELEASES);
    const measures = Object.fromEntries(Object.entries({ ...record.measures, [name]: measure ?? (await site.measure(name)) }).filter(([known]) => releases.includes(known)));
    const { removed: _, ...kept } = record;
    await writeRecord(folder, { ...kept, projectId: spec.projectId, power, specHash: wanted, releases, measures });
    await site.keepOnly(releases);
    return targetOf(spec.siteId);
  }

  /** Marks the site's folder as ours before anything is put into it. */
  private async claim(folder: string, spec: WorkloadSpec): Promise<SiteRecord> {
    const found = await readRecord(folder);
    if (found && found.plane !== this.options.plane) throw new ProviderError(`The folder of site ${spec.siteId} belongs to the plane "${found.plane}".`, false);
    if (found) return found;
    reached('files:claim');
    await openFolder(this.options.sitesFolder);
    await openFolder(folder);
    const { siteId, projectId } = spec;
    const record: SiteRecord = { plane: this.options.plane, siteId, projectId, power: 'stopped', specHash: '', releases: [] };
    await writeRecord(folder, record);
    await syncFolder(this.options.sitesFolder);
    return record;
  }

  private async sourceOf(spec: WorkloadSpec): Promise<ReleaseSource> {
    if (!spec.content) return { placeholderFor: spec.name };
    return { archivePath: await checkedContent(this.options.content, spec.content), limits: this.options.limits };
  }

  private async removeAlone(siteId: string, keepData: boolean): Promise<void> {
    const folder = this.folderOf(siteId);
    const aside = join(this.options.sitesFolder, REMOVING + siteId);
    const record = await readRecord(folder);
    if (record && record.plane !== this.options.plane) return;
    if (record && keepData) {
      reached('files:unlink');
      await rm(join(folder, 'current'), { force: true });
      await writeRecord(folder, { ...record, specHash: '', removed: true });
      await new Releases(folder).keepOnly(record.releases);
      return;
    }
    reached('files:remove');
    if (record || (await onlyHalfMade(folder))) await rename(folder, aside).catch(missing);
    reached('files:delete');
    await rm(aside, { recursive: true, force: true });
  }

  private folderOf(siteId: string): string {
    if (!isId(siteId)) throw new ProviderError(`"${siteId}" cannot be the id of a site.`, false);
    return join(this.options.sitesFolder, siteId);
  }

  private inTurn<T>(siteId: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.turns.run(siteId, () => this.worldly(signal, work));
  }

  /** What the disk or the archive does wrong becomes a ProviderError; what we do wrong stays as it is. */
  private async worldly<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      signal?.throwIfAborted();
      return await work();
    } catch (error) {
      if (signal?.aborted) throw new ProviderError('The work was called off before it was done.', true, { cause: error });
      if (error instanceof Refusal) throw new ProviderError(error.message, false, { cause: error });
      const { code, message, syscall } = error as NodeJS.ErrnoException;
      if (syscall === undefined) throw error;
      const advice = code === 'ENOSPC' ? 'The disk of the sites folder is full' : 'The sites folder cannot be written or read';
      throw new ProviderError(`${advice} (${message}).`, code !== 'EACCES' && code !== 'EROFS', { cause: error });
    }
  }
}

/** A release's name stands for its content: the release's id, and the beginning of the content's sha256. */
function releaseName(spec: WorkloadSpec): string {
  if (!spec.content) return `placeholder-${createHash('sha256').update(placeholderPage(spec.name)).digest('hex').slice(0, 12)}`;
  const name = `${spec.releaseId}-${spec.content.sha256.slice(0, 12)}`;
  if (!isId(spec.releaseId)) throw new ProviderError(`"${spec.releaseId}" cannot be the id of a release.`, false);
  return name;
}

function targetOf(siteId: string): Target {
  return { address: '', port: 0, root: `${siteId}/current` };
}

function isId(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/.test(name);
}

/** A folder without a record is ours only if nothing but our own unfinished things is in it. */
async function onlyHalfMade(folder: string): Promise<boolean> {
  if ((await stat(folder).catch(missing)) === undefined) return false;
  return (await readdir(folder)).every((name) => name.startsWith(STAGING));
}
