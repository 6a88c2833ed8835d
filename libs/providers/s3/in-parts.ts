import type { Readable } from 'node:stream';

/** A stream's bytes in buffers of one size, the last one shorter. Nothing of it is held beyond one part. */
export async function* inParts(stream: Readable, partBytes: number): AsyncGenerator<Buffer, undefined> {
  let gathered: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    let rest = chunk as Buffer;
    while (length + rest.length >= partBytes) {
      const taken = partBytes - length;
      yield Buffer.concat([...gathered, rest.subarray(0, taken)], partBytes);
      rest = rest.subarray(taken);
      gathered = [];
      length = 0;
    }
    gathered.push(rest);
    length += rest.length;
  }
  if (length > 0) yield Buffer.concat(gathered, length);
  return undefined;
}
