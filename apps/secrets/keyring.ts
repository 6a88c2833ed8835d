import { randomBytes } from 'node:crypto';
import { BoxKeys } from '#messaging/sealed-box.js';
import { decrypt, encrypt, KEY_BYTES } from '#providers/aes-gcm.js';
import { ProviderError } from '#providers/provider-error.js';

/** Where a ciphertext belongs: it opens nowhere else. */
export interface Place {
  readonly secretId: string;
  readonly version: number;
}

/** A project's keys in the clear: one that encrypts what the vault keeps, and a pair that others seal values to. */
export class Keyring {
  private constructor(
    readonly projectId: string,
    private readonly dataKey: Uint8Array,
    private readonly pair: BoxKeys,
  ) {}

  static fresh(projectId: string): Keyring {
    return new Keyring(projectId, randomBytes(KEY_BYTES), BoxKeys.fresh());
  }

  static fromBytes(projectId: string, bytes: Uint8Array): Keyring {
    // Copies: what is opened with the pair must not change with the buffer.
    return new Keyring(projectId, Uint8Array.from(bytes.subarray(0, KEY_BYTES)), BoxKeys.fromSeed(Uint8Array.from(bytes.subarray(KEY_BYTES))));
  }

  /** All that it takes to have it again: to be wrapped. */
  get bytes(): Uint8Array {
    return Buffer.concat([this.dataKey, this.pair.seed]);
  }

  get publicKey(): string {
    return this.pair.publicKey;
  }

  encrypt(value: string, place: Place): string {
    return encrypt(this.dataKey, Buffer.from(value), this.contextOf(place));
  }

  decrypt(ciphertext: string, place: Place): string {
    const plain = decrypt(this.dataKey, ciphertext, this.contextOf(place));
    if (plain) return plain.toString();
    throw new ProviderError(`The secret ${place.secretId} cannot be decrypted with the keys of the project ${this.projectId}: one of the two was changed.`, false);
  }

  /** The value that was sealed to the public key; undefined when it was sealed to another one. */
  openBox(box: string): string | undefined {
    return this.pair.open(box);
  }

  private contextOf({ secretId, version }: Place): string {
    return JSON.stringify(['hostplane secret', this.projectId, secretId, version]);
  }
}
