import type { KeyProvider, WrappedKey } from '../key.js';
import { ProviderError } from '../provider-error.js';
import { TransitClient, type TransitSettings } from './transit-client.js';

/** What the API says of a key, as far as it matters here. */
interface KeyInfo {
  readonly type: string;
  readonly derived: boolean;
  readonly latest_version: number;
  readonly min_decryption_version: number;
  readonly supports_encryption: boolean;
}

/** Length of the context's share of what is encrypted, as 4 bytes in front of it. */
const LENGTH_BYTES = 4;

/**
 * Master keys that HashiCorp Vault's transit engine holds and never gives out; each version of the key is one. Whose key was wrapped is encrypted
 * with it, rather than given as associated data, which `rewrap` does not take: so a key is wrapped anew without leaving Vault.
 */
export class VaultTransit implements KeyProvider {
  readonly name = 'vault-transit';
  private readonly client: TransitClient;

  constructor(private readonly settings: TransitSettings) {
    this.client = new TransitClient(settings);
  }

  async currentKeyId(signal?: AbortSignal): Promise<string> {
    return this.idOf((await this.info(signal)).latest_version);
  }

  async keyIds(signal?: AbortSignal): Promise<readonly string[]> {
    const { latest_version: latest, min_decryption_version: least } = await this.info(signal);
    return Array.from({ length: latest - Math.max(least, 1) + 1 }, (_, back) => this.idOf(latest - back));
  }

  async wrap(key: Uint8Array, context: string, signal?: AbortSignal): Promise<WrappedKey> {
    const plaintext = framed(key, context).toString('base64');
    return this.wrapped(await this.client.post('encrypt', { plaintext }, signal));
  }

  async unwrap({ keyId, text }: WrappedKey, context: string, signal?: AbortSignal): Promise<Uint8Array> {
    this.mustBeOurs(keyId, context);
    const { plaintext } = await this.client.post<{ plaintext?: string }>('decrypt', { ciphertext: text }, signal);
    const key = plaintext === undefined ? undefined : unframed(Buffer.from(plaintext, 'base64'), context);
    if (key) return key;
    throw new ProviderError(`What Vault decrypted are not the keys of ${context}: they are another one's.`, false);
  }

  async rewrap({ keyId, text }: WrappedKey, context: string, signal?: AbortSignal): Promise<WrappedKey> {
    this.mustBeOurs(keyId, context);
    return this.wrapped(await this.client.post('rewrap', { ciphertext: text }, signal));
  }

  async renew(signal?: AbortSignal): Promise<void> {
    await this.client.rotate(signal);
  }

  /** Which versions may still decrypt is said in Vault, where other things may depend on the key. */
  forgetOthers(): Promise<void> {
    return Promise.resolve();
  }

  private async info(signal?: AbortSignal): Promise<KeyInfo> {
    const info = await this.client.read<KeyInfo>(signal);
    if (info.derived) throw new ProviderError(`The key ${this.settings.key} in Vault derives keys from a context, which is not supported: make one without \`derived\`.`, false);
    if (!info.supports_encryption) throw new ProviderError(`The key ${this.settings.key} in Vault, of the type ${info.type}, cannot encrypt: make one of the type aes256-gcm96.`, false);
    return info;
  }

  private idOf(version: number): string {
    return `vault:${this.settings.mount}/${this.settings.key}:v${version}`;
  }

  private wrapped({ ciphertext = '' }: { ciphertext?: string }): WrappedKey {
    const version = /^vault:v(\d+):/.exec(ciphertext)?.[1];
    if (version === undefined) throw new ProviderError('Vault answered with something that is not a ciphertext of its transit engine.', true);
    return { keyId: this.idOf(Number(version)), text: ciphertext };
  }

  private mustBeOurs(keyId: string, context: string): void {
    if (keyId.startsWith(`vault:${this.settings.mount}/${this.settings.key}:v`)) return;
    throw new ProviderError(`The keys of ${context} were wrapped with ${keyId}, and not with the key ${this.settings.key} of Vault's ${this.settings.mount}.`, false);
  }
}

function framed(key: Uint8Array, context: string): Buffer {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(Buffer.byteLength(context));
  return Buffer.concat([length, Buffer.from(context), key]);
}

function unframed(plain: Buffer, context: string): Uint8Array | undefined {
  if (plain.length < LENGTH_BYTES) return undefined;
  const end = LENGTH_BYTES + plain.readUInt32BE();
  return plain.subarray(LENGTH_BYTES, end).toString() === context ? plain.subarray(end) : undefined;
}
