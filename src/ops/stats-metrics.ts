/** The request path's counts as metric families. */

import { DURATION_BOUNDS_MS, type HistogramReport } from "./histogram.ts";
import type { MetricFamily, MetricSample } from "./metric-family.ts";
import type { EndpointReport, StatsReport } from "./stats-report.ts";

const PREFIX = "uwsgi_gateway_";

export const statsFamilies: readonly MetricFamily[] = [
  plain(
    "counter",
    "connections_accepted_total",
    "Client connections accepted",
    (s) => s.counters.connectionsAccepted,
  ),
  plain(
    "counter",
    "connections_rejected_total",
    "Client connections refused for want of room",
    (s) => s.counters.connectionsRejected,
  ),
  plain("gauge", "connections_active", "Client connections open", (s) => s.gauges.connectionsActive),
  plain("gauge", "requests_active", "Requests in flight", (s) => s.gauges.requestsActive),
  plain("gauge", "tunnels_active", "Upgraded connections open", (s) => s.gauges.tunnelsActive),
  plain(
    "counter",
    "received_bytes_total",
    "Bytes from clients, heads included",
    (s) => s.counters.receivedBytes,
  ),
  plain("counter", "sent_bytes_total", "Bytes to clients, heads included", (s) => s.counters.sentBytes),
  plain("counter", "retries_total", "Endpoints tried after a request's first", (s) => s.counters.retries),
  byName("protocol_errors_total", "Requests that broke HTTP's rules", "kind", (s) => s.protocolErrors),
  byName("errors_total", "Requests that ended in an error", "kind", (s) => s.errors),
  byName("bound_hits_total", "Times that a named bound took effect", "bound", (s) => s.boundHits),
  durations("request_duration_seconds", "Whole requests, to the last byte sent", (s) => s.requestDuration),
  durations(
    "upstream_first_byte_seconds",
    "From the first contact with an endpoint to the first byte of its response",
    (s) => s.firstByte,
  ),
  {
    name: `${PREFIX}requests_total`,
    help: "Requests by rule and class of status; route is empty where no rule matched",
    type: "counter",
    values: ({ stats }) =>
      stats.routes.flatMap(([route, { requestsByClass }]) => byClass(route, requestsByClass)),
  },
  {
    name: `${PREFIX}route_duration_seconds_total`,
    help: "Time spent on requests, by rule; divided by their number it gives the mean",
    type: "counter",
    values: ({ stats }) =>
      stats.routes.map(([route, { totalMs }]) => ({ labels: { route }, value: totalMs / 1000 })),
  },
  byEndpoint("counter", "endpoint_requests_total", "Times that an endpoint was tried", (e) => e.requests),
  byEndpoint(
    "counter",
    "endpoint_failures_total",
    "Tries that counted against an endpoint",
    (e) => e.failures,
  ),
  byEndpoint(
    "counter",
    "endpoint_ejections_total",
    "Times that an endpoint was taken out",
    (e) => e.ejections,
  ),
  byEndpoint("gauge", "endpoint_requests_active", "Requests that an endpoint works on", (e) => e.inFlight),
  byEndpoint("gauge", "endpoint_ejected", "Workers that hold an endpoint out now", (e) => e.ejected),
];

function plain(
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (stats: StatsReport) => number,
): MetricFamily {
  return { name: PREFIX + name, help, type, values: ({ stats }) => [{ labels: {}, value: read(stats) }] };
}

function byName(
  name: string,
  help: string,
  label: string,
  read: (stats: StatsReport) => Readonly<Record<string, number>>,
): MetricFamily {
  return {
    name: PREFIX + name,
    help,
    type: "counter",
    values: ({ stats }) =>
      Object.entries(read(stats)).map(([key, value]) => ({ labels: { [label]: key }, value })),
  };
}

function byEndpoint(
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (endpoint: EndpointReport) => number,
): MetricFamily {
  return {
    name: PREFIX + name,
    help,
    type,
    values: ({ stats }) =>
      stats.endpoints.map(([endpoint, one]) => ({ labels: { endpoint }, value: read(one) })),
  };
}

function byClass(route: string, requestsByClass: readonly number[]): MetricSample[] {
  return requestsByClass.flatMap((value, digit) =>
    value === 0 ? [] : [{ labels: { route, status_class: digit === 0 ? "none" : `${digit}xx` }, value }],
  );
}

function durations(name: string, help: string, read: (stats: StatsReport) => HistogramReport): MetricFamily {
  const full = PREFIX + name;
  return {
    name: full,
    help,
    type: "histogram",
    values: ({ stats }) => {
      const { counts, sumMs } = read(stats);
      let below = 0;
      const buckets = counts.map((count, at) => {
        const bound = DURATION_BOUNDS_MS[at];
        const le = bound === undefined ? "+Inf" : bound / 1000;
        return { metricName: `${full}_bucket`, labels: { le }, value: (below += count) };
      });
      return [
        ...buckets,
        { metricName: `${full}_sum`, labels: {}, value: sumMs / 1000 },
        { metricName: `${full}_count`, labels: {}, value: below },
      ];
    },
  };
}
