/**
 * Proves on a real API server that the source lists and watches it with no more rights than to list and watch what it reads (of Secrets, the one that a route
 * names), is in sync only once the CustomResourceDefinition is there, tells changes, and goes on after the server was away.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { KubeSourceState, RouteState } from "../../src/sources/kube/source.ts";
import { onStopAll, stopAll } from "../harness/cleanup.ts";
import { type ApiServer, applyEndpointSlice, startApiServer, wasDenied } from "./harness/index.ts";
import { describeCluster } from "./harness/suite.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const SOURCE = join(import.meta.dirname, "source.fixture.ts");
const CRD = join(ROOT, "charts/uwsgi-gateway/crds/uwsgiroutes.yaml");
afterAll(stopAll);

const START_LIMIT_MS = 60_000;
const LIMIT_MS = 60_000;
const USER = "system:serviceaccount:gw:gw";

const WATCH = ["list", "watch"];
const CLUSTER_RULES = [
  { apiGroups: ["networking.k8s.io"], resources: ["ingressclasses", "ingresses"], verbs: WATCH },
  { apiGroups: ["uwsgi-gateway.io"], resources: ["uwsgiroutes"], verbs: WATCH },
  { apiGroups: [""], resources: ["services"], verbs: WATCH },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: WATCH },
];
const SECRET_RULES = [{ apiGroups: [""], resources: ["secrets"], resourceNames: ["cert"], verbs: WATCH }];

interface Said {
  readonly change?: {
    readonly kinds: string[];
    readonly services: string[];
    readonly isEndpointsOnly: boolean;
  };
  readonly synced: boolean;
  readonly objects: readonly string[];
  readonly invalid: readonly string[];
  readonly route?: RouteState;
  readonly kinds: KubeSourceState["kinds"];
}

/** The program, and what it says. */
class Source {
  readonly said: Said[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exited: Promise<number | null>;
  #wake = () => {};

  constructor(kubeconfig: string) {
    this.#child = spawn(NODE, [SOURCE, kubeconfig], { stdio: "pipe" });
    this.#exited = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stderr.pipe(process.stderr);
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) this.said.push(JSON.parse(line) as Said);
      this.#wake();
    });
    onStopAll(() => void this.#child.kill("SIGKILL"));
  }

  ask(): void {
    this.#child.stdin.write("\n");
  }

  async until(passes: (said: Said) => boolean): Promise<Said> {
    for (;;) {
      const found = this.said.findLast(passes);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async end(): Promise<number | null> {
    this.#child.stdin.end();
    return this.#exited;
  }
}

describeCluster("the source on a real API server", () => {
  let server: ApiServer;
  let source: Source;

  beforeAll(async () => {
    server = await startApiServer({ audit: true });
    for (const namespace of ["gw", "web"]) await server.createNamespace(namespace);
    await server.createServiceAccount("gw", "gw");
    const rbac = { apiVersion: "rbac.authorization.k8s.io/v1" };
    const subjects = [{ kind: "ServiceAccount", name: "gw", namespace: "gw" }];
    const refTo = (kind: string) => ({ apiGroup: "rbac.authorization.k8s.io", kind, name: "gw" });
    const inWeb = { name: "gw", namespace: "web" };
    await create([
      { ...rbac, kind: "ClusterRole", metadata: { name: "gw" }, rules: CLUSTER_RULES },
      {
        ...rbac,
        kind: "ClusterRoleBinding",
        metadata: { name: "gw" },
        roleRef: refTo("ClusterRole"),
        subjects,
      },
      { ...rbac, kind: "Role", metadata: inWeb, rules: SECRET_RULES },
      { ...rbac, kind: "RoleBinding", metadata: inWeb, roleRef: refTo("Role"), subjects },
    ]);
    source = new Source(await server.serviceAccountKubeconfig("gw", "gw"));
  }, START_LIMIT_MS);

  async function create(items: readonly object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    await server.kubectl(["apply", "-f", "-"], { input });
  }

  const metadata = (name: string) => ({ name, namespace: "web" });
  const service = (name: string) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(name),
    spec: { ports: [{ port: 80, name: "uwsgi" }] },
  });
  const slice = { namespace: "web", service: "app", ports: { uwsgi: 29000 } };

  test(
    "is not in sync before its own kind is installed, and says why",
    async () => {
      const asking = setInterval(() => source.ask(), 100);
      const kindOf = (said: Said) => said.kinds.find(({ kind }) => kind === "UwsgiRoute");
      const said = await source.until((each) => kindOf(each)?.lastError !== undefined);
      expect([said.synced, kindOf(said)?.synced, kindOf(said)?.lastError?.status]).toEqual([
        false,
        false,
        404,
      ]);
      await server.kubectl(["create", "-f", CRD]);
      const synced = await source.until((each) => each.synced);
      clearInterval(asking);
      expect(synced.kinds.every((each) => each.synced)).toBe(true);
    },
    LIMIT_MS,
  );

  test(
    "tells objects as they come, and reads the Secret that a route names",
    async () => {
      const controller = "uwsgi-gateway.io/ingress-controller";
      await create([
        {
          apiVersion: "networking.k8s.io/v1",
          kind: "IngressClass",
          metadata: { name: "uwsgi" },
          spec: { controller },
        },
        service("app"),
        {
          apiVersion: "v1",
          kind: "Secret",
          type: "kubernetes.io/tls",
          metadata: metadata("cert"),
          stringData: { "tls.crt": "crt", "tls.key": "key" },
        },
        {
          apiVersion: "uwsgi-gateway.io/v1alpha1",
          kind: "UwsgiRoute",
          metadata: metadata("app"),
          spec: {
            ingressClassName: "uwsgi",
            tls: { secretName: "cert" },
            rules: [{ backendRefs: [{ name: "app", port: 80 }] }],
          },
        },
      ]);
      await applyEndpointSlice(server, { ...slice, endpoints: [{ addresses: ["10.9.8.7"] }] });
      const all = ["IngressClass uwsgi", "Secret web/cert", "Service web/app", "UwsgiRoute web/app"];
      const said = await source.until(
        ({ objects }) =>
          all.every((each) => objects.includes(each)) &&
          objects.some((each) => each.startsWith("EndpointSlice web/")),
      );
      expect(said.invalid).toEqual([]);
      expect(said.route).toMatchObject({ generation: 1 });
      const count = source.said.length;
      await applyEndpointSlice(server, { ...slice, endpoints: [{ addresses: ["10.9.8.6"] }] });
      await source.until((each) => source.said.indexOf(each) >= count);
      expect(source.said[count]?.change).toEqual({
        kinds: ["EndpointSlice"],
        services: ["web/app"],
        isEndpointsOnly: true,
      });
    },
    LIMIT_MS,
  );

  test("was refused nothing, and asked for no other Secret", () => {
    const events = server.auditEvents(USER);
    expect(events.filter(wasDenied)).toEqual([]);
    const verbs = new Set(events.map(({ verb }) => verb));
    expect([...verbs].sort()).toEqual(["list", "watch"]);
  });

  test(
    "goes on after the server was away, and ends with nothing left open",
    async () => {
      // A server that starts refuses everybody until it has read the roles.
      await server.apiserver.stop();
      await server.apiserver.start();
      await create([service("late")]);
      const said = await source.until(({ objects }) => objects.includes("Service web/late"));
      expect(said.objects).toContain("UwsgiRoute web/app");
      await server.kubectl(["delete", "-n", "web", "service", "late"]);
      await source.until((each) => each === source.said.at(-1) && !each.objects.includes("Service web/late"));
      expect(await source.end()).toBe(0);
    },
    LIMIT_MS,
  );
});
