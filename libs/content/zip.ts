import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { getFileNameLowLevel, openPromise, type Entry, type ZipFile } from 'yauzl';
import { Refusal } from '#domain/refusal.js';
import { watched, type ArchiveEntry } from './archive-entries.js';

/** The entries of a zip file in the order of its directory. */
export async function* readZip(path: string): AsyncGenerator<ArchiveEntry> {
  const zip = await openPromise(path, { decodeStrings: false, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) yield entryOf(zip, entry);
  } finally {
    zip.close();
  }
}

function entryOf(zip: ZipFile, entry: Entry): ArchiveEntry {
  const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true);
  return { name, kind: kindOf(entry, name), sizeBytes: entry.uncompressedSize, open: () => openEntry(zip, entry, name) };
}

/** The upper half of the attributes is the Unix mode where the maker wrote one; its format bits are those of stat(2). */
function kindOf(entry: Entry, name: string): string {
  const format = (entry.externalFileAttributes >>> 28) & 0xf;
  const special: Record<number, string> = { 0x1: 'named pipe', 0x2: 'character device', 0x6: 'block device', 0xa: 'symbolic link', 0xc: 'socket' };
  if (special[format]) return special[format];
  if (format !== 0 && format !== 0x4 && format !== 0x8) return 'thing of unknown type';
  if (name.endsWith('/')) return entry.uncompressedSize === 0 ? 'folder' : 'folder with data of its own';
  return format === 0x4 ? 'folder' : 'file';
}

async function openEntry(zip: ZipFile, entry: Entry, name: string): Promise<Readable> {
  if (entry.isEncrypted()) throw new Refusal('invalid', `The archive holds ${JSON.stringify(name)}, which is encrypted: upload an archive without a password.`);
  let sum = 0;
  const look = (chunk: Buffer) => void (sum = crc32(chunk, sum));
  return watched(await zip.openReadStreamPromise(entry), look, () => {
    if (sum !== entry.crc32) throw new Refusal('invalid', `The archive is damaged: the checksum of ${JSON.stringify(name)} does not match.`);
  });
}
