import { readFile } from 'node:fs/promises';
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

export async function writeRecord(siteFolder: string, record: SiteRecord): Promise<void> {
  reached('files:record');
  await replaceFile(join(siteFolder, FILE), `${JSON.stringify(record, null, 2)}\n`);
  await syncFolder(siteFolder);
}
