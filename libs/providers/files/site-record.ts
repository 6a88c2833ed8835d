import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reached } from '#contracts/probe.js';
import type { Power } from '../site-runtime.js';
import { missing, replaceFile, syncFolder, type Measure } from './releases.js';

/** What the adapter remembers of a site, beside its releases and outside of what is served. */
export interface SiteRecord {
  /** Marks the folder as this plane's: a folder without such a record is nobody's business here. */
  readonly plane: string;
  readonly siteId: string;
  readonly projectId: string;
  readonly power: Power;
  /** Of the spec that serves; empty until there is one. */
  readonly specHash: string;
  /** The newest first: the first serves. */
  readonly releases: readonly string[];
  /** What each release had when it was unpacked; unknown of those that are older than this. */
  readonly measures?: Readonly<Record<string, Measure>>;
  /** Removed with its data kept: nothing serves, the releases are there. */
  readonly removed?: true;
}

const FILE = 'workload.json';

export async function readRecord(siteFolder: string): Promise<SiteRecord | undefined> {
  const text = await readFile(join(siteFolder, FILE), 'utf8').catch(missing);
  return text === undefined ? undefined : (JSON.parse(text) as SiteRecord);
}

/** Reads records again and again: what has not been replaced since is read once. */
export class SeenRecords {
  private readonly seen = new Map<string, { readonly file: string; readonly record: SiteRecord }>();

  async of(siteFolder: string): Promise<SiteRecord | undefined> {
    const found = await stat(join(siteFolder, FILE), { bigint: true }).catch(missing);
    const file = found && `${found.ino} ${found.mtimeNs} ${found.size}`;
    const known = this.seen.get(siteFolder);
    if (file && known?.file === file) return known.record;
    const record = file ? await readRecord(siteFolder) : undefined;
    if (file && record) this.seen.set(siteFolder, { file, record });
    else this.seen.delete(siteFolder);
    return record;
  }
}

export async function writeRecord(siteFolder: string, record: SiteRecord): Promise<void> {
  reached('files:record');
  await replaceFile(join(siteFolder, FILE), `${JSON.stringify(record, null, 2)}\n`);
  await syncFolder(siteFolder);
}
