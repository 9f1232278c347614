/** Gateway API durations (GEP-2257): `1m30s`, `500ms`; one to four parts, whole numbers of h, m, s, ms. */
export const DURATION_PATTERN = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;

/** Above this, timers of the runtimes would overflow; and no sensible timeout is longer. */
export const MAX_DURATION_MS = 24 * 60 * 60 * 1000;

const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** Milliseconds, or `undefined` where the text does not match `DURATION_PATTERN`. */
export function durationMs(text: string): number | undefined {
  if (!DURATION_PATTERN.test(text)) return undefined;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g))
    total += Number(count) * UNIT_MS[unit!]!;
  return total;
}
