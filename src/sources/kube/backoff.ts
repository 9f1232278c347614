export const MIN_BACKOFF_MS = 500;
export const MAX_BACKOFF_MS = 30_000;
/** A server may ask for longer than our own longest pause, but not for ever. */
export const MAX_RETRY_AFTER_MS = 120_000;

/** How long to wait before the next attempt: longer with each failure in a row, and never the same for two of us. */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;

  /** `random`: in [0, 1). */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** What was failing works. */
  reset(): void {
    this.#failures = 0;
  }

  afterFailureMs(retryAfterMs = 0): number {
    const longestMs = Math.min(2 * MIN_BACKOFF_MS * 2 ** Math.min(this.#failures++, 16), MAX_BACKOFF_MS);
    const ownMs = (longestMs / 2) * (1 + this.#random());
    return Math.max(ownMs, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  }

  /** After what is usual once and a fault if it goes on, such as a watch that ends. */
  afterUsualMs(): number {
    if (this.#failures > 0) return this.afterFailureMs();
    this.#failures = 1;
    return 0;
  }
}
