/** How long a client may take nothing of what waits for it (NGINX `send_timeout`). */
import type { Output } from "./output.ts";

export class SendDeadline {
  private readonly output: Output;
  private readonly timeoutMs: number;
  private atMs = Number.POSITIVE_INFINITY;

  constructor(output: Output, timeoutMs: number) {
    this.output = output;
    this.timeoutMs = timeoutMs;
  }

  /** Called each tick; true once when the time is over. */
  passed(nowMs: number): boolean {
    const { output } = this;
    if (output.idle) {
      this.atMs = Number.POSITIVE_INFINITY;
    } else if (output.progressed || this.atMs === Number.POSITIVE_INFINITY) {
      output.progressed = false;
      this.atMs = nowMs + this.timeoutMs;
    } else if (nowMs >= this.atMs) {
      this.atMs = Number.POSITIVE_INFINITY;
      return true;
    }
    return false;
  }
}
