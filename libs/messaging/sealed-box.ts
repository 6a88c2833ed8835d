import { createCurve, fromCurveSeed, type KeyPair } from '@nats-io/nkeys';

/** Length of a public key as text (xkeys: base32 with prefix and checksum). */
const PUBLIC_KEY_LENGTH = 56;
const PUBLIC_KEY = /^X[A-Z2-7]{55}$/;

/** Whether values can be sealed to this. */
export function isPublicKey(text: string): boolean {
  return PUBLIC_KEY.test(text);
}

/**
 * Seals a value so that only who has the other half of `publicKey` can read it, not even the sealer: base64 of a one-time public key and
 * what xkeys (X25519, XSalsa20, Poly1305) made of the value with that key. The same value gives another box each time.
 */
export function seal(value: string, publicKey: string): string {
  const oneTime = createCurve();
  try {
    const sealed = oneTime.seal(new TextEncoder().encode(value), publicKey);
    return Buffer.concat([Buffer.from(oneTime.getPublicKey(), 'ascii'), sealed]).toString('base64');
  } finally {
    oneTime.clear();
  }
}

/** The two halves of what boxes are sealed to and opened with. */
export class BoxKeys {
  private constructor(private readonly pair: KeyPair) {}

  static fresh(): BoxKeys {
    return new BoxKeys(createCurve());
  }

  /** The same pair again. */
  static fromSeed(seed: Uint8Array): BoxKeys {
    return new BoxKeys(fromCurveSeed(seed));
  }

  /** The secret half: whoever has it can open. */
  get seed(): Uint8Array {
    return this.pair.getSeed();
  }

  get publicKey(): string {
    return this.pair.getPublicKey();
  }

  /** The value in a box; undefined when it was not sealed to this pair, or was changed. */
  open(box: string): string | undefined {
    const bytes = Buffer.from(box, 'base64');
    const sender = bytes.subarray(0, PUBLIC_KEY_LENGTH).toString('ascii');
    if (!isPublicKey(sender)) return undefined;
    try {
      const opened = this.pair.open(bytes.subarray(PUBLIC_KEY_LENGTH), sender);
      return opened ? new TextDecoder().decode(opened) : undefined;
    } catch {
      return undefined;
    }
  }
}
