import type { Readable } from 'node:stream';

/** A backup as a target lists it. */
export interface StoredBackup {
  readonly key: string;
  readonly sizeBytes: number;
}

/** Keys are paths: parts of letters, digits, dots, hyphens and underscores, with slashes between them. */
export const BACKUP_KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}(\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,5}$/;

/**
 * Where backups are kept, under keys.
 *
 * What is not whole is not there: a stream that breaks, a process that is killed and a storage that goes away half-way leave nothing that `get`
 * or `list` shows, and what room it takes is given back by the next `put` or `remove` of the same key. Each verb may be called twice. A verb that
 * returns has confirmed its effect; one that fails throws a ProviderError.
 */
export interface BackupTarget {
  readonly name: string;

  /** Stores all that the stream brings, in place of what is there. When it throws, what was there is there still. */
  put(key: string, stream: Readable, signal?: AbortSignal): Promise<void>;

  /** What is stored there, as it comes; undefined when nothing is. */
  get(key: string, signal?: AbortSignal): Promise<Readable | undefined>;

  /** What is stored under keys that begin so, by key. */
  list(prefix: string, signal?: AbortSignal): Promise<readonly StoredBackup[]>;

  /** Takes it away, and what an interrupted `put` of the same key left; nothing there is fine. */
  remove(key: string, signal?: AbortSignal): Promise<void>;
}
