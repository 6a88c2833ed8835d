import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { decrypt, encrypt } from './aes-gcm.js';

const key = randomBytes(32);
const plain = Buffer.from('planted-value');

describe('what is encrypted', () => {
  it('comes back with its key and context, another text each time', () => {
    const texts = [1, 2].map(() => encrypt(key, plain, 'here'));
    expect(texts.map((text) => decrypt(key, text, 'here')?.toString())).toEqual(['planted-value', 'planted-value']);
    expect(texts[0]).not.toBe(texts[1]);
    expect(Buffer.from(texts[0]!.slice(3), 'base64').toString('latin1')).not.toContain('planted');
  });
  it('does not come back with another key, in another context, or when a bit of it was changed', () => {
    const text = encrypt(key, plain, 'here');
    expect([decrypt(randomBytes(32), text, 'here'), decrypt(key, text, 'there'), decrypt(key, '', 'here'), decrypt(key, 'v1:', 'here'), decrypt(key, text.slice(3), 'here')]).toEqual(Array(5).fill(undefined));
    const bytes = Buffer.from(text.slice(3), 'base64');
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(decrypt(key, `v1:${changed.toString('base64')}`, 'here')).toBeUndefined();
    }
  });
});
