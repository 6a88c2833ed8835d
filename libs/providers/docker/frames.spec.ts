import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { standardOutput } from './frames.js';

const frame = (stream: number, text: string) => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
};

async function* inPieces(bytes: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const length of lengths) yield bytes.subarray(at, (at += length));
  if (at < bytes.length) yield bytes.subarray(at);
}

describe('frames of a command', () => {
  it('come apart the same wherever the engine cuts them', async () => {
    const said = fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string({ maxLength: 40 })), { maxLength: 12 });
    await fc.assert(fc.asyncProperty(said, fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 20 }), async (frames, lengths) => {
      const [out, err]: [Buffer[], Buffer[]] = [[], []];
      for await (const bytes of standardOutput(inPieces(Buffer.concat(frames.map(([stream, text]) => frame(stream, text))), lengths), (bytes) => err.push(bytes))) out.push(bytes);
      const of = (stream: number) => frames.filter(([of]) => of === stream).map(([, text]) => text).join('');
      expect([Buffer.concat(out).toString(), Buffer.concat(err).toString()]).toEqual([of(1), of(2)]);
    }));
  });
});
