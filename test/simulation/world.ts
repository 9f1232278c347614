/** Simulated time: one queue of events that run in order, and the timers and clock of what is under test, driven by it. */
import { setImmediate as nextTurn } from "node:timers";
import type { Clock } from "../../src/ops/clock.ts";
import { Random } from "../fuzz/random.ts";

interface Event {
  readonly atMs: number;
  readonly task: () => void;
  cancelled: boolean;
}

export class World {
  readonly random: Random;
  nowMs = 0;
  readonly clock: Clock = {
    epochMs: () => Math.floor(1_750_000_000_000 + this.nowMs),
    monotonicMs: () => this.nowMs,
  };
  /** Latest first. */
  private readonly events: Event[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  /** True once in so many times, on average. */
  oneIn(times: number): boolean {
    return this.random.below(times) === 0;
  }

  /** From `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.random.below(high - low + 1);
  }

  after(delayMs: number, task: () => void): Event {
    const event = { atMs: this.nowMs + delayMs, task, cancelled: false };
    let at = this.events.length;
    while (at > 0 && this.events[at - 1]!.atMs <= event.atMs) at--;
    this.events.splice(at, 0, event);
    return event;
  }

  /** Soon, in no order that could be relied on. */
  soon(task: () => void): void {
    this.after(this.random.below(4000) / 1000, task);
  }

  /** Runs events until none is left. Throws what an event throws, and when time passes `untilMs`. */
  async run(untilMs: number): Promise<void> {
    while (this.events.length > 0) {
      await this.runReady(untilMs);
      // Closing a watch of the file system may run promises from within itself: only here is everybody done.
      await new Promise<void>((resolve) => nextTurn(resolve));
    }
  }

  private async runReady(untilMs: number): Promise<void> {
    for (let event = this.events.pop(); event !== undefined; event = this.events.pop()) {
      if (event.cancelled) continue;
      if (event.atMs > untilMs) throw new Error(`something still goes on after ${untilMs} ms`);
      this.nowMs = event.atMs;
      event.task();
      // Lets promises settle, so that their order does not depend on what else the process does.
      await undefined;
    }
  }

  /** Puts this world's timers in place of the runtime's; gives the way back. */
  takeTimers(): () => void {
    const real = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, queueMicrotask };
    const once = (task: () => void, delayMs = 0) => this.after(delayMs, task);
    const cancel = (event: Event | undefined) => {
      if (event !== undefined) event.cancelled = true;
    };
    const repeat = (task: () => void, everyMs: number) => {
      const handle = { cancelled: false };
      const turn = () => {
        if (handle.cancelled) return;
        task();
        if (!handle.cancelled) this.after(everyMs, turn);
      };
      this.after(everyMs, turn);
      return handle;
    };
    Object.assign(globalThis, {
      setTimeout: once,
      setInterval: repeat,
      setImmediate: (task: () => void) => once(task),
      queueMicrotask: (task: () => void) => once(task),
      clearTimeout: cancel,
      clearInterval: cancel,
    });
    return () => Object.assign(globalThis, real);
  }
}
