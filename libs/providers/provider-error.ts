/**
 * The world's fault: an engine that does not answer, an image that does not exist. A retryable one is tried again later;
 * any other is recorded as the failure of its step. The message names what failed, with which value, and what to do; no secrets.
 */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  constructor(
    message: string,
    readonly retryable: boolean,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
