import { Refusal } from '#domain/refusal.js';

/** What an archive may hold at most. */
export interface ArchiveLimits {
  /** Files and folders together. */
  readonly maxEntries: number;
  readonly maxFileBytes: number;
  readonly maxUnpackedBytes: number;
  /** Folders above a file, plus the file. */
  readonly maxDepth: number;
  /** One part of a path, in UTF-8; 255 is what Linux file systems hold. */
  readonly maxNameBytes: number;
  readonly maxPathBytes: number;
}

const MIB = 1024 * 1024;

/** 20,000 entries, 256 MiB a file, 1 GiB in all, 32 folders deep, names of 255 bytes, paths of 1,024. */
export const defaultArchiveLimits: ArchiveLimits = {
  maxEntries: 20_000,
  maxFileBytes: 256 * MIB,
  maxUnpackedBytes: 1024 * MIB,
  maxDepth: 32,
  maxNameBytes: 255,
  maxPathBytes: 1024,
};

export type EntryKind = 'file' | 'folder';

/**
 * Watches over the entries of one archive as they are read, whatever its format. Each method throws a Refusal that names the entry
 * and the rule. Sizes are those really unpacked: what headers claim is not believed.
 */
export class ArchiveRules {
  fileCount = 0;
  unpackedBytes = 0;
  private entries = 0;
  /** Folded path → how it was spelt, and what it is. */
  private readonly seen = new Map<string, { path: string; kind: EntryKind }>();

  constructor(private readonly limits: ArchiveLimits) {}

  /** Takes an entry up and answers its clean relative path; undefined for what is left out (the root itself, macOS' own files). */
  enter(name: string, kind: EntryKind): string | undefined {
    if (++this.entries > this.limits.maxEntries) {
      throw new Refusal('too-large', `The archive holds more than ${this.limits.maxEntries} files and folders. Remove what the site does not need.`);
    }
    const path = this.cleanPath(name);
    if (path === '' || isMacLitter(path)) return undefined;
    this.claim(path, kind);
    if (kind === 'file') this.fileCount++;
    return path;
  }

  /** Counts unpacked bytes of one file; `fileBytes` is what that file has come to so far. */
  unpacked(path: string, fileBytes: number, chunkBytes: number): void {
    if (fileBytes > this.limits.maxFileBytes) {
      throw new Refusal('too-large', `${shown(path)} unpacks to more than ${this.limits.maxFileBytes} bytes, the most for one file.`);
    }
    this.unpackedBytes += chunkBytes;
    if (this.unpackedBytes > this.limits.maxUnpackedBytes) {
      throw new Refusal('too-large', `The archive unpacks to more than ${this.limits.maxUnpackedBytes} bytes; the limit was reached at ${shown(path)}.`);
    }
  }

  private cleanPath(name: string): string {
    const refuse = (rule: string) => new Refusal('invalid', `The archive holds ${shown(name)}: ${rule}.`);
    if (/[\u0000-\u001f\u007f]/.test(name)) throw refuse('names may not hold control characters');
    if (name.includes('\ufffd')) throw refuse('names must be valid UTF-8');
    if (name.includes('\\')) throw refuse('paths may not hold a backslash');
    if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw refuse('paths must be relative, without a leading slash or drive letter');
    const parts = name.split('/').filter((part) => part !== '' && part !== '.');
    if (parts.includes('..')) throw refuse('paths may not hold ".."');
    if (parts.length > this.limits.maxDepth) throw refuse(`paths may be at most ${this.limits.maxDepth} deep`);
    if (parts.some((part) => Buffer.byteLength(part) > this.limits.maxNameBytes)) throw refuse(`a name may have at most ${this.limits.maxNameBytes} bytes`);
    const path = parts.join('/');
    if (Buffer.byteLength(path) > this.limits.maxPathBytes) throw refuse(`a path may have at most ${this.limits.maxPathBytes} bytes`);
    return path;
  }

  /** A path is taken once, and so is each folder above it; two spellings of one path would be one on file systems that fold case. */
  private claim(path: string, kind: EntryKind): void {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) this.take(path.slice(0, end), 'folder', path);
    this.take(path, kind, path);
  }

  private take(path: string, kind: EntryKind, entry: string): void {
    const folded = path.normalize('NFC').toLowerCase();
    const before = this.seen.get(folded);
    if (!before) {
      this.seen.set(folded, { path, kind });
      return;
    }
    if (before.path !== path) throw new Refusal('invalid', `The archive holds ${shown(before.path)} and ${shown(path)}, which differ only in case or accents.`);
    if (before.kind === 'file' || kind === 'file') throw new Refusal('invalid', `The archive holds ${shown(entry)} where ${shown(path)} is there already: a path may be there once.`);
  }
}

/** Refuses what is neither a file nor a folder. */
export function refuseKind(name: string, kind: string): never {
  throw new Refusal('invalid', `The archive holds ${shown(name)}, a ${kind}: only files and folders are allowed.`);
}

function isMacLitter(path: string): boolean {
  return path === '__MACOSX' || path.startsWith('__MACOSX/') || path === '.DS_Store' || path.endsWith('/.DS_Store');
}

/** A name from a stranger, fit for a message. */
function shown(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 117)}…` : name);
}
