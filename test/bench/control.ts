/**
 * `make bench-control`: how long a change in the cluster takes until the proxy serves by it, on a real API server, with 10, 1,000 and
 * 10,000 UwsgiRoutes of 5 endpoints each; and what the controller and the proxy cost. Settings from the environment: BENCH_ROUTES
 * (a comma list of counts), BENCH_CHANGES (100 of each kind).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterGateway, startClusterGateway } from "../cluster/harness/cluster-gateway.ts";
import { type ApiServer, startApiServer } from "../cluster/harness/index.ts";
import { stopAll } from "../harness/cleanup.ts";
import { REPOSITORY } from "../harness/gateway.ts";
import { cpuUs, rssBytes } from "./proc.ts";
import { describeMachine } from "./report.ts";
import { quantile } from "./statistics.ts";

const counts = (process.env["BENCH_ROUTES"] ?? "10,1000,10000").split(",").map(Number);
const CHANGES = Number(process.env["BENCH_CHANGES"] ?? 100);
const ENDPOINTS = 5;
const WRITERS = 8;
const PAUSE_MS = 60;
const GIVE_UP_MS = 30_000;
const QUIET_MS = 300_000;

const SERVICES = "/api/v1/namespaces/default/services";
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
const ROUTES = "/apis/uwsgi-gateway.io/v1alpha1/namespaces/default/uwsgiroutes";

interface Row {
  readonly routes: number;
  readonly fullStartMs: number;
  readonly endpoint: readonly [p50: number, p99: number];
  readonly route: readonly [p50: number, p99: number];
  /** Of the restart of the controller alone: everything is listed and translated anew. */
  readonly resyncMs: number;
  readonly controllerRssMb: number;
  readonly proxyRssMb: number;
  /** Of one endpoint change, and of one route change. */
  readonly controllerCpuMs: readonly [number, number];
  readonly proxyCpuMs: readonly [number, number];
}

function service(i: number): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `app-${i}` },
    spec: { clusterIP: "None", ports: [{ name: "uwsgi", port: 29000 }] },
  };
}

/** `turn` makes one address another. */
function slice(i: number, turn = 0): object {
  const endpoints = Array.from({ length: ENDPOINTS }, (_, k) => ({
    addresses: [`10.${(i >> 8) & 255}.${i & 255}.${k === 0 ? 100 + (turn % 100) : k + 1}`],
    conditions: { ready: true, serving: true, terminating: false },
  }));
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `app-${i}-x`, labels: { "kubernetes.io/service-name": `app-${i}` } },
    addressType: "IPv4",
    ports: [{ name: "uwsgi", port: 29000, protocol: "TCP" }],
    endpoints,
  };
}

function route(i: number, turn = 0): object {
  return {
    apiVersion: "uwsgi-gateway.io/v1alpha1",
    kind: "UwsgiRoute",
    metadata: { name: `app-${i}` },
    spec: {
      ingressClassName: "uwsgi",
      hostnames: [`app-${i}.example.com`],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: `/${turn}` } }],
          backendRefs: [{ name: `app-${i}`, port: 29000 }],
        },
      ],
    },
  };
}

async function create(server: ApiServer, path: string, object: object): Promise<void> {
  const { status, body } = await server.request("POST", path, object);
  if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
}

