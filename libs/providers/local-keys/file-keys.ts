import { randomBytes, randomUUID } from 'node:crypto';
import { link, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KEY_BYTES } from '../aes-gcm.js';
import { ProviderError } from '../provider-error.js';
import { closeToOthers, syncFolder, writeDurable, writeWhole } from '../write-whole.js';
import { LocalKeys, readMasterKey } from './local-keys.js';

/**
 * Master keys from a file that only this user may read: one a line in base64, the first one wraps. With `mayMake` a file that is not there is
 * made, with a fresh key; without it that is an error, because something was wrapped with the key that is gone.
 */
export async function fileKeys(file: string, mayMake: boolean): Promise<LocalKeys> {
  const text = (await contentOf(file)) ?? (mayMake ? await make(file) : undefined);
  keysIn(file, text);
  await closeToOthers(file);
  return new LocalKeys('file', {
    read: async () => keysIn(file, await contentOf(file)),
    write: (keys) => writeWhole(file, keys.map((key) => `${Buffer.from(key).toString('base64')}\n`).join(''), 0o600),
    howToRenew: '',
  });
}

function keysIn(file: string, text: string | undefined): readonly [Uint8Array, ...Uint8Array[]] {
  if (text === undefined) throw new ProviderError(`The master key ${file} is missing, and there are keys that were wrapped with it. Put a copy of the file back.`, false);
  const [first, ...rest] = text.split('\n').filter((line) => line !== '').map(readMasterKey);
  if (first && rest.every((key) => key !== undefined)) return [first, ...rest];
  throw new ProviderError(`${file} does not hold a master key of 32 bytes in base64 on each line. Put a copy of the file back.`, false);
}

/** Of two that make it at once, the file of one stays, and both go on with that. */
async function make(file: string): Promise<string> {
  const staged = `${file}.${randomUUID()}.new`;
  await writeDurable(staged, `${randomBytes(KEY_BYTES).toString('base64')}\n`, 0o600);
  await link(staged, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(staged);
  await syncFolder(dirname(file));
  return readFile(file, 'utf8');
}

async function contentOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new ProviderError(`The master key ${file} cannot be read: ${error.message}`, false, { cause: error });
  });
}
