import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { Refusal } from '#domain/refusal.js';
import { watched, type ArchiveEntry } from './archive-entries.js';
import type { ArchiveLimits } from './archive-rules.js';

/** Headers and padding of one entry: its own, and one or two more where its name is long. */
const OVERHEAD_BYTES = 4096;

/** The entries of a gzipped tar file, read as a stream: each is passed over when it is not opened. */
export async function* readTarGz(path: string, limits: ArchiveLimits): AsyncGenerator<ArchiveEntry> {
  const entries = extract();
  let failure: Error | undefined;
  const raw = pipeline(createReadStream(path), createGunzip(), () => {});
  const unpacking = pipeline(bounded(raw, limits), entries, (error) => {
    failure = error ?? undefined;
  });
  try {
    for await (const entry of entries) {
      const { name, type, size } = entry.header;
      if (!Number.isSafeInteger(size) || size < 0) throw new Refusal('invalid', `The archive is damaged: ${JSON.stringify(name)} has an impossible size.`);
      let opened = false;
      yield { name, kind: kindOf(type), sizeBytes: size, open: async () => ((opened = true), entry as unknown as Readable) };
      if (!opened) entry.resume();
    }
    if (failure) throw failure;
  } catch (error) {
    throw failure ?? error;
  } finally {
    unpacking.destroy();
    raw.destroy();
  }
}

function kindOf(type: string | null | undefined): string {
  if (type === 'file' || type === 'contiguous-file') return 'file';
  if (type === 'directory') return 'folder';
  return { symlink: 'symbolic link', link: 'hard link', fifo: 'named pipe', 'character-device': 'character device', 'block-device': 'block device' }[type ?? ''] ?? 'thing of unknown type';
}

/** Bounds the tar itself: endless headers or padding count too, though no entry shows them. */
function bounded(raw: Readable, limits: ArchiveLimits): Readable {
  const most = limits.maxUnpackedBytes + (limits.maxEntries + 256) * OVERHEAD_BYTES;
  let bytes = 0;
  return watched(raw, (chunk) => {
    bytes += chunk.length;
    if (bytes > most) throw new Refusal('too-large', `The archive unpacks to more than ${limits.maxUnpackedBytes} bytes.`);
  });
}
