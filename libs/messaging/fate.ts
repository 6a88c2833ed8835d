import { Refusal } from '#domain/refusal.js';
import { LogUnavailable } from '#eventstore/append.js';

/** What becomes of a message whose handler threw. */
export type Fate =
  /** The plane's own ground is away (its database, its bus): kept, and tried again without counting. */
  | { readonly kind: 'wait'; readonly reason: string }
  /** May pass: handed back, to come again later. */
  | { readonly kind: 'again'; readonly reason: string }
  /** For good: to the dead letters. */
  | { readonly kind: 'dead'; readonly reason: string };

/**
 * An error's three kinds, three fates. A ProviderError is told by its `retryable`, since its class lives in a room above. An error of
 * ours is tried again: most are a race or a restart, and what is not ends in the dead letters after the last delivery.
 */
export function fateOf(error: unknown, deliveryCount: number, maxDeliveries: number): Fate {
  const reason = reasonOf(error);
  if (isOutage(error)) return { kind: 'wait', reason };
  if (error instanceof Refusal) return { kind: 'dead', reason: `refused (${error.code}): ${error.message}` };
  if (isFinal(error)) return { kind: 'dead', reason };
  if (deliveryCount >= maxDeliveries) return { kind: 'dead', reason: `given up after ${deliveryCount} deliveries: ${reason}` };
  return { kind: 'again', reason };
}

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 30_000;

/** How long to wait before the next try: doubled each time up to 30 s, of which half is by chance, so that many do not come back at once. */
export function backOffMs(attempt: number, chance: number): number {
  const full = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 16));
  return Math.round(full / 2 + (full / 2) * chance);
}

/** One line that fits a log and a dead letter. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replace(/\s+/g, ' ').slice(0, 500);
}

function isFinal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'retryable' in error && error.retryable === false;
}

/** The log, connection errors of Node, and PostgreSQL's classes 08 (connection), 53 (resources) and 57P (shutdown, not yet started). */
function isOutage(error: unknown): boolean {
  if (error instanceof LogUnavailable) return true;
  if (!(error instanceof Error) || 'retryable' in error) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (/^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EHOSTUNREACH|08\w{3}|53\w{3}|57P\w{2})$/.test(code)) return true;
  if (/^Connection terminated/.test(error.message)) return true;
  return error.cause !== undefined && error.cause !== error && isOutage(error.cause);
}
