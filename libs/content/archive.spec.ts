import { execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { Refusal } from '#domain/refusal.js';
import { defaultArchiveLimits, type ArchiveLimits } from './archive-rules.js';
import { extractArchive, inspectArchive } from './archive.js';

interface Item {
  name: string;
  body?: string | Buffer;
  type?: 'file' | 'directory' | 'symlink' | 'link' | 'fifo' | 'character-device' | 'block-device';
  linkname?: string;
  /** Zip only: what the directory claims. */
  claimedBytes?: number;
  mode?: number;
  encrypted?: boolean;
}

let folder: string;
let count = 0;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'hp-archive-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function tarGz(items: Item[]): Promise<string> {
  const tar = pack();
  for (const { name, body = '', type = 'file', linkname } of items) tar.entry({ name, type, ...(linkname ? { linkname } : {}) }, type === 'file' ? body.toString() : '');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return saved(gzipSync(Buffer.concat(chunks)));
}

/** A zip written by hand, so that its headers can lie. */
function zip(items: Item[]): string {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, body = '', claimedBytes, mode = 0, encrypted } of items) {
    const data = Buffer.from(body);
    const packed = deflateRawSync(data);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(0x0800 | (encrypted ? 1 : 0), 2);
    fields.writeUInt16LE(8, 4);
    fields.writeUInt32LE(crc32(data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(claimedBytes ?? data.length, 18);
    fields.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03'), fields, rest, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(items.length, 4);
  end.writeUInt16LE(items.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return saved(Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end]));
}

function saved(bytes: Buffer): string {
  const path = join(folder, `a${count++}`);
  writeFileSync(path, bytes);
  return path;
}

async function unpacked(path: string): Promise<Record<string, string>> {
  const into = join(folder, `x${count++}`);
  mkdirSync(into);
  await extractArchive(path, into);
  const files = readdirSync(into, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  return Object.fromEntries(files.map((f) => [join(f.parentPath, f.name).slice(into.length + 1), readFileSync(join(f.parentPath, f.name), 'utf8')]));
}

async function refusal(path: string, limits?: Partial<ArchiveLimits>): Promise<Refusal> {
  const into = join(folder, `x${count++}`);
  mkdirSync(into);
  const error = await extractArchive(path, into, { ...defaultArchiveLimits, ...limits }).then(() => undefined, (e: unknown) => e);
  expect(error).toBeInstanceOf(Refusal);
  expect(readdirSync(into)).toEqual([]);
  return error as Refusal;
}

const site: Item[] = [{ name: 'index.html', body: '<h1>hi</h1>' }, { name: 'css/a.css', body: 'a{}' }];
const formats: [string, (items: Item[]) => string | Promise<string>][] = [['zip', zip], ['tar.gz', tarGz]];

describe.each(formats)('a %s', (format, make) => {
  it('is told by its first bytes and counted', async () => {
    expect(await inspectArchive(await make(site))).toEqual({ format, fileCount: 2, unpackedBytes: 14, hasIndex: true });
  });
  it('unpacks to the same files, readable by everybody', async () => {
    const path = await make([...site, { name: './b//c.txt', body: 'c' }]);
    expect(await unpacked(path)).toEqual({ 'index.html': '<h1>hi</h1>', 'css/a.css': 'a{}', 'b/c.txt': 'c' });
    const into = join(folder, `x${count++}`);
    mkdirSync(into);
    await extractArchive(path, into);
    expect([statSync(join(into, 'css')).mode & 0o777, statSync(join(into, 'css/a.css')).mode & 0o777]).toEqual([0o755, 0o644]);
  });
  it('loses a single top folder around everything', async () => {
    const path = await make(site.map((s) => ({ ...s, name: `my-site/${s.name}` })));
    expect((await inspectArchive(path)).hasIndex).toBe(true);
    expect(await unpacked(path)).toEqual({ 'index.html': '<h1>hi</h1>', 'css/a.css': 'a{}' });
  });
  it('keeps a folder that stands beside an index, and two folders', async () => {
    expect(Object.keys(await unpacked(await make([{ name: 'a/b.html' }, { name: 'c/d.html' }])))).toEqual(['a/b.html', 'c/d.html']);
    expect((await inspectArchive(await make([{ name: 'a/b.html' }, { name: 'c/index.html' }]))).hasIndex).toBe(false);
  });
  it('is rid of the files that macOS adds', async () => {
    const path = await make([...site.map((s) => ({ ...s, name: `s/${s.name}` })), { name: '__MACOSX/s/._index.html', body: 'x' }, { name: 's/.DS_Store', body: 'x' }]);
    expect(Object.keys(await unpacked(path)).sort()).toEqual(['css/a.css', 'index.html']);
  });
  it.each([
    ['/etc/passwd', 'must be relative'],
    ['C:/x', 'must be relative'],
    ['a/../../x', 'may not hold ".."'],
    ['..', 'may not hold ".."'],
    ['a\\..\\x', 'backslash'],
    ['a\nb', 'control characters'],
    ['n'.repeat(256), 'at most 255 bytes'],
    [`${'d/'.repeat(33)}x`, 'at most 32 deep'],
    [`${`${'n'.repeat(200)}/`.repeat(6)}x`, 'at most 1024 bytes'],
  ])('with the path %j is refused', async (name, rule) => {
    const refused = await refusal(await make([...site, { name, body: 'x' }]));
    expect(refused.code).toBe('invalid');
    expect(refused.message).toContain(rule);
    expect(refused.message).toContain(JSON.stringify(name).slice(0, 8));
  });
  it.each([
    [['a.txt', 'a.txt'], 'once'],
    [['a.txt', 'A.TXT'], 'differ only in case'],
    [['img/a', 'IMG/b'], 'differ only in case'],
    [['caf\u00e9', 'cafe\u0301'], 'differ only in case or accents'],
    [['a', 'a/b'], 'once'],
    [['a/b', 'a'], 'once'],
    [['./a', 'a'], 'once'],
  ])('with the paths %j is refused', async (names, rule) => {
    expect((await refusal(await make(names.map((name) => ({ name }))))).message).toContain(rule);
  });
  it('over a limit is refused, and says which', async () => {
    const path = await make([{ name: 'a', body: 'x'.repeat(100) }, { name: 'b', body: 'x'.repeat(100) }, { name: 'c', body: '' }]);
    expect(await refusal(path, { maxEntries: 2 })).toMatchObject({ code: 'too-large', message: expect.stringContaining('more than 2 files') });
    expect(await refusal(path, { maxFileBytes: 99 })).toMatchObject({ code: 'too-large', message: expect.stringContaining('"a" unpacks') });
    expect(await refusal(path, { maxUnpackedBytes: 150 })).toMatchObject({ code: 'too-large', message: expect.stringContaining('at "b"') });
  });
  it('without a file is refused', async () => {
    expect((await refusal(await make([]))).message).toContain('no file');
    expect((await refusal(await make([{ name: 'a/', type: 'directory' }]))).message).toContain('no file');
  });
  it('cut off or changed anywhere is refused or unpacks as it is, and never anything else', async () => {
    const whole = readFileSync(await make(site));
    expect((await refusal(saved(whole.subarray(0, whole.length - 30)))).code).toBe('invalid');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), async (at, flip, cut) => {
        const bytes = Buffer.from(cut ? whole.subarray(0, at) : whole);
        if (!cut) bytes[at]! ^= flip;
        await inspectArchive(saved(bytes)).catch((error: unknown) => expect(error).toBeInstanceOf(Refusal));
      }),
      { numRuns: 300 },
    );
  });
});

