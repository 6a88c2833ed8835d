import { describe, expect, it } from '@jest/globals';
import { lastWords } from '../last-words.js';
import { framesOf, outputOf, wholeLines } from './output.js';

describe('the output of a container', () => {
  const frame = (stream: number, text: string | Buffer): Buffer => {
    const bytes = Buffer.from(text);
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(bytes.length, 4);
    return Buffer.concat([header, bytes]);
  };
  it('is put together again by lines where one came in pieces with the other output between them', () => {
    const euro = Buffer.from('€');
    const raw = Buffer.concat([frame(1, 'key is planted-'), frame(2, 'a warning\n'), frame(1, 'secret-value\nthen '), frame(2, 'open'), frame(1, euro.subarray(0, 1)), frame(1, euro.subarray(1))]);
    expect(wholeLines(framesOf(raw))).toBe('a warning\nkey is planted-secret-value\nthen €\nopen\n');
    expect(lastWords(wholeLines(framesOf(raw)), ['planted-secret-value'])).toBe('a warning\nkey is ***\nthen €\nopen');
    expect([outputOf(framesOf(raw), 'stdout'), outputOf(framesOf(raw), 'stderr')]).toEqual(['key is planted-secret-value\nthen €', 'a warning\nopen']);
  });
});
