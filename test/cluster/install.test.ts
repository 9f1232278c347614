/**
 * Proves with the real Helm that the chart is sound, that deploy/ holds the same objects, and that it is taken away without a trace, whether its
 * controller ran or not.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { CHART, documents, type Manifest, ROOT } from "../chart/helm.ts";
import { stopAll } from "../harness/cleanup.ts";
import { waitUntil } from "../harness/processes.ts";
import { metric, QUICK, startGateway, stop } from "./harness/chart-gateway.ts";
import type { ClusterGateway } from "./harness/cluster-gateway.ts";
import { type ApiServer, startApiServer } from "./harness/index.ts";
import { type InstalledChart, type InstallOptions, installChart } from "./harness/installed-chart.ts";
import { describeCluster } from "./harness/suite.ts";

const START_LIMIT_MS = 90_000;
const LIMIT_MS = 90_000;
const WAIT_MS = 30_000;
const DEPLOY = join(ROOT, "deploy", "uwsgi-gateway.yaml");
const CRD = "uwsgiroutes.uwsgi-gateway.io";
/** Kinds of the chart's objects, of Helm's own Secret, and of what the server adds for a CRD and a Service. */
const MADE =
  "APIService ClusterRole ClusterRoleBinding CustomResourceDefinition Deployment IPAddress IngressClass NetworkPolicy PodDisruptionBudget Role RoleBinding Secret Service Service ServiceAccount";

let server: ApiServer;
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

/** Name of each object of the cluster, whatever its kind, but for what happened to them. */
async function everything(): Promise<Set<string>> {
  const kinds = (await server.kubectl(["api-resources", "--verbs=list", "-o", "name"])).trim().split("\n");
  const told = kinds.filter((kind) => !/^events(\.|$)|^componentstatuses$/.test(kind)).join(",");
  const text = await server.kubectl(["get", told, "-A", "--no-headers", "-o", COLUMNS]);
  return new Set(
    text
      .trim()
      .split("\n")
      .map((line) => line.replace(/ +/g, " ")),
  );
}
const COLUMNS = "custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name";

const less = (some: ReadonlySet<string>, others: ReadonlySet<string>) =>
  [...some].filter((each) => !others.has(each)).toSorted();

describeCluster("installing", () => {
  beforeAll(async () => {
    server = await startApiServer({ audit: true });
    await server.createNamespace("gateways");
  }, START_LIMIT_MS);

  test("helm finds nothing wrong with it, nor does the server with what it makes", async () => {
    expect(await server.helm(["lint", "--strict", CHART])).toContain("1 chart(s) linted, 0 chart(s) failed");
    const words = ["template", "gw", CHART, "--namespace", "gateways", "--kube-version", "1.30.0"];
    const rendered = await server.helm([...words, "--include-crds"]);
    const applied = await server.kubectl(["apply", "--server-side", "--dry-run=server", "-f", "-"], {
      input: rendered,
    });
    expect(applied.trim().split("\n")).toHaveLength(documents(rendered).length);
    expect(await server.kubectl(["get", "all", "-n", "gateways", "-o", "name"])).toBe("");
  });

  test(
    "helm uninstall leaves the CRD alone, and helm install finds it",
    async () => {
      const start = await everything();
      for (const time of ["first", "second"]) {
        const before = await everything();
        const installed = await install({ release: "gw", namespace: "gateways" });
        const made = less(await everything(), before).map((each) => each.split(" ")[0]);
        // The second time, the CRD is there.
        const kinds = MADE.split(" ").filter((kind) => time === "first" || !/^(API|Custom)/.test(kind));
        expect(made).toEqual(kinds);
        await installed.uninstall();
        // Established: with it comes the aggregator's own entry.
        const left = [`CustomResourceDefinition <none> ${CRD}`];
        const isEntry = (each: string) => each.startsWith("APIService ");
        expect(less(await everything(), start).filter((each) => !isEntry(each))).toEqual(left);
      }
    },
    LIMIT_MS,
  );

  test(
    "deploy/uwsgi-gateway.yaml makes the same objects",
    async () => {
      const kinds =
        "networkpolicy,poddisruptionbudget,serviceaccount,role,rolebinding,service,deployment,clusterrole,clusterrolebinding,ingressclass,crd";
      const namespace = "uwsgi-gateway";
      const made = async () => {
        const { items } = await read(kinds, "-A");
        const ours = (items as Manifest[]).filter(({ metadata }) => metadata.name.includes("uwsgi-gateway"));
        return new Map(ours.map((each) => [`${each.kind} ${each.metadata.name}`, withoutTraces(each)]));
      };
      const installed = await install({ release: "uwsgi-gateway", namespace });
      const byHelm = await made();
      expect(byHelm.size).toBe(11);
      await installed.uninstall();
      await server.kubectl(["delete", "crd", CRD]);
      await server.kubectl(["apply", "--server-side", "-f", DEPLOY]);
      expect(Object.fromEntries(await made())).toEqual(Object.fromEntries(byHelm));
      const clusterWide = documents(await server.kubectl(["get", "-f", DEPLOY, "-o", "yaml"]))[0].items;
      const kept = [CRD, namespace];
      for (const { kind, metadata } of clusterWide as Manifest[]) {
        if (kept.includes(metadata.name) && /^(CustomResourceDefinition|Namespace)$/.test(kind)) continue;
        const where = metadata.namespace === undefined ? [] : ["-n", metadata.namespace];
        await server.kubectl(["delete", kind, metadata.name, ...where]);
      }
    },
    LIMIT_MS,
  );

  test(
    "after it ran, the Lease alone is left beside the CRD",
    async () => {
      await server.createNamespace("web-gone");
      await server.createNamespace("gw-gone");
      const before = await everything();
      const installed = await install({ release: "gw", namespace: "gw-gone", values: QUICK });
      const gateway = await start(installed, "pod-0");
      await until("a leader", async () => (await metric(gateway, "leader")) === 1);
      await stop(gateway);
      await installed.uninstall();
      expect(less(await everything(), before)).toEqual([`Lease gw-gone ${installed.name}`]);
    },
    LIMIT_MS,
  );
});

/** What the server and Helm add by themselves. */
function withoutTraces({ status: _, metadata, ...rest }: Manifest): Manifest {
  const { name, namespace, labels = {}, annotations = {} } = metadata;
  const own = (pairs: Record<string, string>, trace: RegExp) =>
    Object.fromEntries(Object.entries(pairs).filter(([key]) => !trace.test(key)));
  const object = structuredClone({
    ...rest,
    metadata: {
      ...{ name, namespace, labels: own(labels, /managed-by$|^helm\.sh\/chart$/) },
      annotations: own(annotations, /^meta\.helm\.sh\/|^deprecated\.daemonset|^deployment\.kubernetes\.io/),
    },
  });
  for (const field of ["clusterIP", "clusterIPs", "healthCheckNodePort"]) delete object.spec?.[field];
  if (object.kind === "Service") for (const port of object.spec.ports) delete port.nodePort;
  return object;
}
