/**
 * Proves the gateway in a cluster, on a real API server with real pods: objects by kubectl are served within a second, statuses
 * and events say what became of them, endpoints come and go without a failed request, and the loss of any part stops no traffic.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { stopAll } from "../harness/cleanup.ts";
import { REPOSITORY } from "../harness/gateway.ts";
import { type ClusterGateway, startClusterGateway } from "./harness/cluster-gateway.ts";
import {
  type ApiServer,
  applyEndpointSlice,
  endpointOf,
  type Pod,
  startApiServer,
  startPod,
} from "./harness/index.ts";
import { describeCluster } from "./harness/suite.ts";

afterAll(stopAll, 60_000);

const APP = `
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["POD_NAME"].encode()]
`;

let server: ApiServer;
let gateway: ClusterGateway;
let pods: Pod[];

async function get(host: string, path = "/"): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers: { Host: host } });
  return [response.status, await response.text()];
}

/** Polls until it answers with that status, and gives the time that it took. */
async function untilStatus(host: string, status: number, path = "/"): Promise<number> {
  const begunMs = performance.now();
  for (;;) {
    const [got] = await get(host, path);
    if (got === status) return performance.now() - begunMs;
    if (performance.now() - begunMs > 10_000) throw new Error(`${host}${path} answers ${got}, not ${status}`);
  }
}

