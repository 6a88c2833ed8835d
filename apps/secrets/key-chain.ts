import type { KeyProvider, WrappedKey } from '#providers/key.js';
import { ProviderError } from '#providers/provider-error.js';

/** A provider that wraps, and others that hold the master keys of before: so the way leads from any provider to any other and back. */
export class KeyChain implements KeyProvider {
  readonly name: string;

  constructor(
    private readonly current: KeyProvider,
    private readonly others: readonly KeyProvider[],
  ) {
    this.name = current.name;
  }

  currentKeyId(signal?: AbortSignal): Promise<string> {
    return this.current.currentKeyId(signal);
  }

  /** Those of the other providers are theirs. */
  keyIds(signal?: AbortSignal): Promise<readonly string[]> {
    return this.current.keyIds(signal);
  }

  wrap(key: Uint8Array, context: string, signal?: AbortSignal): Promise<WrappedKey> {
    return this.current.wrap(key, context, signal);
  }

  async unwrap(wrapped: WrappedKey, context: string, signal?: AbortSignal): Promise<Uint8Array> {
    return (await this.holderOf(wrapped.keyId, signal)).unwrap(wrapped, context, signal);
  }

  async rewrap(wrapped: WrappedKey, context: string, signal?: AbortSignal): Promise<WrappedKey> {
    const holder = await this.holderOf(wrapped.keyId, signal);
    if (holder === this.current) return holder.rewrap(wrapped, context, signal);
    return this.current.wrap(await holder.unwrap(wrapped, context, signal), context, signal);
  }

  renew(signal?: AbortSignal): Promise<void> {
    return this.current.renew(signal);
  }

  forgetOthers(signal?: AbortSignal): Promise<void> {
    return this.current.forgetOthers(signal);
  }

  private async holderOf(keyId: string, signal?: AbortSignal): Promise<KeyProvider> {
    const all = [this.current, ...this.others];
    for (const one of all) if ((await one.keyIds(signal)).includes(keyId)) return one;
    throw new ProviderError(`The master key ${keyId} is in none of: ${all.map(({ name }) => name).join(', ')}. Bring it back from where it was kept.`, false);
  }
}
