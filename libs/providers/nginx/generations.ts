import { mkdir, readFile, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { RouteTable } from '../edge.js';
import { isRouteTable } from '../edge/route-table.js';
import { syncFolder, writeDurable, writeWhole } from '../write-whole.js';
import type { RenderedConfig } from './render.js';

/** Folder of the texts that configurations name by their sha256. */
const KEPT_TEXTS = 'kept';
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
    await Promise.all([...files.map(([name, text]) => writeDurable(join(folder, name), text, 0o600)), this.keep(config.kept)]);
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
    const files = Object.entries(config.files).map(([name, text]) => [join(this.folder, `gen-${generation}`, name), text] as const);
    const kept = Object.entries(config.kept).map(([hash, text]) => [join(this.folder, KEPT_TEXTS, hash), text] as const);
    const texts = [...files, ...kept].map(async ([file, text]) => text === (await readFile(file, 'utf8').catch(() => undefined)));
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
    await this.forgetTexts();
  }

  /** Workers open these by a name that only the configuration tells, so its folder cannot be listed by others: passwords are hashed in some of them. */
  private async keep(texts: RenderedConfig['kept']): Promise<void> {
    const folder = join(this.folder, KEPT_TEXTS);
    const missing = Object.entries(texts);
    if (missing.length === 0) return;
    await mkdir(folder, { recursive: true, mode: 0o711 });
    await Promise.all(missing.map(([hash, text]) => writeWhole(join(folder, hash), text)));
  }

  /** Takes away the texts that no generation names any more. */
  private async forgetTexts(): Promise<void> {
    const kept = await readdir(join(this.folder, KEPT_TEXTS)).catch(() => []);
    if (kept.length === 0) return;
    const configs = await Promise.all((await this.list()).map((generation) => readFile(this.configFileOf(generation), 'utf8').catch(() => '')));
    const old = kept.filter((hash) => !configs.some((config) => config.includes(hash)));
    await Promise.all(old.map((hash) => rm(join(this.folder, KEPT_TEXTS, hash), { force: true })));
  }
}

function numberOf(name: string): number | undefined {
  const digits = /^gen-([1-9]\d*)$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
