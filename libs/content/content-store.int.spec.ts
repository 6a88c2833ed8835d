import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { canMount } from '../../test/support/mounts.js';
import { ContentStore, ContentStoreFull } from './content-store.js';

const shaOf = (s: string) => createHash('sha256').update(s).digest('hex');
const of = (...chunks: string[]) => Readable.from(chunks.map((c) => Buffer.from(c)));

let folder: string;
let store: ContentStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hp-store-'));
  store = new ContentStore(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the content store', () => {
  it('keeps bytes under their sha256', async () => {
    const stored = await store.put(of('hello ', 'world'), { maxBytes: 11 });
    expect(stored).toEqual({ sha256: shaOf('hello world'), sizeBytes: 11, path: join(folder, shaOf('hello world')) });
    expect(await text(await store.open(stored.sha256))).toBe('hello world');
    expect(readdirSync(folder)).toEqual([stored.sha256]);
  });
  it('keeps the same bytes once, also when they come at once', async () => {
    await Promise.all([1, 2, 3].map(() => store.put(of('same'), { maxBytes: 10 })));
    expect(readdirSync(folder)).toEqual([shaOf('same')]);
  });
  it('refuses more than it was told to take, and keeps nothing', async () => {
    await expect(store.put(of('12345', '6'), { maxBytes: 5 })).rejects.toMatchObject({ code: 'too-large', message: expect.stringContaining('5 bytes') });
    expect(readdirSync(folder)).toEqual([]);
  });
  it('keeps nothing of an upload that breaks off or is aborted', async () => {
    const broken = Readable.from((async function* () {
      yield Buffer.from('a');
      throw new Error('gone');
    })());
    await expect(store.put(broken, { maxBytes: 5 })).rejects.toThrow('gone');
    const never = new Readable({ read() {} });
    await expect(store.put(never, { maxBytes: 5, signal: AbortSignal.timeout(30) })).rejects.toThrow();
    expect(readdirSync(folder)).toEqual([]);
  });
  it('tells intact, damaged and missing content apart', async () => {
    const { sha256, path } = await store.put(of('good'), { maxBytes: 10 });
    expect([await store.has(sha256), await store.check(sha256)]).toEqual([true, 'intact']);
    writeFileSync(path, 'bad!');
    expect(await store.check(sha256)).toBe('damaged');
    await store.remove(sha256);
    await store.remove(sha256);
    expect([await store.has(sha256), await store.check(sha256)]).toEqual([false, 'missing']);
  });
  it('never takes a path for a hash', () => {
    expect(() => store.pathOf('../../etc/passwd')).toThrow('not a hex sha256');
  });
  it('sweeps what interrupted uploads left, and nothing else', async () => {
    const { sha256 } = await store.put(of('kept'), { maxBytes: 10 });
    for (const name of ['.incoming-old', '.incoming-new']) writeFileSync(join(folder, name), 'x');
    utimesSync(join(folder, '.incoming-old'), 0, 0);
    utimesSync(join(folder, sha256), 0, 0);
    expect(await store.sweep()).toBe(1);
    expect(readdirSync(folder).sort()).toEqual(['.incoming-new', sha256].sort());
  });
});

(canMount ? describe : describe.skip)('on a disk that is full (a small tmpfs; needs root that may mount)', () => {
  beforeEach(() => void execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]));
  afterEach(() => void execFileSync('umount', [folder]));

  it('says so and keeps nothing', async () => {
    const error = await store.put(of('x'.repeat(40_000), 'x'.repeat(40_000)), { maxBytes: 1e6 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ContentStoreFull);
    expect((error as Error).message).toContain('full');
    expect(readdirSync(folder)).toEqual([]);
    await store.put(of('small'), { maxBytes: 10 });
  });
});
