import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { BoxKeys, isPublicKey, seal } from './sealed-box.js';

const mine = BoxKeys.fresh();

describe('a sealed box', () => {
  it('gives its value to whom it was sealed for, whatever the value', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (value) => expect(mine.open(seal(value, mine.publicKey))).toBe(value.toWellFormed())), { numRuns: 40 });
  });
  it('takes a value of the greatest size', () => {
    const value = 'ä'.repeat(32_768);
    expect(mine.open(seal(value, mine.publicKey))).toBe(value);
  });
  it('is opened by the same pair after a restart', () => {
    const box = seal('kept', mine.publicKey);
    expect(BoxKeys.fromSeed(Uint8Array.from(mine.seed)).open(box)).toBe('kept');
  });
  it('is another one each time, and shows nothing of the value', () => {
    const boxes = [1, 2].map(() => seal('planted-value', mine.publicKey));
    expect(boxes[0]).not.toBe(boxes[1]);
    expect(Buffer.from(boxes[0]!, 'base64').toString('latin1')).not.toContain('planted');
  });
  it('stays shut for anybody else, and when a byte of it was changed', () => {
    const box = seal('x', mine.publicKey);
    expect(BoxKeys.fresh().open(box)).toBeUndefined();
    const bytes = Buffer.from(box, 'base64');
    for (const at of [0, 20, 57, 70, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(mine.open(changed.toString('base64'))).toBeUndefined();
    }
  });
  it.each(['', 'no box', 'X'.repeat(200), Buffer.from(mine.publicKey).toString('base64')])('that is none is not opened: %j', (text) => expect(mine.open(text)).toBeUndefined());
  it('is sealed to public keys only', () => {
    expect([mine.publicKey, `${mine.publicKey}A`, '', 'X'].map(isPublicKey)).toEqual([true, false, false, false]);
    expect(() => seal('x', `X${'A'.repeat(55)}`)).toThrow();
  });
});
