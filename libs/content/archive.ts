import { createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Refusal } from '#domain/refusal.js';
import { watched, type ArchiveEntry } from './archive-entries.js';
import { ArchiveRules, defaultArchiveLimits, refuseKind, type ArchiveLimits, type EntryKind } from './archive-rules.js';
import { readTarGz } from './tar-gz.js';
import { readZip } from './zip.js';

export type ArchiveFormat = 'zip' | 'tar.gz';

export interface InspectedArchive {
  readonly format: ArchiveFormat;
  readonly fileCount: number;
  readonly unpackedBytes: number;
  /** Whether there is an index.html where visitors arrive. */
  readonly hasIndex: boolean;
}

/** Takes one entry; of a file it must read all the content, or the next never comes. `path` is clean, relative and safe to join. */
export type TakeEntry = (path: string, kind: EntryKind, content: Readable | undefined, sizeBytes: number) => Promise<void>;

/**
 * Reads the whole archive and says what is in it. Throws a Refusal ('invalid' or 'too-large') for whatever could hurt: paths that
 * lead out, links and devices, doubled paths, more or larger files than `limits` allow, a damaged or empty archive.
 * The format is told by the first bytes, never by a name.
 */
export async function inspectArchive(path: string, limits: ArchiveLimits = defaultArchiveLimits): Promise<InspectedArchive> {
  const { topFolder: _, ...inspected } = await survey(path, limits);
  return inspected;
}

/** Unpacks into an existing empty folder: files 0644, folders 0755. Nothing of an archive that is refused is written. */
export async function extractArchive(path: string, intoFolder: string, limits: ArchiveLimits = defaultArchiveLimits): Promise<InspectedArchive> {
  return walkArchive(path, limits, async (relative, kind, content) => {
    const target = join(intoFolder, relative);
    await mkdir(kind === 'folder' ? target : dirname(target), { recursive: true, mode: 0o755 });
    if (content) await pipeline(content, createWriteStream(target, { flags: 'wx', mode: 0o644 }));
  });
}

/** Hands over each entry of an archive that was inspected first. A single top folder around everything is taken off, unless it is the site itself. */
export async function walkArchive(path: string, limits: ArchiveLimits, take: TakeEntry): Promise<InspectedArchive> {
  const { topFolder, ...inspected } = await survey(path, limits);
  await eachEntry(path, inspected.format, limits, async (relative, kind, content, sizeBytes) => {
    const inner = topFolder === undefined ? relative : relative.slice(topFolder.length + 1);
    if (inner !== '') await take(inner, kind, content, sizeBytes);
  });
  return inspected;
}

async function survey(path: string, limits: ArchiveLimits): Promise<InspectedArchive & { topFolder: string | undefined }> {
  const format = await formatOf(path);
  const tops = new Set<string>();
  const indexes = new Set<string>();
  let rootFiles = false;
  const rules = await eachEntry(path, format, limits, async (relative, kind, content) => {
    const top = relative.split('/', 1)[0]!;
    tops.add(top);
    if (kind === 'file' && top === relative) rootFiles = true;
    if (kind === 'file' && relative.endsWith('index.html')) indexes.add(relative);
    if (content) for await (const _ of content);
  });
  if (rules.fileCount === 0) throw new Refusal('invalid', 'The archive holds no file: there would be nothing to serve.');
  const topFolder = tops.size === 1 && !rootFiles ? [...tops][0] : undefined;
  const index = topFolder === undefined ? 'index.html' : `${topFolder}/index.html`;
  return { format, fileCount: rules.fileCount, unpackedBytes: rules.unpackedBytes, hasIndex: indexes.has(index), topFolder };
}

async function eachEntry(path: string, format: ArchiveFormat, limits: ArchiveLimits, take: TakeEntry): Promise<ArchiveRules> {
  const rules = new ArchiveRules(limits);
  try {
    const entries = format === 'zip' ? readZip(path) : readTarGz(path, limits);
    for await (const entry of entries) await enter(entry, rules, take);
  } catch (error) {
    throw refusalOf(error);
  }
  return rules;
}

async function enter(entry: ArchiveEntry, rules: ArchiveRules, take: TakeEntry): Promise<void> {
  const { kind } = entry;
  if (kind !== 'file' && kind !== 'folder') refuseKind(entry.name, kind);
  const path = rules.enter(entry.name, kind);
  if (kind === 'folder') {
    if (path !== undefined) await take(path, kind, undefined, 0);
    return;
  }
  const content = counted(await entry.open(), path ?? entry.name, rules);
  if (path === undefined) for await (const _ of content);
  else await take(path, kind, content, entry.sizeBytes);
}

function counted(content: Readable, path: string, rules: ArchiveRules): Readable {
  let bytes = 0;
  return watched(content, (chunk) => rules.unpacked(path, (bytes += chunk.length), chunk.length));
}

async function formatOf(path: string): Promise<ArchiveFormat> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(512);
    const { bytesRead } = await file.read(head, 0, 512, 0);
    if (bytesRead === 0) throw new Refusal('invalid', 'The upload is empty: send a zip or tar.gz archive.');
    if (head.readUInt32BE(0) === 0x504b0304 || head.readUInt32BE(0) === 0x504b0506) return 'zip';
    if (head.readUInt16BE(0) === 0x1f8b) return 'tar.gz';
    const plainTar = head.toString('latin1', 257, 262) === 'ustar';
    throw new Refusal('invalid', plainTar ? 'The upload is a tar without compression: gzip it first.' : 'The upload is neither a zip nor a tar.gz archive.');
  } finally {
    await file.close();
  }
}

/** What a parser or zlib says about the bytes is the archive's fault; what the system says (a syscall failed) or we did wrong is not. */
function refusalOf(error: unknown): unknown {
  const { name, message, syscall } = error as NodeJS.ErrnoException;
  if (error instanceof Refusal || name === 'TypeError' || syscall !== undefined) return error;
  return new Refusal('invalid', `The archive is damaged or cut off: ${message}.`);
}
