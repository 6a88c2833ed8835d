import { createHash } from 'node:crypto';
import { decrypt, encrypt, KEY_BYTES } from '../aes-gcm.js';
import type { KeyProvider, WrappedKey } from '../key.js';
import { ProviderError } from '../provider-error.js';

/** Master keys that this process holds itself; the first one wraps, all of them unwrap. */
export class LocalKeys implements KeyProvider {
  private readonly keys: ReadonlyMap<string, Uint8Array>;
  private readonly current: string;

  constructor(
    readonly name: string,
    keys: readonly [Uint8Array, ...Uint8Array[]],
  ) {
    this.keys = new Map(keys.map((key) => [keyIdOf(key), key]));
    this.current = keyIdOf(keys[0]);
  }

  currentKeyId(): Promise<string> {
    return Promise.resolve(this.current);
  }

  async wrap(key: Uint8Array, context: string): Promise<WrappedKey> {
    return { keyId: this.current, text: encrypt(this.master(this.current), key, context) };
  }

  async unwrap({ keyId, text }: WrappedKey, context: string): Promise<Uint8Array> {
    const key = decrypt(this.master(keyId), text, context);
    if (key) return key;
    throw new ProviderError(`The keys of ${context} cannot be unwrapped with the master key ${keyId}: they were changed, or are another one's.`, false);
  }

  private master(keyId: string): Uint8Array {
    const master = this.keys.get(keyId);
    if (master) return master;
    throw new ProviderError(`The master key ${keyId} is not here. There is: ${[...this.keys.keys()].join(', ')}. Bring it back from where it was kept.`, false);
  }
}

/** A master key as people keep it: 32 bytes in base64. Undefined when it is not one. */
export function readMasterKey(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return /^[A-Za-z0-9+/]{43}=?$/.test(text) && bytes.length === KEY_BYTES ? bytes : undefined;
}

/** Tells keys apart, and says nothing about them: a key is random, so nobody can try keys until the hash fits. */
function keyIdOf(key: Uint8Array): string {
  return createHash('sha256').update('hostplane master key').update(key).digest('hex').slice(0, 16);
}
