import { pack } from 'tar-stream';
import { gzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';

/** A tar.gz of these files, by path. */
export async function tarGz(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  return new Uint8Array(gzipSync(await buffer(tar)));
}
