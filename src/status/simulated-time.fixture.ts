/** Time for tests: events happen in order, and between two of them everything that can go on without time goes on. */
import type { Timers } from "../ops/timers.ts";

interface Pending {
  readonly atMs: number;
  readonly callback: () => void;
}

export class SimulatedTime implements Timers {
  #nowMs = 0;
  #pending: Pending[] = [];
  /** After each step. */
  onStep: () => void = () => {};

  monotonicMs(): number {
    return this.#nowMs;
  }

  start(callback: () => void, delayMs: number): unknown {
    const pending = { atMs: this.#nowMs + Math.max(0, delayMs), callback };
    this.#pending.push(pending);
    return pending;
  }

  cancel(timer: unknown): void {
    this.#pending = this.#pending.filter((each) => each !== timer);
  }

  get timersRunning(): number {
    return this.#pending.length;
  }

  after(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.start(resolve, delayMs));
  }

  /** A clock that reads `offsetMs` when this one reads 0 and goes `rate` times as fast. */
  skewed(offsetMs: number, rate: number): Timers {
    return {
      monotonicMs: () => offsetMs + this.#nowMs * rate,
      start: (callback, delayMs) => this.start(callback, delayMs / rate),
      cancel: (timer) => this.cancel(timer),
    };
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#first(endMs); next !== undefined; next = this.#first(endMs)) {
      this.cancel(next);
      this.#nowMs = next.atMs;
      next.callback();
      await settle();
      this.onStep();
    }
    this.#nowMs = endMs;
    this.onStep();
  }

  #first(endMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const each of this.#pending) if (first === undefined || each.atMs < first.atMs) first = each;
    return first !== undefined && first.atMs <= endMs ? first : undefined;
  }
}

/** Runs after every promise that can be settled. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Numbers in [0, 1): the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}
