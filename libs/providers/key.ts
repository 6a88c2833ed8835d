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
}
