/** Somebody on the bus does not answer right now. Recognised by `retryable`, like a ProviderError that may pass. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
  readonly retryable = true;
}