const service = (name: string) => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: web }
spec: { clusterIP: None, ports: [{ name: uwsgi, port: 29000 }] }
---
`;

const route = (name: string, spec: string) => `
apiVersion: uwsgi-gateway.io/v1alpha1
kind: UwsgiRoute
metadata: { name: ${name}, namespace: web }
spec: { ingressClassName: uwsgi, hostnames: [${name}.test], ${spec} }
---
`;

const ingress = (name: string, rules: string, more = "") => `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: ${name}, namespace: web }
spec: { ingressClassName: uwsgi, rules: ${rules} ${more} }
---
`;

function apply(manifest: string): Promise<string> {
  return server.kubectl(["apply", "-f", "-"], { input: manifest });
}

describeCluster(
  "ingress mode",
  () => {
    beforeAll(async () => {
      server = await startApiServer({ audit: true });
      await server.kubectl(["apply", "-f", join(REPOSITORY, "charts/uwsgi-gateway/crds")]);
      await server.kubectl(["wait", "--for=condition=Established", "crd/uwsgiroutes.uwsgi-gateway.io"]);
      await apply(`
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: { name: uwsgi }
spec: { controller: uwsgi-gateway.io/ingress-controller }
`);
      await server.createNamespace("web");
      pods = [await startPod({ name: "one", app: APP }), await startPod({ name: "two", app: APP })];
      gateway = await startClusterGateway({
        kubeconfig: server.kubeconfig,
        controllerArgs: ["--publish-address", "192.0.2.7", "--lease-namespace", "default"],
      });
      await apply(service("django"));
      await slice(pods);
    }, 90_000);

    test("a UwsgiRoute is served within a second of kubectl apply", async () => {
      await apply(route("app", "rules: [{ backendRefs: [{ name: django, port: 29000 }] }]"));
      expect(await untilStatus("app.test", 200)).toBeLessThan(1_000);
      const answers = await Promise.all([get("app.test"), get("app.test")]);
      expect(new Set(answers.map(([, body]) => body))).toEqual(new Set(["one", "two"]));
    });

    test("its conditions say so, and kubectl shows them", async () => {
      await server.kubectl(["-n", "web", "wait", "--for=condition=Programmed", "uwr/app", "--timeout=10s"]);
      const shown = await server.kubectl(["-n", "web", "get", "uwsgiroutes"]);
      expect(shown).toMatch(/^NAME +HOSTNAMES +READY +AGE\napp +.*app\.test.* +True /);
      const object = JSON.parse(await server.kubectl(["-n", "web", "get", "uwr", "app", "-o", "json"]));
      const conditions = object.status.conditions as {
        type: string;
        status: string;
        observedGeneration: number;
      }[];
      expect(
        conditions.map(({ type, status, observedGeneration }) => [type, status, observedGeneration]),
      ).toEqual([
        ["Accepted", "True", 1],
        ["ResolvedRefs", "True", 1],
        ["Programmed", "True", 1],
      ]);
    });

    test("an Ingress is served, and its status carries the address", async () => {
      const paths =
        "[{ path: /, pathType: Prefix, backend: { service: { name: django, port: { name: uwsgi } } } }]";
      await apply(ingress("shop", `[{ host: shop.test, http: { paths: ${paths} } }]`));
      expect(await untilStatus("shop.test", 200)).toBeLessThan(1_000);
      const ip = "jsonpath={.status.loadBalancer.ingress[0].ip}=192.0.2.7";
      await server.kubectl(["-n", "web", "wait", `--for=${ip}`, "ingress/shop", "--timeout=10s"]);
    });

    test("objects of other classes are left alone, status included", async () => {
      const paths =
        "[{ path: /, pathType: Prefix, backend: { service: { name: django, port: { number: 29000 } } } }]";
      const other = ingress("other", `[{ host: other.test, http: { paths: ${paths} } }]`);
      await apply(other.replace("ingressClassName: uwsgi", "ingressClassName: nginx"));
      await apply(route("later", "rules: [{ backendRefs: [{ name: django, port: 29000 }] }]"));
      await untilStatus("later.test", 200);
      expect((await get("other.test"))[0]).toBe(404);
      const status = await server.kubectl([
        "-n",
        "web",
        "get",
        "ingress",
        "other",
        "-o",
        "jsonpath={.status}",
      ]);
      expect(JSON.parse(status || "{}")).toEqual({ loadBalancer: {} });
    });

    test("a route whose Service is missing says so, and is served once it is there", async () => {
      await apply(route("early", "rules: [{ backendRefs: [{ name: absent, port: 29000 }] }]"));
      await server.kubectl([
        "-n",
        "web",
        "wait",
        "--for=condition=ResolvedRefs=false",
        "uwr/early",
        "--timeout=10s",
      ]);
      const described = await server.kubectl(["-n", "web", "describe", "uwr", "early"]);
      expect(described).toContain("BackendNotFound");
      expect((await get("early.test"))[0]).toBe(503);
      await apply(service("absent"));
      await applyEndpointSlice(server, {
        ...{ namespace: "web", service: "absent", ports: { uwsgi: pods[0]!.port } },
        endpoints: [endpointOf(pods[0]!)],
      });
      await untilStatus("early.test", 200);
    });

    test("an endpoint that comes and goes 50 times a second under load costs no request", async () => {
      let done = false;
      let requests = 0;
      const failures: unknown[] = [];
      const client = async () => {
        while (!done) {
          const [status, body] = await get("app.test");
          requests++;
          if (status !== 200) failures.push([status, body]);
        }
      };
      const clients = [client(), client(), client()];
      for (let i = 0; i < 100; i++) {
        const begunMs = performance.now();
        await slice(i % 2 === 0 ? [pods[0]!] : pods);
        await Bun.sleep(Math.max(0, 20 - (performance.now() - begunMs)));
      }
      done = true;
      await Promise.all(clients);
      expect(failures).toEqual([]);
      expect(requests).toBeGreaterThan(200);
      const { counts } = await translations();
      expect(counts.endpoints).toBeGreaterThan(20);
    }, 60_000);

    test("without API server and controller the proxy serves on, and starts again from its file", async () => {
      await server.apiserver.stop("SIGKILL");
      await gateway.controller().stop();
      expect((await get("app.test"))[0]).toBe(200);
      await gateway.proxy().stop();
      await gateway.startProxy();
      expect((await get("app.test"))[0]).toBe(200);
      await server.apiserver.start();
      await gateway.startController();
      await apply(route("after", "rules: [{ backendRefs: [{ name: django, port: 29000 }] }]"));
      await untilStatus("after.test", 200);
    }, 60_000);

    test("a controller that starts anew comes to the same table", async () => {
      const before = await table();
      await gateway.controller().stop();
      await gateway.startController();
      expect(await table()).toEqual(before);
    }, 30_000);
  },
  { pods: true },
);

function slice(of: readonly Pod[]): Promise<unknown> {
  return applyEndpointSlice(server, {
    ...{ namespace: "web", service: "django", ports: { uwsgi: of[0]!.port } },
    endpoints: of.map((pod) => endpointOf(pod)),
  });
}

async function table(): Promise<unknown> {
  const response = await fetch(`${gateway.controllerAdmin}/routes`);
  const { version, hosts, upstreams } = (await response.json()) as Record<string, unknown>;
  return { version, hosts, upstreams };
}

async function translations(): Promise<{ counts: Record<string, number> }> {
  const text = await (await fetch(`${gateway.controllerAdmin}/metrics`)).text();
  const found = [...text.matchAll(/^uwsgi_gateway_controller_translations\{scope="(\w+)"\} (\d+)/gm)];
  return { counts: Object.fromEntries(found.map(([, scope, count]) => [scope, Number(count)])) };
}
