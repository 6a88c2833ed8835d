import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { reached } from '#contracts/probe.js';
import { Refusal } from '#domain/refusal.js';
import type { KeyProvider, WrappedKey } from '#providers/key.js';
import { ProviderError } from '#providers/provider-error.js';
import { syncFolder, writeDurable } from '#providers/write-whole.js';
import { Keyring } from './keyring.js';

/** What the file of a project holds. */
interface KeyringFile {
  readonly keyId: string;
  readonly text: string;
}

const ENDING = '.json';
const STAGED = '.new';

/**
 * The projects' keys, each wrapped by the master key in a file of its own, and nowhere else: when the file is gone, so is everything that was
 * sealed with them. A file appears whole or not at all, is never changed by making it again, and is on the disk when a verb returns.
 */
export class KeyringFiles {
  constructor(
    private readonly folder: string,
    private readonly keys: KeyProvider,
  ) {}

  /** The projects that a folder has keys of. */
  static async in(folder: string): Promise<string[]> {
    return (await readdir(folder)).filter((name) => name.endsWith(ENDING)).map((name) => name.slice(0, -ENDING.length));
  }

  list(): Promise<string[]> {
    return KeyringFiles.in(this.folder);
  }

  /** The keys of a project; fresh ones when it has none. They have been read back from the file. */
  async make(projectId: string): Promise<Keyring> {
    if (!(await this.read(projectId))) await this.write(projectId);
    return this.open(projectId);
  }

  /** The keys of a project that has some. */
  async open(projectId: string): Promise<Keyring> {
    const file = await this.read(projectId);
    if (!file) throw new ProviderError(`The keys of the project ${projectId} are missing in the folder ${this.folder}. Put a copy of ${projectId}${ENDING} back.`, false);
    return Keyring.fromBytes(projectId, await this.keys.unwrap(file, projectId));
  }

  /** Wraps the keys of a project with the current master key, having read back what it wrapped; answers which one they took before, or undefined when it was that one. */
  async rewrap(projectId: string): Promise<string | undefined> {
    const file = await this.read(projectId);
    if (!file || file.keyId === (await this.keys.currentKeyId())) return undefined;
    const wrapped = await this.keys.rewrap(file, projectId);
    const [before, after] = await Promise.all([this.keys.unwrap(file, projectId), this.keys.unwrap(wrapped, projectId)]);
    if (!timingSafeEqual(before, after)) throw new ProviderError(`The keys of the project ${projectId} came back changed from the master key ${wrapped.keyId}.`, false);
    const staged = await this.stage(projectId, wrapped);
    reached('vault:keyring-rewrap');
    await rename(staged, this.fileOf(projectId));
    await syncFolder(this.folder);
    return file.keyId;
  }

  /** Nothing of the project's keys is left, neither of those that were being made when a process died. */
  async destroy(projectId: string): Promise<void> {
    const file = this.fileOf(projectId);
    const names = (await readdir(this.folder)).filter((name) => name === `${projectId}${ENDING}` || (name.startsWith(`${projectId}${ENDING}.`) && name.endsWith(STAGED)));
    reached('vault:keyring-destroy');
    for (const name of names) await shred(join(this.folder, name));
    await syncFolder(this.folder);
    reached('vault:keyring-destroyed');
    if (await exists(file)) throw new ProviderError(`The file ${file} cannot be removed.`, true);
  }

  /** Takes away what a process left that died while it made keys. */
  async removeStaged(): Promise<void> {
    const left = (await readdir(this.folder)).filter((name) => name.endsWith(STAGED));
    for (const name of left) await shred(join(this.folder, name));
  }

  /** Of two that make them at once, the keys of one stay. */
  private async write(projectId: string): Promise<void> {
    const file = this.fileOf(projectId);
    const wrapped = await this.keys.wrap(Keyring.fresh(projectId).bytes, projectId);
    reached('vault:keyring-write');
    const staged = await this.stage(projectId, wrapped);
    await link(staged, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(staged);
    await syncFolder(this.folder);
    reached('vault:keyring-written');
  }

  /** Writes the file beside its place. */
  private async stage(projectId: string, { keyId, text }: WrappedKey): Promise<string> {
    const staged = `${this.fileOf(projectId)}.${randomUUID()}${STAGED}`;
    await writeDurable(staged, `${JSON.stringify({ keyId, text } satisfies KeyringFile)}\n`, 0o600);
    return staged;
  }

  private async read(projectId: string): Promise<KeyringFile | undefined> {
    const file = this.fileOf(projectId);
    try {
      return JSON.parse(await readFile(file, 'utf8')) as KeyringFile;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new ProviderError(`${file} cannot be read: put a copy of it back.`, false, { cause: error });
    }
  }

  /** Ids come from the bus: none may lead out of the folder. */
  private fileOf(projectId: string): string {
    if (!/^[A-Za-z0-9-]{1,64}$/.test(projectId)) throw new Refusal('invalid', `"${projectId.slice(0, 80)}" is not the id of a project.`, 'projectId');
    return join(this.folder, `${projectId}${ENDING}`);
  }
}

/** Writes over a file before it is removed; a disk that keeps old blocks keeps the wrapped key, which still takes the master key. */
async function shred(file: string): Promise<void> {
  const handle = await open(file, 'r+').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  if (!handle) return;
  try {
    const { size } = await handle.stat();
    await handle.write(randomBytes(size), 0, size, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rm(file, { force: true });
}

async function exists(file: string): Promise<boolean> {
  return readFile(file).then(() => true, () => false);
}
