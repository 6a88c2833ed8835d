import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, readdir, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { extractArchive } from '#content/archive.js';
import { defaultArchiveLimits, type ArchiveLimits } from '#content/archive-rules.js';
import { placeholderPage } from '#content/placeholder.js';
import { reached } from '#contracts/probe.js';

/** What a release is made of: a checked archive, or the page of a site that has none. */
export type ReleaseSource = { readonly archivePath: string; readonly limits?: ArchiveLimits } | { readonly placeholderFor: string };

/** How many files a release has, and how many bytes they have together. */
export interface Measure {
  readonly files: number;
  readonly bytes: number;
}

/** How the names of unfinished things begin. */
export const STAGING = 'staging-';

/**
 * The releases of one site: `releases/<name>/` and the link `current` to the one that is served. A release appears whole or not at all, for it is
 * made aside and renamed, and `current` always leads to a whole one.
 */
export class Releases {
  constructor(private readonly folder: string) {}

  /**
   * Makes sure that the release is there, durably, and serves it. Its name stands for its content: one that is there is taken as it is, unless it is
   * known to have measured something else.
   */
  async serve(name: string, source: () => Promise<ReleaseSource>, measure?: Measure): Promise<void> {
    if (!(await this.isWhole(name, measure))) await this.place(name, await source());
    if ((await this.served()) === name) return;
    const link = join(this.folder, STAGING + randomUUID());
    reached('files:link');
    await symlink(join('releases', name), link);
    reached('files:switch');
    await rename(link, join(this.folder, 'current'));
    await syncFolder(this.folder);
  }

  /** The name of the release that `current` leads to, if it is there. */
  async served(): Promise<string | undefined> {
    const target = await readlink(join(this.folder, 'current')).catch(missing);
    if (target === undefined || !(await exists(join(this.folder, target)))) return undefined;
    return target.replace(/^releases\//, '');
  }

  /** Whether a release is there, with as many files and bytes as it was found to have. A file that was changed and kept its size is not noticed. */
  async isWhole(name: string, measure: Measure | undefined): Promise<boolean> {
    if (!(await exists(join(this.folder, 'releases', name)))) return false;
    if (!measure) return true;
    const { files, bytes } = await this.measure(name);
    return files === measure.files && bytes === measure.bytes;
  }

  async measure(name: string): Promise<Measure> {
    const entries = await readdir(join(this.folder, 'releases', name), { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(entries.filter((entry) => entry.isFile()).map(async ({ parentPath, name: file }) => (await stat(join(parentPath, file))).size));
    return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  }

  /** Removes every release but those named, and whatever was left half-made. */
  async keepOnly(names: readonly string[]): Promise<void> {
    const inReleases = (await readdir(join(this.folder, 'releases')).catch(missing)) ?? [];
    for (const name of inReleases.filter((n) => !names.includes(n))) {
      reached('files:prune');
      await rm(join(this.folder, 'releases', name), { recursive: true, force: true });
    }
    for (const name of (await readdir(this.folder)).filter((n) => n.startsWith(STAGING))) {
      reached('files:sweep');
      await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }

  private async place(name: string, source: ReleaseSource): Promise<void> {
    const staging = join(this.folder, STAGING + randomUUID());
    reached('files:stage');
    await openFolder(join(this.folder, 'releases'));
    await mkdir(staging);
    reached('files:fill');
    if ('archivePath' in source) await extractArchive(source.archivePath, staging, source.limits ?? defaultArchiveLimits);
    else await writeFile(join(staging, 'index.html'), placeholderPage(source.placeholderFor), { mode: 0o644 });
    reached('files:sync');
    await publishTree(staging);
    reached('files:place');
    const place = join(this.folder, 'releases', name);
    // Only what was found to be harmed is there: it makes room, and is swept away later.
    await rename(place, join(this.folder, STAGING + randomUUID())).catch(missing);
    await rename(staging, place);
    await syncFolder(join(this.folder, 'releases'));
  }
}

/** Writes a file durably in place of the one that is there: whole or not at all. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const aside = join(dirname(path), STAGING + randomUUID());
  const file = await open(aside, 'wx', 0o644);
  try {
    await file.chmod(0o644);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
}

/** Makes a folder that everybody may enter, whatever the umask. */
export async function openFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

/** Makes a tree durable, and readable for everybody whatever the umask: an edge that runs as another user serves it. */
async function publishTree(folder: string): Promise<void> {
  const inside = await readdir(folder, { recursive: true });
  const next = ['', ...inside].values();
  const work = async () => {
    for (const name of next) await publish(join(folder, name));
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

async function publish(path: string): Promise<void> {
  const file = await open(path);
  try {
    await file.chmod((await file.stat()).isDirectory() ? 0o755 : 0o644);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(missing)) !== undefined;
}

export function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
}
