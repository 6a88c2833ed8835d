import { createHash, randomBytes } from 'node:crypto';
import { decrypt, encrypt, KEY_BYTES } from '../aes-gcm.js';
import type { KeyProvider, WrappedKey } from '../key.js';
import { ProviderError } from '../provider-error.js';

/** Where master keys are kept: the first one wraps, all of them unwrap. */
export interface KeyShelf {
  read(): Promise<readonly [Uint8Array, ...Uint8Array[]]>;
  /** Keeps these in place of all others; a shelf without it is changed by people alone. */
  write?(keys: readonly Uint8Array[]): Promise<void>;
  /** What people do to have another key. */
  readonly howToRenew: string;
}

/** Master keys that this process holds itself. They are looked up each time: another process may have put a new one in front. */
export class LocalKeys implements KeyProvider {
  constructor(
    readonly name: string,
    private readonly shelf: KeyShelf,
  ) {}

  async currentKeyId(): Promise<string> {
    return keyIdOf((await this.shelf.read())[0]);
  }

  async keyIds(): Promise<readonly string[]> {
    return (await this.shelf.read()).map(keyIdOf);
  }

  async wrap(key: Uint8Array, context: string): Promise<WrappedKey> {
    const [current] = await this.shelf.read();
    return { keyId: keyIdOf(current), text: encrypt(current, key, context) };
  }

  async unwrap({ keyId, text }: WrappedKey, context: string): Promise<Uint8Array> {
    const keys = await this.shelf.read();
    const master = keys.find((key) => keyIdOf(key) === keyId);
    if (!master) throw new ProviderError(`The master key ${keyId} is not here. There is: ${keys.map(keyIdOf).join(', ')}. Bring it back from where it was kept.`, false);
    const key = decrypt(master, text, context);
    if (key) return key;
    throw new ProviderError(`The keys of ${context} cannot be unwrapped with the master key ${keyId}: they were changed, or are another one's.`, false);
  }

  async rewrap(wrapped: WrappedKey, context: string): Promise<WrappedKey> {
    return this.wrap(await this.unwrap(wrapped, context), context);
  }

  async renew(): Promise<void> {
    if (!this.shelf.write) throw new ProviderError(this.shelf.howToRenew, false);
    await this.shelf.write([randomBytes(KEY_BYTES), ...(await this.shelf.read())]);
  }

  async forgetOthers(): Promise<void> {
    const [current, ...others] = await this.shelf.read();
    if (others.length > 0) await this.shelf.write?.([current]);
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
