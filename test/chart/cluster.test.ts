/**
 * Proves with a real API server that it takes everything that the chart and deploy/ hold, unknown fields refused, that its Pod Security admission lets the
 * pods into a `restricted` namespace, and that the chart is installed, changed and taken away by the real Helm.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiServer, CommandError, startApiServer } from "../cluster/harness/index.ts";
import { describeCluster } from "../cluster/harness/suite.ts";
import { stopAll } from "../harness/cleanup.ts";
import { CHART, documents, type Manifest, ROOT, render } from "./helm.ts";

const START_LIMIT_MS = 60_000;
const DEPLOY = join(ROOT, "deploy", "uwsgi-gateway.yaml");
const EXAMPLES = join(ROOT, "deploy", "examples");
const CRD = "uwsgiroutes.uwsgi-gateway.io";

afterAll(stopAll);

describeCluster("a real API server", () => {
  let server: ApiServer;
  beforeAll(async () => {
    server = await startApiServer();
    await server.createNamespace("web");
    await server.kubectl(["create", "namespace", "strict"]);
    await server.kubectl(["label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted"]);
    await server.createServiceAccount("strict", "default");
  }, START_LIMIT_MS);

  const apply = (words: readonly string[], input?: string) =>
    server.kubectl(
      ["apply", "--server-side", "--validate=strict", ...words],
      input === undefined ? {} : { input },
    );

  /** As a pod of its own, since admission says no more than a warning to a Deployment's template. */
  function applyPod(template: Manifest): Promise<string> {
    const { serviceAccountName: _, ...spec } = template.spec;
    const metadata = { name: "pod", namespace: "strict" };
    return apply(
      ["--dry-run=server", "-f", "-"],
      JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata, spec }),
    );
  }

  test("takes deploy/uwsgi-gateway.yaml, then the examples", async () => {
    const applied = await apply(["-f", DEPLOY]);
    expect(applied.trim().split("\n")).toHaveLength(documents(readFileSync(DEPLOY, "utf8")).length);
    await server.kubectl(["wait", "--for=condition=Established", `crd/${CRD}`, "--timeout=20s"]);
    for (const name of readdirSync(EXAMPLES).filter((each) => each.endsWith(".yaml"))) {
      await apply(["--force-conflicts", "-f", join(EXAMPLES, name)]);
    }
    expect(await server.kubectl(["get", "uwr", "-n", "web", "-o", "name"])).toBe(
      `uwsgiroute.uwsgi-gateway.io/myapp\n`,
    );
    await server.kubectl(["delete", "-f", DEPLOY, "--wait=false"]);
  });

  test("lets the pods of the gateway and of the examples into a restricted namespace", async () => {
    const files = [
      DEPLOY,
      ...["django", "sidecar", "sidecar-shorthand"].map((name) => join(EXAMPLES, `${name}.yaml`)),
    ];
    const objects = [
      ...files.flatMap((file) => documents(readFileSync(file, "utf8"))),
      ...render("proxy: { httpPort: 80 }"),
    ];
    const deployments = objects.filter((each) => each.kind === "Deployment");
    expect(deployments).toHaveLength(5);
    for (const { spec } of deployments) expect(await applyPod(spec.template)).toContain("serverside-applied");
    await applyPod(objects.find((each) => each.kind === "Pod"));

    const [open] = render("hostPort: { enabled: true }").filter((each) => each.kind === "Deployment");
    const refused = await applyPod(open.spec.template).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CommandError);
    expect((refused as CommandError).stderr).toContain('violates PodSecurity "restricted:latest": hostPort');
  });

  test("helm installs, changes and takes away; the CRD stays, for the sake of the routes", async () => {
    await server.kubectl(["delete", "crd", CRD, "--ignore-not-found"]);
    await server.helm(["install", "gw", CHART, "-n", "gateways", "--create-namespace"]);
    await server.kubectl(["wait", "--for=condition=Established", `crd/${CRD}`, "--timeout=20s"]);
    const replicas = [
      "get",
      "deployment",
      "gw-uwsgi-gateway",
      "-n",
      "gateways",
      "-o",
      "jsonpath={.spec.replicas}",
    ];
    expect(await server.kubectl(replicas)).toBe("2");

    const changes = [
      "replicas=3",
      "watchNamespaces={web}",
      "service.type=NodePort",
      "autoscaling.enabled=false",
    ];
    await server.helm([
      "upgrade",
      "gw",
      CHART,
      "-n",
      "gateways",
      ...changes.flatMap((each) => ["--set", each]),
    ]);
    expect(await server.kubectl(replicas)).toBe("3");
    await server.kubectl(["get", "role", "gw-uwsgi-gateway-watch", "-n", "web"]);

    const more = [
      "autoscaling.enabled=true",
      "hostPort.enabled=true",
      "service.enabled=false",
      "metrics.grafanaDashboard.enabled=true",
    ];
    await server.helm(["upgrade", "gw", CHART, "-n", "gateways", ...more.flatMap((each) => ["--set", each])]);
    await server.kubectl([
      "get",
      "hpa/gw-uwsgi-gateway",
      "configmap/gw-uwsgi-gateway-dashboard",
      "-n",
      "gateways",
    ]);

    await server.helm(["uninstall", "gw", "-n", "gateways"]);
    await expect(server.kubectl(replicas)).rejects.toThrow(/not found/);
    await server.kubectl(["get", "crd", CRD]);
  });
});
