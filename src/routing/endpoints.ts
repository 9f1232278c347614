/**
 * What is known of each endpoint: requests in flight, failures. Keyed by address, so that it survives every
 * swap of the routing table; kept per process.
 */
import { type DialTarget, parseAddress } from "../net/stream.ts";
import type { EndpointStats } from "../ops/stats.ts";

export interface HealthSettings {
  /** Failures that take an endpoint out; 0: never. NGINX `max_fails`. */
  readonly maxFails: number;
  /** The time in which they count, and for which it stays out. NGINX `fail_timeout`. */
  readonly failTimeoutMs: number;
}

export class Endpoint {
  readonly address: string;
  readonly target: DialTarget;
  readonly stats: EndpointStats;
  inFlight = 0;
  /** Dials that were given up and that the kernel still holds: nothing can call them back. */
  danglingDials = 0;
  /** The table in use names it. Otherwise it drains: what is in flight finishes. */
  current = true;
  private fails = 0;
  private failedAtMs = 0;
  /** When it was last tried after `failTimeoutMs` without a failure. */
  private probedAtMs = 0;
  /** `failTimeoutMs`, where it was taken out by the last failure. */
  private outForMs = 0;

  constructor(address: string, stats: EndpointStats) {
    this.address = address;
    this.target = parseAddress(address);
    this.stats = stats;
  }

  /** Whether requests may be sent. After `failTimeoutMs` one is let through, and its outcome decides. */
  available(health: HealthSettings, nowMs: number): boolean {
    if (this.fails === 0 || health.maxFails === 0 || this.fails < health.maxFails) return true;
    return nowMs - Math.max(this.failedAtMs, this.probedAtMs) >= health.failTimeoutMs;
  }

  /** A request is on its way. */
  begin(health: HealthSettings, nowMs: number): void {
    this.inFlight++;
    this.stats.inFlight++;
    this.stats.requests++;
    if (this.fails === 0) return;
    if (nowMs - Math.max(this.failedAtMs, this.probedAtMs) >= health.failTimeoutMs) this.probedAtMs = nowMs;
  }

  /** It is over, for better or worse. */
  end(): void {
    this.inFlight--;
    this.stats.inFlight--;
  }

  /** Clears what failed only after the time in which it counts, as NGINX does: an older request proves nothing. */
  succeeded(): void {
    if (this.fails === 0 || this.probedAtMs <= this.failedAtMs) return;
    this.fails = 0;
    this.stats.ejected = false;
  }

  /** Brings the gauge up to date: it comes back by the passing of time. */
  refreshStats(nowMs: number): void {
    if (nowMs - Math.max(this.failedAtMs, this.probedAtMs) >= this.outForMs) this.stats.ejected = false;
  }

  failed(health: HealthSettings, nowMs: number): void {
    this.stats.failures++;
    const lapsed = nowMs - this.failedAtMs >= health.failTimeoutMs;
    if (lapsed && this.fails < health.maxFails) this.fails = 0;
    this.fails++;
    this.failedAtMs = nowMs;
    if (health.maxFails === 0 || this.fails < health.maxFails) return;
    if (this.fails === health.maxFails) this.stats.ejections++;
    this.outForMs = health.failTimeoutMs;
    this.stats.ejected = true;
  }
}

export class EndpointRegistry {
  private readonly byAddress = new Map<string, Endpoint>();
  private readonly statsFor: (address: string) => EndpointStats;

  constructor(statsFor: (address: string) => EndpointStats) {
    this.statsFor = statsFor;
  }

  /** The one state of an address, made when it is first named. Throws `RangeError` for a malformed address. */
  at(address: string): Endpoint {
    let endpoint = this.byAddress.get(address);
    if (!endpoint) {
      endpoint = new Endpoint(address, this.statsFor(address));
      this.byAddress.set(address, endpoint);
    }
    return endpoint;
  }

  /** Marks what the table in use names, and forgets the rest once nothing is in flight there. */
  retain(used: ReadonlySet<Endpoint>): void {
    for (const endpoint of this.byAddress.values()) {
      endpoint.current = used.has(endpoint);
      if (endpoint.current || endpoint.inFlight > 0) continue;
      endpoint.stats.ejected = false;
      this.byAddress.delete(endpoint.address);
    }
  }

  all(): IterableIterator<Endpoint> {
    return this.byAddress.values();
  }
}
