import { CommanderError } from 'commander';
import { UnreachableError } from '#api/client.js';
import { ProblemError, type ProblemCode } from '#api/problem.js';

/** What scripts can rely on; printed by `hostplane help exit-codes` too. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  signedOut: 5,
  unreachable: 6,
} as const;

export const exitCodesHelp = `
Exit codes:
  0  done
  1  an operation failed, or something went wrong
  2  the command line is wrong
  3  refused: not valid, not allowed, or in conflict with what is there
  4  not found
  5  not signed in, or the token is not valid any more
  6  the server cannot be reached, or is not available`;

/** The command line is wrong in a way that commander cannot see. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What was asked for was taken on, and then failed. */
export class FailedError extends Error {
  override readonly name = 'FailedError';
}

const ofProblem: Partial<Record<ProblemCode, number>> = {
  'not-found': exitCodes.notFound,
  unauthenticated: exitCodes.signedOut,
  unavailable: exitCodes.unreachable,
  internal: exitCodes.failed,
  'storage-full': exitCodes.failed,
  unfinished: exitCodes.failed,
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof ProblemError) return ofProblem[error.code] ?? exitCodes.refused;
  if (error instanceof UnreachableError) return exitCodes.unreachable;
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof UsageError) return exitCodes.usage;
  return exitCodes.failed;
}
