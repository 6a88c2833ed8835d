import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { packBackup, readBackup, type BackupManifest, type BackupPart } from '#content/backup-archive.js';
import type { ContentStore } from '#content/content-store.js';
import type { BackupRef } from '#contracts/gen/hostplane/v1/backup.js';
import { WorkloadSpec } from '#contracts/gen/hostplane/v1/workload.js';
import { reached } from '#contracts/probe.js';
import { Refusal } from '#domain/refusal.js';
import type { BackupTarget } from '#providers/backup-target.js';
import { checkedContent } from '#providers/checked-content.js';
import { ProviderError } from '#providers/provider-error.js';
import type { SiteRuntime } from '#providers/site-runtime.js';
import type { BackupTargets } from './backup-targets.module.js';
import { Measured } from './measured.js';
import type { Progress } from './progress.js';
import type { SiteDatabase } from './site-databases.js';

/** A site, and what its data is in. */
export interface SiteData {
  readonly spec: WorkloadSpec;
  readonly runtime: SiteRuntime;
  readonly database?: Pick<SiteDatabase, 'export' | 'import'>;
}

export interface Taken {
  readonly ref: BackupRef;
  readonly durationMs: number;
  readonly frozenMs: number;
}

/** Takes backups of this host's sites, and brings them back. What it needs on the way is in a folder of its own, and gone afterwards. */
export class Backups {
  constructor(
    private readonly targets: BackupTargets,
    private readonly content: ContentStore,
    private readonly scratch: string,
  ) {}

  /** Forgets what a process that was killed had under way; what is asked for again begins anew. */
  async forgetUnfinished(): Promise<void> {
    await rm(this.scratch, { recursive: true, force: true });
  }

  /**
   * The site's data is copied aside while the site stands still, and sent from there while it goes on: a slow storage keeps no visitor waiting.
   */
  async take(site: SiteData, backupId: string, progress: Progress, signal?: AbortSignal): Promise<Taken> {
    const since = performance.now();
    const { spec } = site;
    const [target] = this.targets;
    const key = keyOf(spec, backupId);
    // A storage that is away, or refuses, is found out before the site stands still for it.
    await target.list(key, signal);
    return this.aside(`take-${backupId}`, async (folder) => {
      const { parts, files, frozenMs } = await this.read(site, folder, progress, signal);
      reached('backup:read');
      const measured = new Measured((bytes) => progress.at('storing', bytes));
      const sending = pipeline(packBackup(manifestOf(backupId, spec, parts), files), measured).catch(() => undefined);
      await target.put(key, measured, signal);
      await sending;
      const ref = { backupId, target: target.name, key, sha256: measured.sha256(), sizeBytes: measured.bytes };
      return { ref, durationMs: Math.round(performance.now() - since), frozenMs };
    });
  }

  /** Fetches a backup whole, checks it, and only then unpacks it, under the spec's data id. */
  async restore({ runtime, spec, database }: SiteData, ref: BackupRef, progress: Progress, signal?: AbortSignal): Promise<void> {
    await this.aside(`restore-${spec.siteId}`, async (folder) => {
      const file = join(folder, 'backup.tar');
      await this.fetch(ref, file, progress, signal);
      reached('backup:fetched');
      let isFilled = false;
      for await (const { part, bytes } of readBackup(createReadStream(file))) {
        progress.at('unpacking', 0);
        if (part.kind === 'content') await this.putContent(part, bytes, signal);
        else if (part.kind === 'tree') await storageOf(runtime, spec).importTree(spec, part.path ?? '', bytes, signal);
        else {
          if (!database) throw new ProviderError('The backup holds a database, and the site has none.', false);
          await database.import(bytes, signal);
          isFilled = true;
        }
      }
      if (database && !isFilled) throw new ProviderError('The backup holds no database, and the site needs one.', false);
    });
  }

  /** Removes a backup from one target, or from wherever it is. */
  async remove({ projectId, siteId }: Pick<WorkloadSpec, 'projectId' | 'siteId'>, backupId: string, target: string, signal?: AbortSignal): Promise<void> {
    for (const one of target === '' ? this.targets : [this.target(target)]) await one.remove(keyOf({ projectId, siteId }, backupId), signal);
  }

