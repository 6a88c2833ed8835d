/** How patiently a domain is looked at. All in milliseconds. */
export interface CheckPolicy {
  /** Between the first two checks; doubled after each one. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** After so long a domain that is not proven fails. */
  readonly deadlineMs: number;
  /** An edge that has not answered for so long is asked again. */
  readonly edgeDelayMs: number;
}

export const plus = (time: string, ms: number): string => new Date(Date.parse(time) + ms).toISOString();

/** When to look again after this many tries; never after the deadline, so that the last look is at the deadline itself. */
export function nextCheckAt(now: string, tries: number, deadlineAt: string, policy: CheckPolicy): string {
  const delayMs = Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** Math.min(tries - 1, 30));
  const next = plus(now, delayMs);
  return next < deadlineAt ? next : deadlineAt;
}
