import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from '@jest/globals';
import { backupTargetContract } from '../contract/backup-target.contract.js';
import { LocalFolder } from './local-folder.js';

const filesIn = (folder: string) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));

backupTargetContract('a local folder', async () => {
  const root = mkdtempSync(join(tmpdir(), 'hp-backups-'));
  const folder = join(root, 'backups');
  mkdirSync(folder);
  writeFileSync(join(root, 'no-folder'), '');
  return {
    target: new LocalFolder(folder),
    away: new LocalFolder(join(root, 'no-folder')),
    letLie: async (key) => {
      mkdirSync(dirname(join(folder, key)), { recursive: true });
      writeFileSync(join(folder, `${key}~part`), 'half');
    },
    leftovers: async () => filesIn(folder),
    close: async () => rmSync(root, { recursive: true }),
  };
}, 200_000);

describe('a local folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hp-backups-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('shows backups to nobody else, and leaves no empty folders', async () => {
    const target = new LocalFolder(folder);
    await target.put('project/site/one.tar', Readable.from([Buffer.from('x')]));
    const modes = ['project', 'project/site', 'project/site/one.tar'].map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
    expect(modes).toEqual(['700', '700', '600']);
    await target.remove('project/site/one.tar');
    expect(readdirSync(folder)).toEqual([]);
  });
});
