/**
 * Proves what Kubernetes promises of an Ingress and its backends, feature by feature, through a running gateway with real pods: paths,
 * hosts, default backends, ports, classes, the load balancer's status, TLS Secrets. Endpoints are in `conformance-endpoints.test.ts`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { stopAll } from "../harness/cleanup.ts";
import { exact, PATH_CASES, prefix } from "./conformance-paths.ts";
import { applyEndpointSlice, endpointOf, startPod } from "./harness/index.ts";
import { describeCluster } from "./harness/suite.ts";
import {
  applyClass,
  CLASS,
  createTlsSecret,
  eventually,
  type IngressPath,
  NAMESPACE,
  PUBLISHED_IP,
  SERVICE_PORT,
  startWebCluster,
  type WebCluster,
} from "./harness/web-cluster.ts";

afterAll(stopAll, 60_000);

const APP = `
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["POD_NAME"].encode()]
`;

/** A Service and a pod for each, of the same name: the answer's text tells which of them was asked. */
const SERVICES = ["one", "two", "three"];

let cluster: WebCluster;

/** The Service that answers; otherwise the status. */
async function asked(host: string, path = "/"): Promise<string> {
  const { status, body } = await cluster.get(host, path);
  return status === 200 ? body : String(status);
}

/** Everything that was written before is in use when this resolves. */
async function settled(): Promise<void> {
  const host = `settled-${Bun.randomUUIDv7()}.test`;
  await cluster.applyIngress("settled", { rules: [{ host, paths: [prefix("/", "one")] }] });
  await cluster.until(host, "/", 200, "one");
}

