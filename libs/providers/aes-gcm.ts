import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Bytes of a key. */
export const KEY_BYTES = 32;
/** As NIST SP 800-38D recommends for random nonces: good for 2^32 texts a key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const FORM = 'v1:';

/**
 * Encrypts with AES-256-GCM under a nonce of its own: `v1:` and base64 of nonce, ciphertext and tag. `context` says what the text is for; it is
 * not in the text, and decrypting takes the same.
 */
export function encrypt(key: Uint8Array, plain: Uint8Array, context: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return FORM + sealed.toString('base64');
}

/** What was encrypted; undefined when key or context are others, or a bit was changed. */
export function decrypt(key: Uint8Array, text: string, context: string): Buffer | undefined {
  const bytes = Buffer.from(text.slice(FORM.length), 'base64');
  if (!text.startsWith(FORM) || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}
