// Proves: what is counted comes out in reports; sums over processes; names are bounded; a process that has gone
// leaves its counts and nothing in flight.
import { describe, expect, test } from "bun:test";
import { DURATION_BOUNDS_MS } from "./histogram.ts";
import { MAX_NAMED_SERIES, OTHER, Stats, UNMATCHED } from "./stats.ts";
import { NO_STATS, restrictedTo, sumReports, withoutGauges } from "./stats-report.ts";

function busy(): Stats {
  const stats = new Stats();
  stats.connectionsAccepted = 3;
  stats.connectionsActive = 2;
  stats.requestsActive = 1;
  stats.sentBytes = 100;
  stats.error("connect_failed");
  stats.error("connect_failed");
  stats.protocolError("bad_header");
  stats.boundHit("access_log_buffer", 7);
  stats.requestDuration.observe(3);
  stats.route("a").record(200, 3);
  stats.route("a").record(499, 5);
  stats.route(UNMATCHED).record(404, 1);
  Object.assign(stats.endpoint("unix:/s"), { requests: 4, failures: 1, inFlight: 2, ejected: true });
  return stats;
}

describe("Stats", () => {
  test("reports what was counted", () => {
    const report = busy().report();
    expect(report.counters.connectionsAccepted).toBe(3);
    expect(report.errors).toEqual({ connect_failed: 2 });
    expect(report.boundHits).toEqual({ access_log_buffer: 7 });
    expect(report.routes).toEqual([
      [UNMATCHED, { requestsByClass: [0, 0, 0, 0, 1, 0], totalMs: 1 }],
      ["a", { requestsByClass: [0, 0, 1, 0, 1, 0], totalMs: 8 }],
    ]);
    expect(report.endpoints).toEqual([
      ["unix:/s", { requests: 4, failures: 1, ejections: 0, inFlight: 2, ejected: 1 }],
    ]);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  test("a status that is none, or nonsense, has a class of its own", () => {
    const stats = new Stats();
    for (const status of [0, 99, 600, 999]) stats.route("a").record(status, 0);
    expect(stats.report().routes[0]![1].requestsByClass).toEqual([4, 0, 0, 0, 0, 0]);
  });

  test("durations fall into the bucket whose bound they do not exceed", () => {
    const stats = new Stats();
    for (const ms of [0, 1, 1.01, 60_000, 60_001]) stats.requestDuration.observe(ms);
    const { counts, sumMs } = stats.report().requestDuration;
    expect([counts[0], counts[1], counts.at(-2), counts.at(-1)]).toEqual([2, 1, 1, 1]);
    expect(counts.length).toBe(DURATION_BOUNDS_MS.length + 1);
    expect(sumMs).toBeCloseTo(120_003.01 - 0.0, 1);
  });

  test("names are bounded; the rest is counted together", () => {
    const stats = new Stats();
    for (let n = 0; n < MAX_NAMED_SERIES + 500; n++) {
      stats.route(`r${n}`).record(200, 1);
      stats.endpoint(`e${n}`).requests++;
    }
    const { routes, endpoints } = stats.report();
    expect(routes.length).toBe(MAX_NAMED_SERIES);
    expect(routes.at(-1)).toEqual([OTHER, { requestsByClass: [0, 0, 501, 0, 0, 0], totalMs: 501 }]);
    expect(endpoints.at(-1)![1].requests).toBe(500);
    expect(stats.report().boundHits).toEqual({ named_series: 1001 });
  });

  test("a new table keeps the counts of what it still names, and makes room", () => {
    const stats = busy();
    stats.route("gone").record(200, 1);
    const before = stats.route("a");
    stats.retainRoutes(new Set(["a"]));
    stats.forgetEndpoint("unix:/s");
    expect(stats.route("a")).toBe(before);
    expect(stats.report().routes.map(([id]) => id)).toEqual([UNMATCHED, "a"]);
    expect(stats.report().endpoints).toEqual([]);
  });
});

describe("sums", () => {
  test("of none", () => {
    expect(sumReports([])).toEqual(NO_STATS);
  });

  test("add everything, gauges too", () => {
    const one = busy().report();
    const other = new Stats();
    other.route("b").record(500, 2);
    other.error("read_timeout");
    const sum = sumReports([one, one, other.report()]);
    expect(sum.counters.connectionsAccepted).toBe(6);
    expect(sum.gauges).toEqual({ connectionsActive: 4, requestsActive: 2, tunnelsActive: 0 });
    expect(sum.errors).toEqual({ connect_failed: 4, read_timeout: 1 });
    expect(sum.requestDuration.sumMs).toBe(6);
    expect(Object.fromEntries(sum.routes)).toEqual({
      "": { requestsByClass: [0, 0, 0, 0, 2, 0], totalMs: 2 },
      a: { requestsByClass: [0, 0, 2, 0, 2, 0], totalMs: 16 },
      b: { requestsByClass: [0, 0, 0, 0, 0, 1], totalMs: 2 },
    });
    expect(sum.endpoints[0]![1]).toEqual({ requests: 8, failures: 2, ejections: 0, inFlight: 4, ejected: 2 });
  });

  test("of a process that has gone: counts stay, gauges do not", () => {
    const left = withoutGauges(busy().report());
    expect(left.counters.connectionsAccepted).toBe(3);
    expect(left.gauges.connectionsActive).toBe(0);
    expect(left.endpoints[0]![1]).toMatchObject({ requests: 4, inFlight: 0, ejected: 0 });
    expect(
      restrictedTo(
        left,
        (id) => id === "a",
        () => false,
      ),
    ).toMatchObject({
      routes: [["a", {}]],
      endpoints: [],
    });
  });

  test("names that are special to JavaScript are only names", () => {
    const stats = new Stats();
    stats.route("__proto__").record(200, 1);
    const report = JSON.parse(JSON.stringify(stats.report()));
    expect(sumReports([report, report]).routes).toEqual([
      ["__proto__", { requestsByClass: [0, 0, 2, 0, 0, 0], totalMs: 2 }],
    ]);
  });
});
