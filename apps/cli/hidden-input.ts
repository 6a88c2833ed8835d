import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Io } from './terminal.js';

/** A line that is typed without being shown, or the first one of what is piped in; undefined when there is none. */
export async function readHidden(io: Io, prompt: string, fromInput = false): Promise<string | undefined> {
  const isHidden = !fromInput && io.in.isTTY === true;
  if (isHidden) io.err.write(`${prompt}: `);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: io.in, output: silent, terminal: isHidden });
  try {
    for await (const line of lines) if (line.trim()) return line.trim();
    return undefined;
  } finally {
    lines.close();
    if (isHidden) io.err.write('\n');
  }
}

/** Everything that is piped in, without the line break that echo adds; or a line that is typed without being shown. */
export async function readValue(io: Io, prompt: string): Promise<string | undefined> {
  if (io.in.isTTY) return readHidden(io, prompt);
  const text = (await buffer(io.in)).toString('utf8').replace(/\r?\n$/, '');
  return text === '' ? undefined : text;
}
