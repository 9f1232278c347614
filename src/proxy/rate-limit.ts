/** Bytes per second towards one client, a second's worth at once (NGINX `limit_rate`). */
export class RateLimit {
  private readonly bytesPerSecond: number;
  private readonly now: () => number;
  private readonly startedAtMs: number;
  private taken = 0;

  /** `now` gives monotonic milliseconds. */
  constructor(bytesPerSecond: number, now: () => number) {
    this.bytesPerSecond = bytesPerSecond;
    this.now = now;
    this.startedAtMs = now();
  }

  /** Bytes that may leave now. */
  allowance(): number {
    const seconds = 1 + (this.now() - this.startedAtMs) / 1000;
    return Math.max(0, Math.floor(this.bytesPerSecond * seconds) - this.taken);
  }

  took(bytes: number): void {
    this.taken += bytes;
  }
}
