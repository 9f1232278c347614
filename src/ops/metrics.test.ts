// Proves: the page is Prometheus text with the summed counts of the workers, right types and escaped labels.
import { expect, test } from "bun:test";
import type { ProcessUsage } from "./metric-family.ts";
import { Metrics } from "./metrics.ts";
import { Stats } from "./stats.ts";
import { type StatsReport, sumReports } from "./stats-report.ts";

function page(reports: () => readonly StatsReport[], processes: readonly ProcessUsage[] = []): Metrics {
  return new Metrics(async () => ({ stats: sumReports(reports()), processes }));
}

test("counts of two workers are summed at scrape time", async () => {
  const workers = [new Stats(), new Stats()];
  const metrics = page(
    () => workers.map((stats) => stats.report()),
    [{ worker: 1, residentBytes: 1000, cpuSeconds: 0.5 }],
  );
  for (const stats of workers) {
    stats.requestsActive = 2;
    stats.route('UwsgiRoute/web/"odd"\n/0').record(200, 1500);
    stats.endpoint("unix:/run/app.sock").failures = 3;
    stats.protocolError("bad_header");
    for (const ms of [0.5, 7, 120_000]) stats.requestDuration.observe(ms);
  }
  const text = await metrics.render();
  for (const line of [
    "# TYPE uwsgi_gateway_requests_total counter",
    "uwsgi_gateway_requests_active 4",
    'uwsgi_gateway_requests_total{route="UwsgiRoute/web/\\"odd\\"\\n/0",status_class="2xx"} 2',
    'uwsgi_gateway_route_duration_seconds_total{route="UwsgiRoute/web/\\"odd\\"\\n/0"} 3',
    'uwsgi_gateway_endpoint_failures_total{endpoint="unix:/run/app.sock"} 6',
    'uwsgi_gateway_protocol_errors_total{kind="bad_header"} 2',
    "# TYPE uwsgi_gateway_request_duration_seconds histogram",
    'uwsgi_gateway_request_duration_seconds_bucket{le="0.001"} 2',
    'uwsgi_gateway_request_duration_seconds_bucket{le="0.01"} 4',
    'uwsgi_gateway_request_duration_seconds_bucket{le="60"} 4',
    'uwsgi_gateway_request_duration_seconds_bucket{le="+Inf"} 6',
    "uwsgi_gateway_request_duration_seconds_count 6",
    'uwsgi_gateway_worker_resident_memory_bytes{worker="1"} 1000',
    "uwsgi_gateway_worker_restarts_total 0",
  ]) {
    expect(text.split("\n")).toContain(line);
  }
  workers[0]!.route("later").record(503, 1);
  expect(await metrics.render()).toContain('{route="later",status_class="5xx"} 1');
});

test("every family has help and type, once, and every sample a finite value", async () => {
  const text = await page(() => []).render();
  const types = text.match(/^# TYPE (\S+)/gm)!;
  expect(new Set(types).size).toBe(types.length);
  for (const line of text.split("\n")) {
    if (line !== "" && !line.startsWith("#")) expect(line).toMatch(/^[a-z_]+(\{[^}]*\})? [0-9.e+-]+$/);
  }
});

test("configuration and workers", async () => {
  const metrics = page(() => []);
  metrics.configApplied("v1", 0.02, 1_700_000_000_000);
  metrics.configApplied("v2", 0.03, 1_700_000_001_000);
  metrics.configRejected();
  metrics.manifests(1, 4);
  metrics.workerRestarted();
  const lines = (await metrics.render()).split("\n");
  for (const line of [
    'uwsgi_gateway_config_reloads_total{result="applied"} 2',
    'uwsgi_gateway_config_reloads_total{result="rejected"} 1',
    'uwsgi_gateway_config_info{version="v2"} 1',
    "uwsgi_gateway_config_loaded_timestamp_seconds 1700000001",
    "uwsgi_gateway_manifest_files_broken 1",
    "uwsgi_gateway_manifest_problems 4",
    "uwsgi_gateway_worker_restarts_total 1",
    "uwsgi_gateway_config_apply_duration_seconds_count 2",
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.filter((line) => line.includes("v1"))).toEqual([]);
});
