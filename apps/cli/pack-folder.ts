import { createReadStream, openAsBlob } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import type { Body } from '#api/client.js';
import { UsageError } from './exit-codes.js';

const IGNORED = new Set(['.git', 'node_modules', '.DS_Store']);

export interface Archive {
  readonly contentType: string;
  /** The bytes from the beginning, the same each time. */
  readonly open: () => Body;
}

/** What is to be published: a folder is packed on the way, a file is sent as it is. */
export async function archiveOf(path: string, note: (line: string) => void): Promise<Archive> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new UsageError(`There is no file or folder ${path}.`);
  if (found.isDirectory()) {
    const files = await listFiles(path, note);
    if (files.length === 0) throw new UsageError(`The folder ${path} holds no files.`);
    return { contentType: 'application/gzip', open: () => Readable.toWeb(packFolder(path, files)) as Body };
  }
  const blob = await openAsBlob(path);
  return { contentType: path.endsWith('.zip') ? 'application/zip' : 'application/octet-stream', open: () => blob };
}

/** Files below the folder, relative, sorted; links are left out and named in a note. */
export async function listFiles(folder: string, note: (line: string) => void, below = ''): Promise<string[]> {
  const files: string[] = [];
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below ? `${below}/${entry.name}` : entry.name;
    if (IGNORED.has(entry.name)) continue;
    if (entry.isDirectory()) files.push(...(await listFiles(folder, note, path)));
    else if (entry.isFile()) files.push(path);
    else note(`Left out: ${path} is a link or not a file.`);
  }
  return files;
}

/** The files as a tar.gz. The same files give the same bytes, so that an upload that is sent again is known to be the same. */
export function packFolder(folder: string, files: readonly string[]): Readable {
  const tar = pack();
  const gzip = createGzip();
  tar.on('error', (error) => gzip.destroy(error));
  tar.pipe(gzip);
  addAll(tar, folder, files).catch((error: Error) => tar.destroy(error));
  return gzip;
}

async function addAll(tar: Pack, folder: string, files: readonly string[]): Promise<void> {
  for (const name of files) {
    const path = join(folder, name);
    const { size, mtime } = await lstat(path);
    const entry = tar.entry({ name, size, mtime, mode: 0o644 });
    // A file that grows while it is read would break the archive: it is cut at the size that was announced.
    await pipeline(size === 0 ? Readable.from([]) : createReadStream(path, { end: size - 1 }), entry);
  }
  tar.finalize();
}