  /** Copies a site's data of one moment into the folder. */
  private async read({ runtime, spec, database }: SiteData, folder: string, progress: Progress, signal?: AbortSignal): Promise<{ parts: BackupPart[]; files: Map<string, string>; frozenMs: number }> {
    const parts: BackupPart[] = [];
    const files = new Map<string, string>();
    const copy = async (part: BackupPart, bytes: Readable): Promise<void> => {
      const file = join(folder, String(parts.length));
      await pipeline(bytes, new Measured((read) => progress.at('reading', read)), createWriteStream(file, { mode: 0o600 }), { signal });
      files.set(add(parts, part), file);
    };
    if (spec.content) files.set(add(parts, { name: `content/${spec.content.sha256}`, kind: 'content', sha256: spec.content.sha256 }), await checkedContent(this.content, spec.content));
    const tree = (path: string, tar: Readable) => copy({ name: `data/${parts.length}.tar`, kind: 'tree', path }, tar);
    const also = database && (() => database.export((sql) => copy({ name: 'database.sql', kind: 'database' }, sql), signal));
    return { parts, files, frozenMs: await storageOf(runtime, spec).exportData(spec, tree, signal, also) };
  }

  private async fetch({ backupId, target, key, sha256 }: BackupRef, file: string, progress: Progress, signal?: AbortSignal): Promise<void> {
    const stream = await this.target(target).get(key, signal);
    if (!stream) throw new ProviderError(`The backup ${backupId} is not where it was stored (${target}, ${key}). Nothing was changed.`, false);
    const measured = new Measured((bytes) => progress.at('fetching', bytes));
    await pipeline(stream, measured, createWriteStream(file, { mode: 0o600 }), { signal }).catch((error: Error) => {
      throw new ProviderError(`The backup ${backupId} could not be fetched: ${error.message}.`, true, { cause: error });
    });
    const found = measured.sha256();
    if (found !== sha256) throw new ProviderError(`The backup ${backupId} is damaged: its sha256 is ${found}, and ${sha256} was recorded when it was taken. Nothing was changed.`, false);
  }

  private async putContent(part: BackupPart, bytes: Readable, signal?: AbortSignal): Promise<void> {
    const { sha256 } = await this.content.put(bytes, { maxBytes: Infinity, ...(signal && { signal }) });
    if (sha256 !== part.sha256) throw new ProviderError(`The content ${part.sha256} in the backup is damaged. Nothing was changed.`, false);
  }

  private target(name: string): BackupTarget {
    const found = this.targets.find((target) => target.name === name);
    if (!found) throw new ProviderError(`The backup is on "${name}", which this host is not configured for any more: set HOSTPLANE_BACKUP_S3_BUCKET and what belongs to it.`, false);
    return found;
  }

  /** Does the work with a folder for nobody else, empty at first, and gone at the end. */
  private async aside<T>(name: string, work: (folder: string) => Promise<T>): Promise<T> {
    const folder = join(this.scratch, name);
    try {
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return await work(folder);
    } catch (error) {
      throw asProviderError(error);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

function storageOf(runtime: SiteRuntime, spec: WorkloadSpec): NonNullable<SiteRuntime['storage']> {
  if (!runtime.storage) throw new ProviderError(`A site of the kind ${spec.kind} on "${runtime.name}" cannot be backed up or restored yet.`, false);
  return runtime.storage;
}

function add(parts: BackupPart[], part: BackupPart): string {
  parts.push(part);
  return part.name;
}

const keyOf = ({ projectId, siteId }: Pick<WorkloadSpec, 'projectId' | 'siteId'>, backupId: string): string => `${projectId}/${siteId}/${backupId}.tar`;

function manifestOf(backupId: string, spec: WorkloadSpec, parts: readonly BackupPart[]): BackupManifest {
  const { siteId: id, projectId, name, kind, app } = spec;
  const open = WorkloadSpec.toJSON({ ...spec, ...(app && { app: { ...app, env: {}, sealedEnv: [] } }) });
  return { format: 'hostplane-backup', version: 1, backupId, takenAt: new Date().toISOString(), site: { id, projectId, name, kind }, spec: open, parts: [...parts] };
}

function asProviderError(error: unknown): unknown {
  if (error instanceof Refusal) return new ProviderError(`${error.message} Nothing was changed.`, false, { cause: error });
  const { syscall, code, message } = error as NodeJS.ErrnoException;
  if (syscall === undefined) return error;
  return new ProviderError(`${code === 'ENOSPC' ? 'The disk is full' : 'The disk cannot be written or read'} (${message}).`, true, { cause: error as Error });
}
