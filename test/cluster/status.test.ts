/**
 * Proves on a real API server that it takes what the status writer sends: conditions, an Ingress's address, events and the Lease, with no more
 * rights than the folder says it needs, and uses each of those.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onStopAll, stopAll } from "../harness/cleanup.ts";
import { waitUntil } from "../harness/processes.ts";
import { type ApiServer, startApiServer, wasDenied } from "./harness/index.ts";
import { describeCluster } from "./harness/suite.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const WRITER = join(import.meta.dirname, "status-writer.fixture.ts");
const START_LIMIT_MS = 60_000;
const LIMIT_MS = 30_000;
const USER = "system:serviceaccount:gw:gw";
const UWSGI = {
  group: "uwsgi-gateway.io",
  path: "/apis/uwsgi-gateway.io/v1alpha1/namespaces/web/uwsgiroutes",
};
const ROUTE = { kind: "UwsgiRoute", namespace: "web", name: "app" };
const INGRESS = { kind: "Ingress", namespace: "web", name: "site" };

/** As the header of `src/status/status.ts` has them. */
const WATCHED_RULES = [
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses/status"], verbs: ["patch"] },
  { apiGroups: ["networking.k8s.io"], resources: ["ingresses"], verbs: ["get"] },
  { apiGroups: [UWSGI.group], resources: ["uwsgiroutes/status"], verbs: ["patch"] },
  { apiGroups: [UWSGI.group], resources: ["uwsgiroutes"], verbs: ["get"] },
  { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
];
const LEASE_RULES = [
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"] },
  {
    apiGroups: ["coordination.k8s.io"],
    resources: ["leases"],
    resourceNames: ["gw"],
    verbs: ["get", "update"],
  },
];

afterAll(stopAll);

describeCluster("statuses on a real API server", () => {
  let server: ApiServer;
  let kubeconfig = "";
  beforeAll(async () => {
    server = await startApiServer({ audit: true });
    await server.kubectl(["create", "-f", join(ROOT, "charts/uwsgi-gateway/crds/uwsgiroutes.yaml")]);
    await server.kubectl(["wait", "--for=condition=Established", "crd/uwsgiroutes.uwsgi-gateway.io"]);
    for (const namespace of ["gw", "web"]) await server.createNamespace(namespace);
    await server.createServiceAccount("gw", "gw");
    await grant("web", WATCHED_RULES);
    await grant("gw", LEASE_RULES);
    await server.kubectl(["create", "-f", "-"], {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items: OBJECTS }),
    });
    kubeconfig = await server.serviceAccountKubeconfig("gw", "gw");
  }, START_LIMIT_MS);

  async function grant(namespace: string, rules: readonly object[]): Promise<void> {
    const rbac = { apiVersion: "rbac.authorization.k8s.io/v1", metadata: { name: "gw", namespace } };
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "gw" };
    const subjects = [{ kind: "ServiceAccount", name: "gw", namespace: "gw" }];
    const items = [
      { ...rbac, kind: "Role", rules },
      { ...rbac, kind: "RoleBinding", roleRef, subjects },
    ];
    await server.kubectl(["create", "-f", "-"], {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
    });
  }

  const until = (what: string, attempt: () => Promise<boolean>) =>
    waitUntil(async () => (await attempt()) || undefined, server.apiserver.process(), what, 10_000);

  const get = async (...words: string[]) =>
    JSON.parse(await server.kubectl(["get", "-o", "json", "-n", ...words]));

  test(
    "conditions, the address, events and the Lease arrive, and nothing is refused",
    async () => {
      const writer = await startWriter(kubeconfig, "gw-0");
      await writer.tell(update(1, "False"));
      await server.kubectl([
        "wait",
        "-n",
        "web",
        "--for=condition=Programmed",
        "uwsgiroute/app",
        "--timeout=20s",
      ]);
      const route = await get("web", "uwsgiroute", "app");
      expect(route.status.observedGeneration).toBe(1);
      expect(route.status.conditions.map((each: { reason: string }) => each.reason)).toEqual([
        "Accepted",
        "BackendNotFound",
        "Programmed",
      ]);
      const ingress = async () => (await get("web", "ingress", "site")).status.loadBalancer.ingress;
      await until("the address", async () => (await ingress())?.[0]?.ip === "192.0.2.1");
      await until("both events", async () => (await get("web", "events")).items.length === 2);
      const described = await server.kubectl(["describe", "-n", "web", "ingress", "site"]);
      expect(described).toMatch(
        /Warning\s+BackendNotFound\s+\S+\s+uwsgi-gateway\s+names Service web\/nowhere/,
      );
      const { spec } = await get("gw", "lease", "gw");
      expect(spec).toMatchObject({ holderIdentity: "gw-0", leaseDurationSeconds: 15, leaseTransitions: 0 });

      // Somebody else writes, and the watch is behind: a conflict.
      await server.kubectl(["annotate", "-n", "web", "uwsgiroute/app", "ingress/site", "a=b"]);
      await writer.tell({ ...update(1, "True"), objects: [], service: undefined });
      await until("no address", async () => (await ingress()) === undefined);
      await server.kubectl([
        "wait",
        "-n",
        "web",
        "--for=condition=ResolvedRefs",
        "uwsgiroute/app",
        "--timeout=20s",
      ]);

      const report = await writer.end();
      expect(report).toMatchObject({ isLeader: false, writer: { failures: 0 }, events: { failures: 0 } });
      expect(report.writer.conflicts).toBeGreaterThan(0);
      expect((await get("gw", "lease", "gw")).spec.holderIdentity ?? "").toBe("");

      // The next one need not wait for the Lease, and finds what was told.
      const next = await startWriter(kubeconfig, "gw-1");
      await next.tell(update(1, "False"));
      await next.leads();
      await until("the address", async () => (await ingress())?.[0]?.ip === "192.0.2.1");
      const after = await next.end();
      expect(after.events.failures).toBe(0);
      const events = (await get("web", "events")).items as { type: string }[];
      expect(events.filter(({ type }) => type === "Warning")).toHaveLength(2);
      expect(server.auditEvents(USER).filter(wasDenied)).toEqual([]);
    },
    LIMIT_MS,
  );

  test("each right was used", () => {
    const used = new Set(
      server.auditEvents(USER).map(({ verb, objectRef }) => {
        const { resource, subresource } = objectRef ?? {};
        return `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`;
      }),
    );
    const given = [...WATCHED_RULES, ...LEASE_RULES].flatMap(({ resources, verbs }) =>
      verbs.map((verb) => `${verb} ${resources[0]}`),
    );
    expect([...used].filter((each) => given.includes(each)).toSorted()).toEqual(given.toSorted());
  });

  test("the header of the folder says what was given here", () => {
    const header = readFileSync(join(ROOT, "src/status/status.ts"), "utf8").split("*/")[0]!;
    for (const { resources, verbs } of [...WATCHED_RULES, ...LEASE_RULES]) {
      const row = header.split("\n").filter((line) => line.includes(`\`${resources[0]}\``));
      expect(row.some((line) => line.includes(verbs.join(", ")))).toBe(true);
    }
  });
});

