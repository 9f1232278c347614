import { setImmediate } from "node:timers/promises";

/** Cuts long work into pieces, since it shares its event loop with requests. */
export class TimeSlice {
  readonly #lengthMs: number;
  #endMs: number;

  constructor(lengthMs = 4) {
    this.#lengthMs = lengthMs;
    this.#endMs = performance.now() + lengthMs;
  }

  /** Asked after each small step; awaiting `pause` only then keeps steps cheap. */
  isOver(): boolean {
    return performance.now() >= this.#endMs;
  }

  /** Lets everything that waits have its turn. */
  async pause(): Promise<void> {
    await setImmediate();
    this.#endMs = performance.now() + this.#lengthMs;
  }
}
