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
  /** Pools of the table in use that name it. At 0 it drains: what is in flight finishes. */
  uses = 0;
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
  /** Named by no pool of the table in use: new ones, and those that drain. */
  private readonly unused = new Set<Endpoint>();
  private readonly stats: EndpointStatistics;

  constructor(stats: EndpointStatistics) {
    this.stats = stats;
  }

  /** The one state of an address, made when it is first named. Throws `RangeError` for a malformed address. */
  at(address: string): Endpoint {
    let endpoint = this.byAddress.get(address);
    if (!endpoint) {
      endpoint = new Endpoint(address, this.stats.endpoint(address));
      this.byAddress.set(address, endpoint);
      this.unused.add(endpoint);
    }
    return endpoint;
  }

  /**
   * The pools of a table take the place of those of the one before; what is the same pool under the same key costs nothing. What no
   * pool names any more is forgotten once nothing is in flight there.
   */
  swap(before: Pools, now: Pools): void {
    for (const [key, pool] of now) if (before.get(key) !== pool) this.take(pool.endpoints());
    for (const [key, pool] of before) if (now.get(key) !== pool) this.release(pool.endpoints());
    this.sweep();
  }

  private take(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) if (endpoint.uses++ === 0) this.unused.delete(endpoint);
  }

  private release(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) if (--endpoint.uses === 0) this.unused.add(endpoint);
  }

  private sweep(): void {
    for (const endpoint of this.unused) {
      if (endpoint.inFlight > 0) continue;
      this.unused.delete(endpoint);
      // The counters may be shared with others: see the bound on named series.
      endpoint.stats.ejected = false;
      this.byAddress.delete(endpoint.address);
      this.stats.forgetEndpoint(endpoint.address);
    }
  }

  all(): IterableIterator<Endpoint> {
    return this.byAddress.values();
  }
}

type Pools = ReadonlyMap<string, { endpoints(): readonly Endpoint[] }>;

interface EndpointStatistics {
  endpoint(address: string): EndpointStats;
  forgetEndpoint(address: string): void;
}
