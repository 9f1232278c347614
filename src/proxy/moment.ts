/** The time of the event that is being handled: the clock is asked once per event, since asking costs. */
import type { Clock } from "../ops/clock.ts";

export class Moment {
  /** Monotonic milliseconds. */
  nowMs: number;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.nowMs = clock.monotonicMs();
  }

  /** An event begins. */
  renew(): void {
    this.nowMs = this.clock.monotonicMs();
  }
}