async function populate(server: ApiServer, from: number, to: number): Promise<void> {
  let next = from;
  const writer = async () => {
    for (let i = next++; i < to; i = next++) {
      await create(server, SERVICES, service(i));
      await create(server, SLICES, slice(i));
      await create(server, ROUTES, route(i));
      if (i % 1000 === 999) process.stderr.write(`${i + 1} routes\n`);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

/** The times, since 1970, at which the proxy took a table into use, after `since`. */
function inUseAt(gateway: ClusterGateway, since: number): number | undefined {
  const { lines } = gateway.proxy();
  for (let i = since; i < lines.length; i++) {
    const line = JSON.parse(lines[i]!) as { msg: string; time: number };
    if (line.msg === "table in use") return line.time;
  }
  return undefined;
}

async function waitFor<T>(
  what: string,
  read: () => Promise<T | undefined> | T | undefined,
  limitMs: number,
): Promise<T> {
  const begunMs = performance.now();
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (performance.now() - begunMs > limitMs) throw new Error(`no ${what} within ${limitMs} ms`);
    await sleep(20);
  }
}

/** From just before the write to the proxy's use of it: the API server's own time is part of it. */
async function changes(gateway: ClusterGateway, write: (turn: number) => Promise<unknown>) {
  const pids = [gateway.controller().pid, gateway.proxy().pid];
  const before = pids.map((pid) => cpuUs([pid]));
  const times: number[] = [];
  for (let turn = 1; turn <= CHANGES; turn++) {
    const since = gateway.proxy().lines.length;
    const begunMs = Date.now();
    await write(turn);
    times.push((await waitFor("table", () => inUseAt(gateway, since), GIVE_UP_MS)) - begunMs);
    await sleep(PAUSE_MS);
  }
  const cpuMs = pids.map((pid, i) => (cpuUs([pid]) - before[i]!) / 1000 / CHANGES);
  return { p: [quantile(times, 0.5), quantile(times, 0.99)] as const, cpuMs: cpuMs as [number, number] };
}

/** Until the statuses of all new objects are written. */
async function quiet(gateway: ClusterGateway): Promise<void> {
  await waitFor(
    "quiet",
    async () => {
      const text = await (await fetch(`${gateway.controllerAdmin}/metrics`)).text();
      const number = (name: string) =>
        Number(new RegExp(`^uwsgi_gateway_controller_${name} (\\d+)`, "m").exec(text)?.[1]);
      return number("leader") === 1 && number("status_queue_length") === 0 ? true : undefined;
    },
    QUIET_MS,
  );
}

async function measure(server: ApiServer, routes: number): Promise<Row> {
  const begunMs = Date.now();
  const gateway = await startClusterGateway({ kubeconfig: server.kubeconfig, readyTimeoutMs: 120_000 });
  const fullStartMs = (await waitFor("table", () => inUseAt(gateway, 0), GIVE_UP_MS)) - begunMs;
  await quiet(gateway);
  const target = (turn: number) => (turn * 7919) % routes;
  const endpoint = await changes(gateway, (turn) =>
    server.apply(`${SLICES}/app-${target(turn)}-x`, slice(target(turn), turn)),
  );
  const changed = await changes(gateway, (turn) => {
    const { rules } = (route(target(turn), turn) as { spec: { rules: unknown } }).spec;
    const path = `${ROUTES}/app-${target(turn)}`;
    return server.request("PATCH", path, { spec: { rules } }, "application/merge-patch+json");
  });
  const [controllerRssMb, proxyRssMb] = [gateway.controller(), gateway.proxy()].map(
    ({ pid }) => rssBytes([pid]) / 1e6,
  );
  await gateway.controller().stop();
  const restartMs = Date.now();
  await gateway.startController();
  const resyncMs = Date.now() - restartMs;
  await gateway.controller().stop();
  await gateway.proxy().stop();
  return {
    ...{ routes, fullStartMs, resyncMs, endpoint: endpoint.p, route: changed.p },
    ...{ controllerRssMb: controllerRssMb!, proxyRssMb: proxyRssMb! },
    controllerCpuMs: [endpoint.cpuMs[0], changed.cpuMs[0]],
    proxyCpuMs: [endpoint.cpuMs[1], changed.cpuMs[1]],
  };
}

function markdown(rows: readonly Row[]): string {
  const head = [
    ...[
      "routes",
      "full start ms",
      "controller restart ms",
      "endpoint change p50 ms",
      "p99 ms",
      "route change p50 ms",
      "p99 ms",
    ],
    ...[
      "controller RSS MB",
      "proxy RSS MB",
      "controller CPU ms/endpoint change",
      "/route change",
      "proxy CPU ms/endpoint change",
      "/route change",
    ],
  ];
  const lines = rows.map((row) => [
    row.routes.toLocaleString("en"),
    ...[
      row.fullStartMs,
      row.resyncMs,
      ...row.endpoint,
      ...row.route,
      row.controllerRssMb,
      row.proxyRssMb,
    ].map((n) => n.toFixed(0)),
    ...[...row.controllerCpuMs, ...row.proxyCpuMs].map((n) => n.toFixed(1)),
  ]);
  return [head, head.map(() => "---:"), ...lines].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

async function main(): Promise<void> {
  const server = await startApiServer();
  await server.kubectl(["apply", "-f", `${REPOSITORY}/charts/uwsgi-gateway/crds`]);
  await server.kubectl(["wait", "--for=condition=Established", "crd/uwsgiroutes.uwsgi-gateway.io"]);
  await create(server, "/apis/networking.k8s.io/v1/ingressclasses", {
    apiVersion: "networking.k8s.io/v1",
    kind: "IngressClass",
    metadata: { name: "uwsgi" },
    spec: { controller: "uwsgi-gateway.io/ingress-controller" },
  });
  const rows: Row[] = [];
  let made = 0;
  for (const routes of counts) {
    await populate(server, made, routes);
    made = routes;
    rows.push(await measure(server, routes));
    process.stderr.write(`${markdown(rows)}\n`);
  }
  console.log(
    Object.entries(describeMachine())
      .map(([name, value]) => `${name} ${value}`)
      .join("; "),
  );
  console.log(`\n${CHANGES} changes of each kind.\n\n${markdown(rows)}`);
}

async function end(status: number): Promise<void> {
  await stopAll();
  process.exit(status);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end(130));
main().then(
  () => end(0),
  (error) => {
    console.error(error);
    return end(1);
  },
);
