import { mkdir, readFile, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { RouteTable } from '../edge.js';
import { isRouteTable } from '../edge/route-table.js';
import { syncFolder, writeDurable } from '../write-whole.js';
import type { RenderedConfig } from './render.js';

const KEPT = 3;
const TABLE = 'table.json';

/**
 * The configurations of an edge on disk: folders `gen-<n>`, each whole (files and the table they were made from), and the link `current` to the
 * one that serves. A folder is complete before the link points at it.
 */
export class Generations {
  constructor(private readonly folder: string) {}

  /** The file that nginx is started with. */
  get configFile(): string {
    return join(this.folder, 'current', 'nginx.conf');
  }

  configFileOf(generation: number): string {
    return join(this.folder, `gen-${generation}`, 'nginx.conf');
  }

  /** Writes a new generation beside the others. */
  async stage(table: RouteTable, config: RenderedConfig): Promise<number> {
    const generation = ((await this.list())[0] ?? 0) + 1;
    const folder = join(this.folder, `gen-${generation}`);
    await mkdir(folder, { mode: 0o755 });
    const files = Object.entries({ ...config.files, [TABLE]: JSON.stringify(table) });
    await Promise.all(files.map(([name, text]) => writeDurable(join(folder, name), text)));
    await syncFolder(folder);
    return generation;
  }

  /** Lets `current` point at a generation, in one step. */
  async point(generation: number): Promise<void> {
    const next = join(this.folder, 'current.new');
    await rm(next, { force: true });
    await symlink(`gen-${generation}`, next);
    await rename(next, join(this.folder, 'current'));
    await syncFolder(this.folder);
  }

  /** The generation that `current` points at. */
  async current(): Promise<number | undefined> {
    const target = await readlink(join(this.folder, 'current')).catch(() => undefined);
    return target === undefined ? undefined : numberOf(target);
  }

  /** The table a generation was made from; undefined when it cannot be read. */
  async table(generation: number): Promise<RouteTable | undefined> {
    try {
      const value: unknown = JSON.parse(await readFile(join(this.folder, `gen-${generation}`, TABLE), 'utf8'));
      return isRouteTable(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whether a generation on disk has exactly these files. */
  async holds(generation: number, config: RenderedConfig): Promise<boolean> {
    const texts = Object.entries(config.files).map(async ([name, text]) => text === (await readFile(join(this.folder, `gen-${generation}`, name), 'utf8').catch(() => undefined)));
    return (await Promise.all(texts)).every(Boolean);
  }

  /** Generations on disk, newest first. */
  async list(): Promise<number[]> {
    const names = await readdir(this.folder);
    return names.map(numberOf).filter((n) => n !== undefined).sort((a, b) => b - a);
  }

  async drop(generation: number): Promise<void> {
    await rm(join(this.folder, `gen-${generation}`), { recursive: true, force: true });
  }

  /** Takes away what is older than the last few; never the current one. */
  async prune(): Promise<void> {
    const current = await this.current();
    const old = (await this.list()).filter((generation) => generation !== current).slice(KEPT - 1);
    await Promise.all(old.map((generation) => this.drop(generation)));
  }
}

function numberOf(name: string): number | undefined {
  const digits = /^gen-([1-9]\d*)$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
