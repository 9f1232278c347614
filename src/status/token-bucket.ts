/** A rate with a burst: `burst` at once, `perSecond` in the long run. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #monotonicMs: () => number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, monotonicMs: () => number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#monotonicMs = monotonicMs;
    this.#tokens = burst;
    this.#atMs = monotonicMs();
  }

  /** Whether there was one. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Takes one even where there is none: who comes later waits the longer. */
  spend(): void {
    this.#refill();
    this.#tokens--;
  }

  /** Until there is one. Rounded up, so that a timer of so long finds it. */
  waitMs(): number {
    this.#refill();
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000);
  }

  #refill(): void {
    const nowMs = this.#monotonicMs();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
  }
}
