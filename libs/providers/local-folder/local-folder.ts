import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { reached } from '#contracts/probe.js';
import { BACKUP_KEY, type BackupTarget, type StoredBackup } from '../backup-target.js';
import { ProviderError } from '../provider-error.js';

/** How unfinished files end; no key can end so, for it holds a tilde. */
const PART = '~part';

/** Backups as files of a folder, for nobody but the process's own user: made aside, flushed to the disk, and renamed when they are whole. */
export class LocalFolder implements BackupTarget {
  readonly name = 'local';

  constructor(private readonly folder: string) {}

  async put(key: string, stream: Readable, signal?: AbortSignal): Promise<void> {
    const path = this.pathOf(key);
    await this.worldly('write', key, async () => {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      try {
        await writeDurably(path + PART, stream, signal);
        reached('backup:rename');
        await rename(path + PART, path);
      } catch (error) {
        await rm(path + PART, { force: true });
        throw error;
      }
      await syncFolder(dirname(path));
    });
  }

  async get(key: string): Promise<Readable | undefined> {
    const path = this.pathOf(key);
    return this.worldly('read', key, async () => {
      const file = await open(path).catch(missing);
      return file?.createReadStream();
    });
  }

  async list(prefix: string): Promise<readonly StoredBackup[]> {
    return this.worldly('list', prefix, async () => {
      const found: StoredBackup[] = [];
      for (const name of (await readdir(this.folder, { recursive: true }).catch(missing)) ?? []) {
        const entry = await stat(join(this.folder, name)).catch(missing);
        if (entry?.isFile() && !name.endsWith(PART) && name.startsWith(prefix)) found.push({ key: name, sizeBytes: entry.size });
      }
      return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    });
  }

  async remove(key: string): Promise<void> {
    const path = this.pathOf(key);
    await this.worldly('remove', key, async () => {
      for (const name of [path + PART, path]) await rm(name, { force: true });
      for (let folder = dirname(path); folder !== this.folder && basename(folder) !== ''; folder = dirname(folder)) {
        if (!(await rmdir(folder).then(() => true, () => false))) break;
      }
    });
  }

  private pathOf(key: string): string {
    if (!BACKUP_KEY.test(key)) throw new ProviderError(`"${key.slice(0, 80)}" cannot be the key of a backup.`, false);
    return join(this.folder, key);
  }

  private async worldly<T>(verb: string, key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { code, message, syscall } = error as NodeJS.ErrnoException;
      if (syscall === undefined) throw error;
      const why = code === 'ENOSPC' || code === 'EDQUOT' ? 'the disk is full' : message;
      throw new ProviderError(`The backup folder ${this.folder} cannot ${verb} ${key}: ${why}.`, !['EACCES', 'EROFS', 'EPERM'].includes(code ?? ''), { cause: error });
    }
  }
}

async function writeDurably(path: string, stream: Readable, signal: AbortSignal | undefined): Promise<void> {
  await rm(path, { force: true });
  await pipeline(stream, createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true }), { signal });
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
