import type { DomainName, EdgeAsk } from './domain-name.js';

/** Whether an answer is to what the domain waits for. It is asked again while the first ask may still be tried, so the answer to any of them counts. */
export function awaitsAnswer({ awaits }: Pick<DomainName, 'awaits'>, { operationId, turn }: EdgeAsk): boolean {
  return awaits?.operationId === operationId && awaits.since <= turn && turn <= awaits.turn;
}
