import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { keyContract } from '../contract/key.contract.js';
import { envKeys } from './env-keys.js';
import { fileKeys } from './file-keys.js';

const folder = mkdtempSync(join(tmpdir(), 'hostplane-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const key = (): string => randomBytes(32).toString('base64');
const nothing = (): Promise<void> => Promise.resolve();

keyContract('file', async () => ({
  provider: await fileKeys(join(folder, 'master.key'), true),
  restarted: () => fileKeys(join(folder, 'master.key'), false),
  foreign: () => fileKeys(join(folder, 'other.key'), true),
  close: nothing,
}));

const first = key();
keyContract('env', async () => ({ provider: envKeys(first), restarted: async () => envKeys(first), foreign: async () => envKeys(key()), close: nothing }));

describe('a file of master keys', () => {
  it('is made once, also by several at once, for this user alone', async () => {
    const file = join(folder, 'at-once.key');
    const ids = await Promise.all(Array.from({ length: 8 }, async () => (await fileKeys(file, true)).currentKeyId()));
    expect(new Set(ids).size).toBe(1);
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
    expect(readdirSync(folder).filter((name) => name.endsWith('.new'))).toEqual([]);
  });
  it('that others may read is closed to them', async () => {
    const file = join(folder, 'open.key');
    await fileKeys(file, true);
    chmodSync(file, 0o644);
    await fileKeys(file, false);
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600');
  });
  it('that is gone is not made anew when something was wrapped with it', async () => {
    await expect(fileKeys(join(folder, 'gone.key'), false)).rejects.toThrow(/gone\.key is missing.*Put a copy/);
  });
  it('that holds something else is said, without what it holds', async () => {
    const file = join(folder, 'broken.key');
    writeFileSync(file, 'planted-value\n');
    await expect(fileKeys(file, true)).rejects.toThrow(expect.not.stringContaining('planted-value'));
    expect(readFileSync(file, 'utf8')).toBe('planted-value\n');
  });
});

describe('several master keys', () => {
  it('all unwrap, and the first one wraps', async () => {
    const [old, next] = [key(), key()];
    const wrapped = await envKeys(old).wrap(Buffer.from('k'), 'p');
    const both = envKeys(`${next}, ${old}`);
    expect(Buffer.from(await both.unwrap(wrapped, 'p')).toString()).toBe('k');
    expect(await both.currentKeyId()).toBe(await envKeys(next).currentKeyId());
    await expect(envKeys(next).unwrap(wrapped, 'p')).rejects.toThrow(/is not here/);
  });
  it.each(['', 'planted-value', Buffer.alloc(16).toString('base64'), `${first},`, `${first},planted-value`])('must each be one: %j', (text) => {
    expect(() => envKeys(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('planted-value') }));
  });
});
