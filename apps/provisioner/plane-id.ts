import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The id that this plane's resources bear, so that several planes can share an engine: made once, kept in the data folder. */
export async function planeId(dataFolder: string): Promise<string> {
  const file = join(dataFolder, 'plane-id');
  await mkdir(dataFolder, { recursive: true });
  await writeFile(file, `${randomUUID()}\n`, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  return (await readFile(file, 'utf8')).trim();
}
