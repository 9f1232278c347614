/**
 * Proves that the chart's gateway works with the rights of its ServiceAccount, and with no less: its controller, run with the arguments of the
 * Deployment, serves, writes statuses, events and the Lease, is refused nothing, and uses each right that any of the chart's roles gives.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { Manifest } from "../chart/helm.ts";
import { stopAll } from "../harness/cleanup.ts";
import { waitUntil } from "../harness/processes.ts";
import {
  applySite,
  createSiteSecret,
  ECHO_HOST,
  get,
  mergePatch,
  publishAddress,
  QUICK,
  ROUTES,
  startGateway,
  stop,
} from "./harness/chart-gateway.ts";
import type { ClusterGateway } from "./harness/cluster-gateway.ts";
import { type ApiServer, type Pod, startApiServer, startPod, wasDenied } from "./harness/index.ts";
import {
  type InstalledChart,
  type InstallOptions,
  installChart,
  wasUsed,
} from "./harness/installed-chart.ts";
import { describeCluster } from "./harness/suite.ts";

const START_LIMIT_MS = 90_000;
const LIMIT_MS = 90_000;
const WAIT_MS = 30_000;
const ADDRESS = "192.0.2.9";

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
  "the rights of the installed chart",
  () => {
    beforeAll(async () => {
      server = await startApiServer({ audit: true });
      pod = await startPod({ name: "django", app: ECHO_HOST });
      secret = await createSiteSecret(server);
    }, START_LIMIT_MS);

    const variants: { name: string; values: string }[] = [
      { name: "everywhere", values: "" },
      { name: "listed", values: "watchNamespaces: [web-listed]" },
      { name: "blind", values: "readSecrets: false" },
      { name: "selected", values: 'watchNamespaceSelector: "team=selected"' },
      { name: "both", values: 'watchNamespaces: [web-both]\nwatchNamespaceSelector: "team=both"' },
    ];
    test.each(variants)(
      "its rights are enough, and none is too many: $name",
      async ({ name, values }) => {
        const [web, other] = [`web-${name}`, `other-${name}`];
        for (const each of [web, other]) await server.createNamespace(each);
        await server.kubectl(["label", "namespace", web, `team=${name}`]);
        const release = { release: "gw", namespace: `gw-${name}`, values: `${QUICK}\n${values}` };
        const installed = await install(release);
        const gateway = await start(installed, "pod-0");
        // The other first, so that it would be served by the time that this one is.
        await applySite(server, { namespace: other, pod, secret });
        await applySite(server, { namespace: web, pod, secret });

        await until("200 of both", async () => {
          const answers = [await get(gateway, `route.${web}`), await get(gateway, `ingress.${web}`)];
          return answers.every(([status]) => status === 200);
        });
        expect(await get(gateway, `route.${web}`)).toEqual([200, `route.${web}`]);
        const narrow = values.includes("watchNamespace");
        expect((await get(gateway, `route.${other}`))[0]).toBe(narrow ? 404 : 200);

        await publishAddress(server, installed, ADDRESS);
        const wait = (...words: string[]) => server.kubectl(["wait", "-n", web, "--timeout=30s", ...words]);
        await wait("--for=condition=Programmed", "uwr/app");
        await wait(`--for=jsonpath={.status.loadBalancer.ingress[0].ip}=${ADDRESS}`, "ingress/site");
        const { spec } = await read("lease", installed.name, "-n", installed.namespace);
        expect(spec.holderIdentity).toMatch(/^pod-0_/);
        await contend(installed, web);
        // A controller after this one tells of the same again.
        await gateway.controller().stop();
        await gateway.startController();
        await wait("--for=condition=ResolvedRefs", "uwr/app");
        await openPort(web, 29001);
        await wait("--for=condition=ResolvedRefs=false", "uwr/app");
        const about = ((await read("events", "-n", web)).items as Manifest[]).map(
          ({ involvedObject, reportingComponent }) => [involvedObject.kind, reportingComponent],
        );
        expect(about).toContainEqual(["UwsgiRoute", "uwsgi-gateway"]);
        if (narrow) expect((await read("uwr", "app", "-n", other)).status).toBeUndefined();

        // Renewals of the Lease are the last that there is to see.
        const calls = () => server.auditEvents(installed.user);
        const unused = () => installed.permissions.filter((each) => !wasUsed(each, calls()));
        await until("each right used", async () => unused().length === 0).catch(() => {});
        expect(unused()).toEqual([]);
        expect(installed.permissions.length).toBeGreaterThan(15);
        expect(calls().filter(wasDenied)).toEqual([]);
        const secrets = calls().filter(({ objectRef }) => objectRef?.resource === "secrets");
        expect(secrets.length > 0).toBe(name !== "blind");
      },
      LIMIT_MS,
    );

    test(
      "what RBAC takes away is denied, so the log tells",
      async () => {
        await server.createNamespace("web-denied");
        const installed = await install({
          release: "gw",
          namespace: "gw-denied",
          values: QUICK,
        });
        const role = `${installed.namespace}:${installed.name}`;
        const { rules } = await read("clusterrole", role);
        const kept = (rules as Manifest[]).filter(({ resources }) => resources[0] !== "endpointslices");
        const patch = JSON.stringify([{ op: "replace", path: "/rules", value: kept }]);
        await server.kubectl(["patch", "clusterrole", role, "--type=json", "-p", patch]);
        const started = start(installed, "pod-0", 12_000).catch((error: Error) => error);
        await until("a denied call", async () => server.auditEvents(installed.user).some(wasDenied));
        const denied = server.auditEvents(installed.user).filter(wasDenied);
        expect([...new Set(denied.map(({ objectRef }) => objectRef?.resource))]).toEqual(["endpointslices"]);
        expect(String(await started)).toMatch(/"waitingFor":\["EndpointSlice: .*forbidden/);
        await installed.uninstall();
      },
      LIMIT_MS,
    );
  },
  { pods: true },
);

/** Others write to the objects while their statuses change, until the controller has met a conflict on each kind. */
async function contend(installed: InstalledChart, namespace: string): Promise<void> {
  const paths = [
    `${ROUTES}/namespaces/${namespace}/uwsgiroutes/app`,
    `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses/site`,
  ];
  const wanted = installed.permissions.filter(
    ({ verb, resource }) => verb === "get" && ["uwsgiroutes", "ingresses"].includes(resource),
  );
  expect(wanted).toHaveLength(2);
  const deadlineMs = performance.now() + WAIT_MS;
  for (let i = 0; performance.now() < deadlineMs; i++) {
    const port = i % 2 === 0 ? 29001 : 29000;
    await openPort(namespace, port);
    await publishAddress(server, installed, i % 2 === 0 ? "192.0.2.10" : ADDRESS);
    for (let j = 0; j < 40; j++) {
      const metadata = { annotations: { turn: `${i}-${j}` } };
      await Promise.all(paths.map((path) => mergePatch(server, path, { metadata })));
    }
    const calls = server.auditEvents(installed.user);
    if (i % 2 === 1 && wanted.every((each) => wasUsed(each, calls))) return;
  }
}

function openPort(namespace: string, port: number): Promise<unknown> {
  const spec = { ports: [{ name: "uwsgi", port }] };
  return mergePatch(server, `/api/v1/namespaces/${namespace}/services/django`, { spec });
}
