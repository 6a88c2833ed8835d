import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf } from './processes.js';

interface Holder {
  readonly pid: number;
  readonly identity: string;
}

/**
 * Makes this process the only launcher of a data folder and answers how to let go. Throws, with the other's pid, when another one has it.
 * A lock whose process is gone (killed, or before a reboot) is taken over.
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'launcher.lock');
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify({ pid: process.pid, identity: identityOf(process.pid) }), { mode: 0o600 });
  try {
    while (!claim(mine, file)) {
      const holder = read(file);
      if (holder && identityOf(holder.pid) === holder.identity) {
        throw new Error(`The data folder ${folder} is in use: Hostplane runs with it already (pid ${holder.pid}). Use that one, stop it (Ctrl-C there, or kill ${holder.pid}), or start this one with another HOSTPLANE_DATA and other ports.`);
      }
      setAside(file, holder);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  return () => rmSync(file, { force: true });
}

/** Linking is atomic: of two that try, one gets the name. */
function claim(mine: string, file: string): boolean {
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes a stale lock away; one that somebody else renewed meanwhile is put back. */
function setAside(file: string, stale: Holder | undefined): void {
  const aside = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  const moved = read(aside);
  if (moved && moved.identity !== stale?.identity) claim(aside, file);
  rmSync(aside, { force: true });
}

function read(file: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}