interface Writer {
  tell(message: object): Promise<void>;
  leads(): Promise<unknown>;
  /** Closes it, and gives its last report. */
  end(): Promise<{ isLeader: boolean; writer: Record<string, number>; events: Record<string, number> }>;
}

async function startWriter(kubeconfig: string, identity: string): Promise<Writer> {
  const child: ChildProcessWithoutNullStreams = spawn(NODE, [WRITER, kubeconfig, identity]);
  onStopAll(() => {
    child.kill("SIGKILL");
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => lines.push(line));
  }
  const exitStatus = () =>
    child.exitCode === null ? undefined : { code: child.exitCode, signal: child.signalCode };
  const line = (start: string) =>
    waitUntil(
      () => lines.find((each) => each.startsWith(start)),
      { name: identity, lines, exitStatus },
      `the line "${start}"`,
      10_000,
    );
  let told = 0;
  return {
    async tell(message) {
      child.stdin.write(`${JSON.stringify(message)}\n`);
      await line(`took ${++told}`);
    },
    leads: () => line("info leader now"),
    async end() {
      child.stdin.end();
      const report = await line("report ");
      return JSON.parse(report.slice("report ".length));
    },
  };
}

function update(generation: number, isFound: "True" | "False") {
  const message =
    isFound === "True" ? "every backend was found" : "names Service web/nowhere, which does not exist";
  const reason = isFound === "True" ? "ResolvedRefs" : "BackendNotFound";
  const conditions = [
    { type: "Accepted", status: "True", reason: "Accepted", message: "the object is in force" },
    { type: "ResolvedRefs", status: isFound, reason, message },
  ];
  return {
    objects: [ROUTE, INGRESS],
    proxies: [{ name: "p", ackedVersion: "v1" }],
    service: {
      metadata: { name: "gw", namespace: "gw" },
      spec: { type: "LoadBalancer" },
      status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } },
    },
    update: {
      version: "v1",
      verdicts: [ROUTE, INGRESS].map((ref) => ({ ref, generation, conditions, problems: [] })),
    },
  };
}

const OBJECTS = [
  {
    apiVersion: `${UWSGI.group}/v1alpha1`,
    kind: "UwsgiRoute",
    metadata: { name: "app", namespace: "web" },
    spec: { ingressClassName: "uwsgi", rules: [{ backendRefs: [{ name: "nowhere", port: 80 }] }] },
  },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "Ingress",
    metadata: { name: "site", namespace: "web" },
    spec: {
      ingressClassName: "uwsgi",
      defaultBackend: { service: { name: "nowhere", port: { number: 80 } } },
    },
  },
];
