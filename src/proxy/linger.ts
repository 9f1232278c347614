/** How long a connection reads on behind its last answer, so that a reset for what the client still sends does not overtake that. */

/** NGINX `lingering_timeout`, between two reads, and `lingering_time`. */
const lingerMs = 5000;
const maxLingerMs = 30_000;

export class Linger {
  private toMs = 0;

  /** Returns until when to read, monotonic milliseconds. */
  begin(nowMs: number): number {
    this.toMs = nowMs + maxLingerMs;
    return nowMs + lingerMs;
  }

  /** The same, as more came. */
  more(nowMs: number): number {
    return Math.min(this.toMs, nowMs + lingerMs);
  }
}
