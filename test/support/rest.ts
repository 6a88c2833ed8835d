const SHORTEST_MS = 25;
const LONGEST_MS = 250;

/** How long to rest before the next look at what has been waited for since then: a twentieth of it, so that a long wait costs the machine little, and comes hardly later to its end. */
export function restMs(sinceMs: number): number {
  return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, (Date.now() - sinceMs) / 20));
}
