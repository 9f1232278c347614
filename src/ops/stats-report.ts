/** The counts of one process at one moment, as plain JSON, and their sum over processes. */

import { DURATION_BOUNDS_MS, type HistogramReport } from "./histogram.ts";

export interface StatsReport {
  readonly counters: {
    readonly connectionsAccepted: number;
    readonly connectionsRejected: number;
    readonly receivedBytes: number;
    readonly sentBytes: number;
    readonly retries: number;
  };
  readonly gauges: {
    readonly connectionsActive: number;
    readonly requestsActive: number;
    readonly tunnelsActive: number;
  };
  /** By kind, or by name of the bound. */
  readonly protocolErrors: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly boundHits: Readonly<Record<string, number>>;
  readonly requestDuration: HistogramReport;
  readonly firstByte: HistogramReport;
  /** By rule id; only rules that had requests. Pairs, since a name from a manifest may be `__proto__`. */
  readonly routes: readonly (readonly [string, RouteReport])[];
  /** By address. */
  readonly endpoints: readonly (readonly [string, EndpointReport])[];
}

export interface RouteReport {
  /** By first digit of the status; 0 where no status was sent. */
  readonly requestsByClass: readonly number[];
  readonly totalMs: number;
}

export interface EndpointReport {
  readonly requests: number;
  readonly failures: number;
  readonly ejections: number;
  readonly inFlight: number;
  /** Processes that take it for ejected now. */
  readonly ejected: number;
}

const noDurations: HistogramReport = { counts: new Array(DURATION_BOUNDS_MS.length + 1).fill(0), sumMs: 0 };

export const NO_STATS: StatsReport = {
  counters: { connectionsAccepted: 0, connectionsRejected: 0, receivedBytes: 0, sentBytes: 0, retries: 0 },
  gauges: { connectionsActive: 0, requestsActive: 0, tunnelsActive: 0 },
  protocolErrors: {},
  errors: {},
  boundHits: {},
  requestDuration: noDurations,
  firstByte: noDurations,
  routes: [],
  endpoints: [],
};

export function sumReports(reports: readonly StatsReport[]): StatsReport {
  return reports.reduce(sumOfTwo, NO_STATS);
}

/** What stays of a process that has gone: its counts, but nothing in flight. Keeps sums from going backwards. */
export function withoutGauges(report: StatsReport): StatsReport {
  return {
    ...report,
    gauges: NO_STATS.gauges,
    endpoints: report.endpoints.map(([name, one]) => [name, { ...one, inFlight: 0, ejected: 0 }]),
  };
}

/** Drops rules and endpoints that the predicates do not know, so that what is kept stays bounded. */
export function restrictedTo(
  report: StatsReport,
  hasRoute: (id: string) => boolean,
  hasEndpoint: (address: string) => boolean,
): StatsReport {
  return {
    ...report,
    routes: report.routes.filter(([id]) => hasRoute(id)),
    endpoints: report.endpoints.filter(([address]) => hasEndpoint(address)),
  };
}

function sumOfTwo(a: StatsReport, b: StatsReport): StatsReport {
  return {
    counters: sumFields(a.counters, b.counters),
    gauges: sumFields(a.gauges, b.gauges),
    protocolErrors: sumFields(a.protocolErrors, b.protocolErrors),
    errors: sumFields(a.errors, b.errors),
    boundHits: sumFields(a.boundHits, b.boundHits),
    requestDuration: sumHistograms(a.requestDuration, b.requestDuration),
    firstByte: sumHistograms(a.firstByte, b.firstByte),
    routes: sumNamed(a.routes, b.routes, (x, y) => ({
      requestsByClass: sumArrays(x.requestsByClass, y.requestsByClass),
      totalMs: x.totalMs + y.totalMs,
    })),
    endpoints: sumNamed(a.endpoints, b.endpoints, sumFields),
  };
}

function sumFields<T extends object>(a: T, b: T): T {
  const sum = { ...a } as Record<string, number>;
  for (const [name, value] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + (value as number);
  return sum as T;
}

function sumHistograms(a: HistogramReport, b: HistogramReport): HistogramReport {
  return { counts: sumArrays(a.counts, b.counts), sumMs: a.sumMs + b.sumMs };
}

function sumArrays(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, at) => value + b[at]!);
}

function sumNamed<T>(
  a: readonly (readonly [string, T])[],
  b: readonly (readonly [string, T])[],
  add: (x: T, y: T) => T,
): (readonly [string, T])[] {
  if (a.length === 0) return [...b];
  const sum = new Map(a);
  for (const [name, value] of b) {
    const before = sum.get(name);
    sum.set(name, before === undefined ? value : add(before, value));
  }
  return [...sum];
}
