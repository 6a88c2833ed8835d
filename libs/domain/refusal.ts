export type RefusalCode = 'invalid' | 'not-found' | 'conflict' | 'forbidden' | 'too-large' | 'unsupported' | 'quota-exceeded' | 'unfinished';

/** The caller's fault: shown to the caller as it stands. Its message says what, with which value, and what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  constructor(
    readonly code: RefusalCode,
    message: string,
    /** The field of the request that is meant, as a path, for example app.port. */
    readonly field?: string,
  ) {
    super(message);
  }
}
