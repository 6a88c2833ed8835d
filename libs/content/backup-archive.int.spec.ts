import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from '@jest/globals';
import { extract, pack } from 'tar-stream';
import { packBackup, readBackup, type BackupManifest } from './backup-archive.js';

const folder = mkdtempSync(join(tmpdir(), 'hp-archive-'));
afterAll(() => rmSync(folder, { recursive: true }));

const manifest: BackupManifest = {
  format: 'hostplane-backup', version: 1, backupId: 'b', takenAt: '2026-11-21T10:00:00.000Z', site: { id: 's', projectId: 'p', name: 'shop', kind: 'app' }, spec: { name: 'shop' },
  parts: [{ name: 'data/0.tar', kind: 'tree', path: '/data' }, { name: 'data/1.tar', kind: 'tree', path: '/more' }],
};
const files = new Map(manifest.parts.map(({ name }, i) => [name, join(folder, `${i}.tar`)]));
for (const [name, path] of files) writeFileSync(path, `what is in ${name}`);

async function read(stream: Readable): Promise<string[]> {
  const found: string[] = [];
  for await (const { part, bytes } of readBackup(stream)) found.push(`${part.path}: ${(await buffer(bytes)).toString()}`);
  return found;
}
async function tar(entries: Readonly<Record<string, string>>): Promise<Readable> {
  const archive = pack();
  for (const [name, text] of Object.entries(entries)) archive.entry({ name }, text);
  archive.finalize();
  return Readable.from([await buffer(archive)]);
}

describe('the archive of a backup', () => {
  it('gives back its parts in their order, and may leave some unread', async () => {
    expect(await read(packBackup(manifest, files))).toEqual(['/data: what is in data/0.tar', '/more: what is in data/1.tar']);
    const names: string[] = [];
    for await (const { part, manifest: said } of readBackup(packBackup(manifest, files))) names.push(`${said.site.name} ${part.name}`);
    expect(names).toEqual(['shop data/0.tar', 'shop data/1.tar']);
  });
  it('begins with its manifest, for whoever opens it by hand', async () => {
    const names: string[] = [];
    const archive = extract();
    packBackup(manifest, files).pipe(archive);
    for await (const entry of archive) {
      names.push(entry.header.name);
      entry.resume();
    }
    expect(names).toEqual(['manifest.json', 'data/0.tar', 'data/1.tar']);
  });
  it('breaks when a part of it is not there', async () => {
    await expect(buffer(packBackup(manifest, new Map([['data/0.tar', join(folder, 'nowhere')]])))).rejects.toMatchObject({ code: 'ENOENT' });
  });
  it.each([
    ['an archive of something else', { 'index.html': 'x' }, /no backup that this version can read/],
    ['a newer version', { 'manifest.json': JSON.stringify({ ...manifest, version: 2 }) }, /version is not as it must be/],
    ['a manifest that is no JSON', { 'manifest.json': '{' }, /no backup/],
    ['more than the manifest says', { 'manifest.json': JSON.stringify(manifest), 'data/9.tar': 'x' }, /"data\/9\.tar", of which its manifest says nothing/],
    ['nothing', {}, /empty/],
  ])('is refused when it is %s', async (_, entries, message) => {
    await expect(read(await tar(entries as Record<string, string>))).rejects.toMatchObject({ name: 'Refusal', message: expect.stringMatching(message) });
  });
});
