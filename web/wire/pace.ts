// How long to wait before asking again: full jitter, so that a crowd that was cut off together does not
// return together.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** A random wait before attempt `attempt` (from 0), in ms. */
export function backoffMs(attempt: number, { firstMs = FIRST_MS, longestMs = LONGEST_MS } = {}): number {
  return Math.random() * Math.min(longestMs, firstMs * 2 ** Math.min(attempt, 10));
}
