/**
 * What one process counts while it serves: plain numbers that the request path raises in place. They become
 * metrics only when somebody asks (see `stats-report.ts` and `metrics.ts`).
 */

import { DurationHistogram } from "./histogram.ts";
import type { EndpointReport, StatsReport } from "./stats-report.ts";

/** Routes, and endpoints, that are counted by name; the rest share the name `OTHER`. Bounds memory and scrapes. */
export const MAX_NAMED_SERIES = 10_000;
export const OTHER = "other";
/** The route of requests that no rule matched or that could not be read. */
export const UNMATCHED = "";

/** Requests of one rule. */
export class RouteStats {
  /** By first digit of the status; 0 where no status was sent. */
  readonly requestsByClass: number[] = [0, 0, 0, 0, 0, 0];
  totalMs = 0;

  /** Once per request, when it ends. */
  record(status: number, durationMs: number): void {
    const statusClass = (status / 100) | 0;
    this.requestsByClass[statusClass <= 5 ? statusClass : 0]!++;
    this.totalMs += durationMs;
  }
}

/** One endpoint, as its pool sees it. */
export class EndpointStats {
  /** Times that it was tried. */
  requests = 0;
  /** Tries that counted against it. */
  failures = 0;
  ejections = 0;
  /** Gauges. */
  inFlight = 0;
  ejected = false;
}

export class Stats {
  connectionsAccepted = 0;
  /** Refused for want of room. */
  connectionsRejected = 0;
  connectionsActive = 0;
  requestsActive = 0;
  /** Upgraded connections that are open. */
  tunnelsActive = 0;
  /** From and to clients, heads included. */
  receivedBytes = 0;
  sentBytes = 0;
  /** Endpoints tried after a request's first. */
  retries = 0;
  /** Whole requests, to the last byte sent. */
  readonly requestDuration = new DurationHistogram();
  /** From the first contact with an endpoint to the first byte of its response. */
  readonly firstByte = new DurationHistogram();

  readonly #protocolErrors = new Map<string, number>();
  readonly #errors = new Map<string, number>();
  readonly #boundHits = new Map<string, number>();
  #routes = new Map<string, RouteStats>([[UNMATCHED, new RouteStats()]]);
  readonly #endpoints = new Map<string, EndpointStats>();
  readonly #otherRoutes = new RouteStats();
  readonly #otherEndpoints = new EndpointStats();

  /** A request that broke HTTP's rules. `kind` is one of the parser's fixed names. */
  protocolError(kind: string): void {
    raise(this.#protocolErrors, kind, 1);
  }

  /** A request that ended in an error, by the error's fixed kind. */
  error(kind: string): void {
    raise(this.#errors, kind, 1);
  }

  /** A named bound that took effect: `max_connections`, `body_memory`, `access_log_buffer`, … */
  boundHit(bound: string, times = 1): void {
    raise(this.#boundHits, bound, times);
  }

  /** The counters of a rule; look it up once per table, not per request. */
  route(id: string): RouteStats {
    return this.#named(this.#routes, id, RouteStats, this.#otherRoutes);
  }

  /** The counters of an endpoint's address; look it up once per table, not per request. */
  endpoint(address: string): EndpointStats {
    return this.#named(this.#endpoints, address, EndpointStats, this.#otherEndpoints);
  }

  #named<T>(all: Map<string, T>, name: string, create: new () => T, other: T): T {
    const known = all.get(name);
    if (known !== undefined) return known;
    if (all.size >= MAX_NAMED_SERIES) {
      this.boundHit("named_series");
      return other;
    }
    const fresh = new create();
    all.set(name, fresh);
    return fresh;
  }

  /** Forgets rules that a new table does not name. Call before looking its names up. */
  retainRoutes(routes: ReadonlySet<string>): void {
    this.#routes = kept(this.#routes, (id) => id === UNMATCHED || routes.has(id));
  }

  forgetEndpoint(address: string): void {
    this.#endpoints.delete(address);
  }

  report(): StatsReport {
    return {
      counters: {
        connectionsAccepted: this.connectionsAccepted,
        connectionsRejected: this.connectionsRejected,
        receivedBytes: this.receivedBytes,
        sentBytes: this.sentBytes,
        retries: this.retries,
      },
      gauges: {
        connectionsActive: this.connectionsActive,
        requestsActive: this.requestsActive,
        tunnelsActive: this.tunnelsActive,
      },
      protocolErrors: Object.fromEntries(this.#protocolErrors),
      errors: Object.fromEntries(this.#errors),
      boundHits: Object.fromEntries(this.#boundHits),
      requestDuration: this.requestDuration.report(),
      firstByte: this.firstByte.report(),
      routes: this.#reportRoutes(),
      endpoints: this.#reportEndpoints(),
    };
  }

  #reportRoutes(): StatsReport["routes"] {
    const all: [string, RouteStats][] = [...this.#routes, [OTHER, this.#otherRoutes]];
    const used = all.filter(([, route]) => route.requestsByClass.some((count) => count > 0));
    return used.map(([id, { requestsByClass, totalMs }]) => [
      id,
      { requestsByClass: [...requestsByClass], totalMs },
    ]);
  }

  #reportEndpoints(): StatsReport["endpoints"] {
    const all = [...this.#endpoints].map(([address, stats]) => [address, endpointReport(stats)] as const);
    const other = this.#otherEndpoints;
    return other.requests > 0 ? [...all, [OTHER, endpointReport(other)] as const] : all;
  }
}

function endpointReport({ requests, failures, ejections, inFlight, ejected }: EndpointStats): EndpointReport {
  return { requests, failures, ejections, inFlight, ejected: ejected ? 1 : 0 };
}

function raise(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}

function kept<T>(all: Map<string, T>, isKept: (name: string) => boolean): Map<string, T> {
  return new Map([...all].filter(([name]) => isKept(name)));
}