describe('a tar.gz', () => {
  it.each(['symlink', 'link', 'fifo', 'character-device', 'block-device'] as const)('with a %s is refused', async (type) => {
    expect((await refusal(await tarGz([...site, { name: 'x', type, linkname: '/etc/passwd' }]))).message).toMatch(/"x", a .*: only files and folders/);
  });
  it('made by tar(1) is read, the folder entry for the root included', async () => {
    const from = join(folder, `s${count++}`);
    mkdirSync(join(from, 'deep'), { recursive: true });
    writeFileSync(join(from, 'index.html'), 'i');
    writeFileSync(join(from, 'deep', 'é'.repeat(110)), 'long');
    const path = join(folder, 'by-tar');
    execFileSync('tar', ['-czf', path, '-C', from, '.']);
    expect(await unpacked(path)).toEqual({ 'index.html': 'i', [`deep/${'é'.repeat(110)}`]: 'long' });
    symlinkSync('/etc/passwd', join(from, 'link'));
    execFileSync('tar', ['-czf', path, '-C', from, '.']);
    expect((await refusal(path)).message).toContain('symbolic link');
  });
  it('of endless zeros is stopped early', async () => {
    expect((await refusal(saved(gzipSync(Buffer.alloc(32 * 1024 * 1024))), { maxUnpackedBytes: 1000, maxEntries: 10 })).code).toBe('too-large');
  });
  it('without gzip is told so', async () => {
    const bytes = Buffer.alloc(1024);
    bytes.write('ustar', 257);
    expect((await refusal(saved(bytes))).message).toContain('gzip it first');
  });
});

describe('a zip', () => {
  it.each([[0xa1ff, 'symbolic link'], [0x11ff, 'named pipe'], [0x61ff, 'block device'], [0xc1ff, 'socket']])('with an entry of mode %i is refused', async (mode, kind) => {
    expect((await refusal(zip([...site, { name: 'x', body: '/etc/passwd', mode }]))).message).toContain(kind);
  });
  it('whose headers claim less than it holds is refused', async () => {
    expect((await refusal(zip([{ name: 'a', body: 'x'.repeat(5000), claimedBytes: 10 }]))).code).toBe('invalid');
  });
  it('that is encrypted is refused', async () => {
    expect((await refusal(zip([{ name: 'a', body: 'x', encrypted: true }]))).message).toContain('encrypted');
  });
  it('with a NUL in a name is refused', async () => {
    expect((await refusal(zip([{ name: 'a\0.html', body: 'x' }]))).message).toContain('control characters');
  });
});

describe('an upload that is no archive', () => {
  it.each([['', 'empty'], ['hello', 'neither a zip nor a tar.gz'], ['PK', 'neither']])('%j is refused', async (bytes, says) => {
    expect((await refusal(saved(Buffer.from(bytes)))).message).toContain(says);
  });
});
