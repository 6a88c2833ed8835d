/** A key that only a master key gives back. */
export interface WrappedKey {
  /** The master key that it takes. */
  readonly keyId: string;
  /** The key as the provider encrypted it, as text. */
  readonly text: string;
}

/**
 * What holds the master keys of the vault, and wraps the keys of projects with them. A master key never leaves it.
 *
 * Every verb may be called twice, at once, or again after a crash: nothing but the outcome is left of it. A verb that fails throws a ProviderError,
 * retryable when the provider is away for now, and its message holds no key.
 */
export interface KeyProvider {
  readonly name: string;

  /** Id of the master key that `wrap` uses now. It says nothing about the key itself. */
  currentKeyId(signal?: AbortSignal): Promise<string>;

  /** Encrypts a key with the current master key; another text each time. `context` (whose key it is) has to be said again to unwrap it. */
  wrap(key: Uint8Array, context: string, signal?: AbortSignal): Promise<WrappedKey>;

  /** The key that was wrapped. Fails, not retryable, when the master key is not known here, the context is another one, or a bit was changed. */
  unwrap(wrapped: WrappedKey, context: string, signal?: AbortSignal): Promise<Uint8Array>;

  /** Ids of all master keys that unwrap here, the current one first. */
  keyIds(signal?: AbortSignal): Promise<readonly string[]>;

  /** The same key under the current master key; where the provider can, without the key leaving it. Fails like `unwrap`. */
  rewrap(wrapped: WrappedKey, context: string, signal?: AbortSignal): Promise<WrappedKey>;

  /** Makes a fresh master key the current one; those before still unwrap. Fails, not retryable, where only whoever configures it can do that. */
  renew(signal?: AbortSignal): Promise<void>;

  /** Nothing is wrapped any more with other master keys than the current one: where the provider can, they unwrap nothing from here on. */
  forgetOthers(signal?: AbortSignal): Promise<void>;
}
