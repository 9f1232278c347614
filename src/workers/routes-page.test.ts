// Proves: the page names upstreams, shows endpoint state summed over workers, and leaves params out.
import { expect, test } from "bun:test";
import { Stats } from "../ops/stats.ts";
import { sumReports } from "../ops/stats-report.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import { routesPage } from "./routes-page.ts";

const snapshot = {
  format: SNAPSHOT_FORMAT,
  version: "v1",
  hosts: [
    {
      hostname: "a.example.com",
      rules: [
        {
          id: "UwsgiRoute/web/a/0",
          path: { type: "prefix", value: "/main" },
          wildcardDepth: "any",
          serverName: "",
          action: { type: "forward", settings: "s", backends: [{ upstream: "web/django:29000", weight: 3 }] },
        },
        {
          id: "UwsgiRoute/web/a/1",
          path: { type: "prefix", value: "/static" },
          wildcardDepth: "any",
          serverName: "",
          action: { type: "static", root: "/srv", stripPrefix: "/static", index: [], dotFiles: false },
        },
      ],
    },
  ],
  settings: [{ id: "s", uwsgi: { params: [{ name: "TOKEN", value: "confidential", ifNotEmpty: false }] } }],
  upstreams: [
    { id: "unused", endpoints: [] },
    { id: "web/django:29000", endpoints: [{ address: "10.0.0.1:29000" }, { address: "10.0.0.2:29000" }] },
  ],
} as unknown as Snapshot;

test("the table with the state of its endpoints", () => {
  const worker = new Stats();
  Object.assign(worker.endpoint("10.0.0.2:29000"), { requests: 5, failures: 1, inFlight: 2, ejected: true });
  const page = routesPage(snapshot, sumReports([worker.report(), worker.report()]));
  expect(page.hosts[0]!.rules.map((rule) => rule.action)).toEqual([
    { type: "forward", backends: [{ upstream: "web/django:29000", weight: 3 }] },
    { type: "static", root: "/srv", stripPrefix: "/static", index: [], dotFiles: false },
  ]);
  expect(page.upstreams[1]!.endpoints).toEqual([
    { address: "10.0.0.1:29000", requests: 0, failures: 0, ejections: 0, inFlight: 0, ejected: 0 },
    { address: "10.0.0.2:29000", requests: 10, failures: 2, ejections: 0, inFlight: 4, ejected: 2 },
  ]);
  expect(JSON.stringify(page)).not.toContain("confidential");
});
