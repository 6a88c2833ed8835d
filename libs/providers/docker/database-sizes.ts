import { DATA_FOLDER } from './database-requests.js';
import type { Engine } from './engine.js';

/** Each database is a folder. Its files say what it takes of the disk; the server's own tables only estimate it, and are open to nobody without a password. */
const MEASURE = ['sh', '-c', 'command -v du >/dev/null && cd "$1" || exit 1; for one in hp_*/; do [ ! -d "$one" ] || du -sk "$one"; done 2>/dev/null; exit 0', 'measure', DATA_FOLDER];

/** Bytes of each database in a server's container, by name; undefined when it does not say so. */
export async function databaseSizes(engine: Engine, container: string, signal?: AbortSignal): Promise<ReadonlyMap<string, number> | undefined> {
  const said = await engine.exec(container, MEASURE, '', signal).catch(() => undefined);
  return said?.exitCode === 0 ? sizesOf(said.stdout) : undefined;
}

/** What `du -sk` prints: kilobytes, and a folder with a slash at its end. */
export function sizesOf(said: string): ReadonlyMap<string, number> {
  const lines = [...said.matchAll(/^(\d+)\t(hp_[a-z2-7]+)\/$/gm)];
  return new Map(lines.map(([, kilobytes, name]) => [name!, Number(kilobytes) * 1024]));
}
