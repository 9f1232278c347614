/** Durations in fixed buckets: one array and one sum, cheap enough for every request. */

/** Upper bounds in milliseconds: a static file is below the first, a stuck upstream above the last. */
export const DURATION_BOUNDS_MS: readonly number[] = [
  ...[1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000],
];

export interface HistogramReport {
  /** Observations per bucket, not cumulative; one more than there are bounds. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

export class DurationHistogram {
  readonly #counts: number[] = new Array(DURATION_BOUNDS_MS.length + 1).fill(0);
  #sumMs = 0;

  observe(ms: number): void {
    let bucket = 0;
    while (bucket < DURATION_BOUNDS_MS.length && ms > DURATION_BOUNDS_MS[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sumMs += ms;
  }

  report(): HistogramReport {
    return { counts: [...this.#counts], sumMs: this.#sumMs };
  }
}