describeCluster(
  "ingress conformance",
  () => {
    beforeAll(async () => {
      cluster = await startWebCluster();
      for (const name of SERVICES) {
        const pod = await startPod({ name, app: APP });
        await cluster.applyService(name);
        await applyEndpointSlice(cluster.server, {
          ...{ namespace: NAMESPACE, service: name, ports: { uwsgi: pod.port } },
          endpoints: [endpointOf(pod)],
        });
      }
    }, 120_000);

    describe("paths", () => {
      beforeAll(async () => {
        for (const { host, paths } of PATH_CASES) {
          await cluster.applyIngress(host, { rules: [{ host, paths }] });
        }
        await settled();
      }, 30_000);

      test.each(PATH_CASES)("$text: a request for $request goes to $service", async (each) => {
        const { host, request, service } = each;
        expect(await asked(host, request)).toBe(service === "nothing" ? "404" : service);
      });
    });

    describe("hosts", () => {
      beforeAll(async () => {
        await cluster.applyIngress("hosts", {
          rules: [
            { host: "foo.hosts.test", paths: [prefix("/", "one")] },
            { host: "*.hosts.test", paths: [prefix("/", "two")] },
          ],
        });
        await settled();
      });

      test.each([
        ["foo.hosts.test", "one"],
        ["FOO.Hosts.Test", "one"],
        ["foo.hosts.test:8080", "one"],
        ["bar.hosts.test", "two"],
        ["bar.hosts.test:8080", "two"],
        ["baz.bar.hosts.test", "404"],
        ["hosts.test", "404"],
        ["foohosts.test", "404"],
        ["hosts.test.example", "404"],
      ])("%s: %s", async (host, answer) => {
        expect(await asked(host)).toBe(answer);
      });

      test("several Ingresses share a host, each with its paths", async () => {
        await cluster.applyIngress("shared-a", {
          rules: [{ host: "shared.test", paths: [prefix("/a", "one")] }],
        });
        await cluster.applyIngress("shared-b", {
          rules: [{ host: "shared.test", paths: [prefix("/a/b", "two"), exact("/b", "three")] }],
        });
        await settled();
        expect([await asked("shared.test", "/a/x"), await asked("shared.test", "/a/b/x")]).toEqual([
          "one",
          "two",
        ]);
        expect([await asked("shared.test", "/b"), await asked("shared.test", "/c")]).toEqual([
          "three",
          "404",
        ]);
        await cluster.deleteIngress("shared-b");
        await settled();
        expect([await asked("shared.test", "/a/b/x"), await asked("shared.test", "/b")]).toEqual([
          "one",
          "404",
        ]);
      });

      test("a host's change takes the old one away", async () => {
        await cluster.applyIngress("moving", {
          rules: [{ host: "before.test", paths: [prefix("/", "one")] }],
        });
        await cluster.until("before.test", "/", 200, "one");
        await cluster.applyIngress("moving", {
          rules: [{ host: "after.test", paths: [prefix("/", "two")] }],
        });
        await cluster.until("after.test", "/", 200, "two");
        expect(await asked("before.test")).toBe("404");
      });
    });

    describe("default backend", () => {
      test("an Ingress with a default backend alone gets what nothing else takes", async () => {
        await cluster.applyIngress("taken", {
          rules: [{ host: "taken.test", paths: [prefix("/aaa", "one")] }],
        });
        await settled();
        expect(await asked("nobody.test")).toBe("404");
        await cluster.applyIngress("default", { defaultBackend: "three" });
        await cluster.until("nobody.test", "/any/path", 200, "three");
        expect([await asked("taken.test", "/aaa"), await asked("taken.test", "/ccc")]).toEqual([
          "one",
          "three",
        ]);
        await cluster.deleteIngress("default");
        await cluster.until("nobody.test", "/any/path", 404);
      });

      test("a rule without paths sends its host to the default backend", async () => {
        await cluster.applyIngress("bare", {
          defaultBackend: "two",
          rules: [{ host: "bare.test" }, { host: "ruled.test", paths: [prefix("/aaa", "one")] }],
        });
        await cluster.until("bare.test", "/x", 200, "two");
        expect([await asked("ruled.test", "/aaa"), await asked("ruled.test", "/ccc")]).toEqual([
          "one",
          "two",
        ]);
        await cluster.deleteIngress("bare");
        await cluster.until("bare.test", "/x", 404);
      });

      test("a rule without a host is for every host that no other rule takes", async () => {
        await cluster.applyIngress("anyhost", { rules: [{ paths: [prefix("/anyhost", "three")] }] });
        await cluster.until("whoever.test", "/anyhost", 200, "three");
        expect(await asked("whoever.test", "/")).toBe("404");
      });
    });

    describe("ports", () => {
      const host = (name: string) => `${name}-port.test`;
      const withPort = (port: NonNullable<IngressPath["port"]>) => [{ ...prefix("/", "two"), port }];

      test.each([
        ["named", { name: "uwsgi" }, "two"],
        ["numbered", { number: SERVICE_PORT }, "two"],
        ["unknown-name", { name: "http" }, "503"],
        ["unknown-number", { number: 29_000 }, "503"],
      ] as const)("%s", async (name, port, answer) => {
        await cluster.applyIngress(`${name}-port`, { rules: [{ host: host(name), paths: withPort(port) }] });
        await settled();
        expect(await asked(host(name))).toBe(answer);
      });
    });

    describe("classes", () => {
      const rules = (host: string) => [{ host, paths: [prefix("/", "one")] }];

      test("without a class it is served only once ours is the default, and no longer after", async () => {
        await cluster.applyIngress("classless", { rules: rules("classless.test"), className: null });
        await settled();
        expect(await asked("classless.test")).toBe("404");
        await applyClass(cluster.server, CLASS, true);
        await cluster.until("classless.test", "/", 200, "one");
        await applyClass(cluster.server, CLASS, false);
        await cluster.until("classless.test", "/", 404);
      });

      test("the annotation names a class, as the field does", async () => {
        const annotated = (name: string) => ({ "kubernetes.io/ingress.class": name });
        for (const name of [CLASS, "nginx"]) {
          const annotations = annotated(name);
          await cluster.applyIngress(`annotated-${name}`, {
            ...{ rules: rules(`${name}.annotated.test`), className: null, annotations },
          });
        }
        await settled();
        expect([await asked(`${CLASS}.annotated.test`), await asked("nginx.annotated.test")]).toEqual([
          "one",
          "404",
        ]);
      });

      test("a second class of ours is served too, one of another name is not", async () => {
        await applyClass(cluster.server, "second");
        await cluster.applyIngress("second", { rules: rules("second.test"), className: "second" });
        await cluster.applyIngress("absent", { rules: rules("absent.test"), className: "absent" });
        await settled();
        await cluster.until("second.test", "/", 200, "one");
        expect(await asked("absent.test")).toBe("404");
        expect((await cluster.ingress("absent")).status).toEqual({ loadBalancer: {} });
      });
    });

    test("the status carries the load balancer's address, until the class is another's", async () => {
      const rules = [{ host: "status.test", paths: [prefix("/", "one")] }];
      const addresses = async () => (await cluster.ingress("status")).status?.loadBalancer?.ingress;
      await cluster.applyIngress("status", { rules });
      const found = await eventually(addresses, (each) => each !== undefined, "an address");
      expect(found).toEqual([{ ip: PUBLISHED_IP }]);
      await cluster.applyIngress("status", { rules, className: "absent" });
      await eventually(addresses, (each) => each === undefined, "without address");
      expect(await asked("status.test")).toBe("404");
    }, 15_000);

    test("a TLS Secret that is missing is told of, mended once it is there, and HTTP serves all the while", async () => {
      const tls = [{ hosts: ["tls.test"], secretName: "tls-test" }];
      await cluster.applyIngress("tls", { rules: [{ host: "tls.test", paths: [prefix("/", "one")] }], tls });
      await cluster.until("tls.test", "/", 200, "one");
      await untilEvent("tls", "Warning", "SecretNotFound", "tls-test");
      await createTlsSecret(cluster.server, "tls-test", ["DNS:tls.test"]);
      await untilEvent("tls", "Normal", "ResolvedRefs", "");
      expect(await asked("tls.test")).toBe("one");
    }, 25_000);

    test("a UwsgiRoute says the same in its condition", async () => {
      const path = `/apis/uwsgi-gateway.io/v1alpha1/namespaces/${NAMESPACE}/uwsgiroutes/tls-route`;
      await cluster.server.apply(path, {
        ...{ apiVersion: "uwsgi-gateway.io/v1alpha1", kind: "UwsgiRoute" },
        metadata: { name: "tls-route", namespace: NAMESPACE },
        spec: {
          ...{ ingressClassName: CLASS, hostnames: ["tls-route.test"] },
          tls: { secretName: "tls-route" },
          rules: [{ backendRefs: [{ name: "one", port: SERVICE_PORT }] }],
        },
      });
      const condition = async () => {
        const { body } = await cluster.server.request("GET", path);
        const found = body.status?.conditions?.find((each: { type: string }) => each.type === "ResolvedRefs");
        return `${found?.status} ${found?.reason}`;
      };
      await eventually(condition, (each) => each === "False SecretNotFound", "without its Secret");
      expect(await asked("tls-route.test")).toBe("one");
      await createTlsSecret(cluster.server, "tls-route", ["DNS:tls-route.test"]);
      await eventually(condition, (each) => each === "True ResolvedRefs", "mended");
      expect(await asked("tls-route.test")).toBe("one");
    }, 25_000);

    test("a TLS Secret for other names is told of, and is taken all the same", async () => {
      await createTlsSecret(cluster.server, "tls-other", ["DNS:elsewhere.test"]);
      const tls = [{ hosts: ["uncovered.test"], secretName: "tls-other" }];
      await cluster.applyIngress("uncovered", {
        ...{ rules: [{ host: "uncovered.test", paths: [prefix("/", "one")] }], tls },
      });
      await untilEvent("uncovered", "Warning", "HostnameNotCovered", "uncovered.test");
      expect(await asked("uncovered.test")).toBe("one");
    }, 15_000);
  },
  { pods: true },
);

async function untilEvent(ingress: string, type: string, reason: string, message: string): Promise<void> {
  const selector = new URLSearchParams({
    fieldSelector: `involvedObject.kind=Ingress,involvedObject.name=${ingress}`,
  });
  const look = async () => {
    const { body } = await cluster.server.request(
      "GET",
      `/api/v1/namespaces/${NAMESPACE}/events?${selector}`,
    );
    return body.items.map((each: Record<string, string>) => [each["type"], each["reason"], each["message"]]);
  };
  const isThere = (events: string[][]) =>
    events.some(([t, r, words]) => t === type && r === reason && words!.includes(message));
  await eventually(look, isThere, `${type} ${reason} of ${ingress}`);
}
