import { chmod, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Puts a file in place at once: whoever reads it, even after a crash, finds the old text or the new, never a part. */
export async function writeWhole(file: string, text: string, mode = 0o644): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  await writeDurable(temporary, text, mode);
  await rename(temporary, file);
  await syncFolder(dirname(file));
}

/** Writes a file and waits until it is on the disk. */
export async function writeDurable(file: string, text: string, mode = 0o644): Promise<void> {
  const handle = await open(file, 'w', mode);
  try {
    await handle.chmod(mode);
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Nobody but its owner may do anything with a file or folder. It is left alone when that is so already: it may be another user's, whom root without all its rights cannot overrule. */
export async function closeToOthers(path: string): Promise<void> {
  const { mode } = await stat(path);
  if (mode & 0o077) await chmod(path, mode & 0o700);
}

/** Waits until a folder's entries are on the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
