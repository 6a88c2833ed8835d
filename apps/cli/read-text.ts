import { readFile } from 'node:fs/promises';
import { UsageError } from './exit-codes.js';

/** A file that the command line names. */
export function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`${file} cannot be read: ${error.message}`);
  });
}
