import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack, type Pack } from 'tar-stream';
import { z } from 'zod';
import { Refusal } from '#domain/refusal.js';

const MANIFEST = 'manifest.json';
const MANIFEST_BYTES = 16 * 1024 * 1024;

const part = z.object({
  /** Name of its entry in the archive. */
  name: z.string(),
  /** tree: a folder as a tar. content: an upload, as it came. database: a dump as SQL. */
  kind: z.enum(['tree', 'content', 'database']),
  /** tree: where the workload sees it. */
  path: z.string().optional(),
  /** content: of its bytes. */
  sha256: z.string().optional(),
});
const manifest = z.object({
  format: z.literal('hostplane-backup'),
  version: z.literal(1),
  backupId: z.string(),
  takenAt: z.string(),
  site: z.object({ id: z.string(), projectId: z.string(), name: z.string(), kind: z.string() }),
  /** What the site was made from, without the values of its environment. */
  spec: z.unknown(),
  parts: z.array(part),
});

/** What is in a backup; the first entry of its archive, so that it can be read before anything else is. */
export type BackupManifest = z.output<typeof manifest>;
export type BackupPart = z.output<typeof part>;

/** A backup as one tar: the manifest, then each part. `files` are the parts' paths on this machine, by name. */
export function packBackup(contents: BackupManifest, files: ReadonlyMap<string, string>): Readable {
  const archive = pack();
  const tar = Readable.from(archive);
  fill(archive, contents, files).then(
    () => archive.finalize(),
    (error: Error) => tar.destroy(error),
  );
  tar.on('close', () => archive.destroy());
  return tar;
}

async function fill(archive: Pack, contents: BackupManifest, files: ReadonlyMap<string, string>): Promise<void> {
  archive.entry({ name: MANIFEST, mode: 0o600 }, JSON.stringify(contents, null, 2));
  for (const { name } of contents.parts) {
    const path = files.get(name) ?? '';
    const { size } = await stat(path);
    await pipeline(createReadStream(path), archive.entry({ name, size, mode: 0o600 }) as unknown as Writable);
  }
}

/** Reads a backup part by part, in its order; each must be read before the next comes. Refuses what is no backup of a version known here. */
export async function* readBackup(stream: Readable): AsyncGenerator<{ manifest: BackupManifest; part: BackupPart; bytes: Readable }> {
  const archive = extract();
  const reading = pipeline(stream, archive as unknown as Writable).catch(() => undefined);
  let known: BackupManifest | undefined;
  for await (const entry of archive) {
    const { name } = entry.header;
    if (!known) known = await readManifest(name, entry as unknown as Readable);
    else {
      const found = known.parts.find((one) => one.name === name);
      if (!found) throw new Refusal('invalid', `The backup holds "${name}", of which its manifest says nothing.`);
      yield { manifest: known, part: found, bytes: entry as unknown as Readable };
      entry.resume();
    }
  }
  await reading;
  if (!known) throw new Refusal('invalid', 'The backup is empty.');
}

async function readManifest(name: string, entry: Readable): Promise<BackupManifest> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of entry) {
    length += (chunk as Buffer).length;
    if (length > MANIFEST_BYTES) break;
    chunks.push(chunk as Buffer);
  }
  const read = manifest.safeParse(name === MANIFEST ? parsed(Buffer.concat(chunks).toString('utf8')) : undefined);
  if (!read.success) throw new Refusal('invalid', `This is no backup that this version can read: ${read.error.issues[0]?.path.join('.') || 'its manifest'} is not as it must be.`);
  return read.data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
