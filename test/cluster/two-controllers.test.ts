/**
 * Proves that of two controllers of one release one writes statuses, by the Lease, and that the other takes over where that one ends or is killed,
 * while the proxies of both serve.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { Manifest } from "../chart/helm.ts";
import { stopAll } from "../harness/cleanup.ts";
import { waitUntil } from "../harness/processes.ts";
import {
  applyRoute,
  applySite,
  createSiteSecret,
  ECHO_HOST,
  get,
  metric,
  QUICK,
  startGateway,
  stop,
} from "./harness/chart-gateway.ts";
import type { ClusterGateway } from "./harness/cluster-gateway.ts";
import { type ApiServer, type Pod, startApiServer, startPod, wasDenied } from "./harness/index.ts";
import { type InstalledChart, type InstallOptions, installChart } from "./harness/installed-chart.ts";
import { describeCluster } from "./harness/suite.ts";

const START_LIMIT_MS = 90_000;
const LIMIT_MS = 90_000;
const WAIT_MS = 30_000;

let server: ApiServer;
let pod: Pod;
let secret: Manifest;
const running: ClusterGateway[] = [];
const charts: InstalledChart[] = [];

afterAll(stopAll, 60_000);
afterEach(async () => {
  await Promise.all(running.splice(0).map(stop));
  for (const each of charts.splice(0)) await each.uninstall();
}, 60_000);

async function install(options: InstallOptions): Promise<InstalledChart> {
  const chart = await installChart(server, options);
  charts.push(chart);
  return chart;
}

async function start(
  chart: InstalledChart,
  podName: string,
  readyTimeoutMs?: number,
): Promise<ClusterGateway> {
  const gateway = await startGateway(chart, podName, readyTimeoutMs);
  running.push(gateway);
  return gateway;
}

const until = (what: string, attempt: () => Promise<unknown>) =>
  waitUntil(async () => ((await attempt()) ? true : undefined), server.apiserver.process(), what, WAIT_MS);

async function read(...words: string[]): Promise<Manifest> {
  return JSON.parse(await server.kubectl(["get", "-o", "json", ...words]));
}

describeCluster(
  "two controllers",
  () => {
    beforeAll(async () => {
      server = await startApiServer({ audit: true });
      pod = await startPod({ name: "django", app: ECHO_HOST });
      secret = await createSiteSecret(server);
    }, START_LIMIT_MS);

    test(
      "of two controllers one writes; the other takes over where that one ends, or dies",
      async () => {
        await server.createNamespace("web-two");
        const installed = await install({ release: "gw", namespace: "gw-two", values: QUICK });
        const first = await start(installed, "pod-a");
        await until("a leader", () => leads(first));
        const second = await start(installed, "pod-b");
        await applySite(server, { namespace: "web-two", pod, secret });
        await programmed("web-two", "app");
        expect([await leads(second), await written(second)]).toEqual([false, 0]);
        expect(await written(first)).toBeGreaterThan(0);
        expect((await get(second, "route.web-two"))[0]).toBe(200);

        const begunMs = performance.now();
        expect(await first.controller().stop()).toEqual({ code: 0, signal: null });
        await until("another leader", () => leads(second));
        // It looks every 2 s, and need not wait until the Lease has run out.
        expect(performance.now() - begunMs).toBeLessThan(8_000);
        await applyRoute(server, "web-two", "late");
        await programmed("web-two", "late");
        expect(await written(second)).toBeGreaterThan(0);

        await first.startController();
        second.controller().signal("SIGKILL");
        await second.controller().exited;
        const killedMs = performance.now();
        await until("the first again", () => leads(first));
        expect(performance.now() - killedMs).toBeLessThan(25_000);
        const { spec } = await read("lease", installed.name, "-n", installed.namespace);
        expect(spec.holderIdentity).toMatch(/^pod-a_/);
        expect(server.auditEvents(installed.user).filter(wasDenied)).toEqual([]);
        await Promise.all([stop(first), second.proxy().stop()]);
        await installed.uninstall();
      },
      LIMIT_MS,
    );
  },
  { pods: true },
);

const leads = async (gateway: ClusterGateway) => (await metric(gateway, "leader")) === 1;
const written = (gateway: ClusterGateway) => metric(gateway, 'status_writes{outcome="written"}');

function programmed(namespace: string, name: string): Promise<string> {
  return server.kubectl([
    "wait",
    "-n",
    namespace,
    "--for=condition=Programmed",
    `uwr/${name}`,
    "--timeout=30s",
  ]);
}
