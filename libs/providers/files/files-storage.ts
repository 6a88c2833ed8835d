import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SiteStorage, Volume, VolumeFilter } from '../site-storage.js';
import { missing } from './releases.js';
import { readRecord } from './site-record.js';

/** Sites that are only releases: there is something to measure, and nothing to export that is not in the content store. */
export class FilesStorage implements SiteStorage {
  constructor(private readonly options: { readonly sitesFolder: string; readonly plane: string }) {}

  async volumes({ projectId, role = 'release' }: VolumeFilter): Promise<readonly Volume[]> {
    if (role !== 'release') return [];
    const found: Volume[] = [];
    for (const siteId of (await readdir(this.options.sitesFolder).catch(missing)) ?? []) {
      const folder = join(this.options.sitesFolder, siteId);
      const record = siteId.startsWith('.') ? undefined : await readRecord(folder);
      if (record?.plane !== this.options.plane || (projectId !== undefined && record.projectId !== projectId)) continue;
      found.push({ name: siteId, projectId: record.projectId, dataId: siteId, role: 'release', path: '', bytes: await bytesIn(join(folder, 'releases')) });
    }
    return found;
  }

  async exportData(): Promise<number> {
    return 0;
  }

  async importTree(): Promise<void> {}

  async removeData(): Promise<void> {}

  async thawAll(): Promise<void> {}
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const name of (await readdir(folder, { recursive: true }).catch(missing)) ?? []) {
    const entry = await stat(join(folder, name)).catch(missing);
    if (entry?.isFile()) sum += entry.size;
  }
  return sum;
}
