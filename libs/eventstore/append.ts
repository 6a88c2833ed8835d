import type { NewMessage, StoredMessage } from '#contracts/message.js';

/** The messages that go to one stream of an append. */
export interface AppendPart {
  readonly streamId: string;
  /** Version that the stream has now; 0: it must not exist. */
  readonly expectedVersion: number;
  readonly messages: readonly NewMessage[];
}

export interface Appended {
  readonly firstPosition: number;
  readonly lastPosition: number;
  readonly messages: readonly StoredMessage[];
}

/** A stream was not at the version that the writer had read: nothing was appended; load again and decide again. */
export class ConflictError extends Error {
  override readonly name = 'ConflictError';
  constructor(
    readonly streamId: string,
    readonly expectedVersion: number,
    readonly actualVersion: number,
  ) {
    super(`${streamId} is at version ${actualVersion}, not ${expectedVersion}.`);
  }
}

/**
 * The log cannot be reached, or went away before it answered. An append that fails so may or may not have happened:
 * whoever asks again looks first for the ids that it derived (handle does).
 */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
  readonly retryable = true;
  constructor(cause: unknown) {
    super(`The log cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
