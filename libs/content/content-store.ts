import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Refusal } from '#domain/refusal.js';

export interface StoredContent {
  /** Hex sha256 of the bytes, which is also their name. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly path: string;
}

/** The disk that holds uploads is full. Nothing was kept; the message is fit for the caller. */
export class ContentStoreFull extends Error {
  override readonly name = 'ContentStoreFull';
}

const INCOMING = '.incoming-';

/** Uploads in one folder, each named by the sha256 of its bytes: stored whole or not at all, and never changed. */
export class ContentStore {
  constructor(private readonly folder: string) {}

  /** Stores what the stream brings, durably. Throws Refusal 'too-large' over `maxBytes`, ContentStoreFull when the disk is; then nothing is left behind. */
  async put(stream: Readable, options: { maxBytes: number; signal?: AbortSignal }): Promise<StoredContent> {
    const incoming = join(this.folder, INCOMING + randomUUID());
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o755 });
      const { sha256, sizeBytes } = await writeDurably(stream, incoming, options);
      const path = this.pathOf(sha256);
      await rename(incoming, path);
      await syncFolder(this.folder);
      return { sha256, sizeBytes, path };
    } catch (error) {
      stream.destroy();
      await rm(incoming, { force: true });
      throw isFull(error) ? new ContentStoreFull('The disk that holds uploads is full: nothing was stored. Free some space, then upload again.', { cause: error }) : error;
    }
  }

  pathOf(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error(`"${sha256}" is not a hex sha256.`);
    return join(this.folder, sha256);
  }

  async has(sha256: string): Promise<boolean> {
    const found = await stat(this.pathOf(sha256)).catch(missing);
    return found !== undefined;
  }

  /** The bytes as a stream; rejects with ENOENT when they are not here. */
  async open(sha256: string): Promise<ReadStream> {
    const file = await open(this.pathOf(sha256));
    return file.createReadStream();
  }

  /** Whether the bytes are here, and still those that the name promises: 'missing', 'damaged' or 'intact'. Reads them all. */
  async check(sha256: string): Promise<'intact' | 'damaged' | 'missing'> {
    if (!(await this.has(sha256))) return 'missing';
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(this.pathOf(sha256))) hash.update(chunk as Buffer);
    return hash.digest('hex') === sha256 ? 'intact' : 'damaged';
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.pathOf(sha256), { force: true });
  }

  /** Removes what interrupted uploads left behind, where it is older than `olderThanMs`; answers how many. */
  async sweep(olderThanMs = 3_600_000): Promise<number> {
    const names = (await readdir(this.folder).catch(missing)) ?? [];
    let removed = 0;
    for (const name of names.filter((n) => n.startsWith(INCOMING))) {
      const path = join(this.folder, name);
      const found = await stat(path).catch(missing);
      if (!found || Date.now() - found.mtimeMs < olderThanMs) continue;
      await rm(path, { force: true });
      removed++;
    }
    return removed;
  }
}

async function writeDurably(stream: Readable, path: string, { maxBytes, signal }: { maxBytes: number; signal?: AbortSignal }): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(path, 'wx', 0o644);
  try {
    for await (const chunk of signal ? abortable(stream, signal) : stream) {
      const bytes = chunk as Buffer;
      sizeBytes += bytes.length;
      if (sizeBytes > maxBytes) throw new Refusal('too-large', `The upload has more than ${maxBytes} bytes, the most that is allowed.`);
      hash.update(bytes);
      await writeAll(file, bytes);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

async function* abortable(stream: Readable, signal: AbortSignal): AsyncGenerator<unknown> {
  const stop = () => stream.destroy(signal.reason as Error);
  signal.throwIfAborted();
  signal.addEventListener('abort', stop);
  try {
    yield* stream;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
