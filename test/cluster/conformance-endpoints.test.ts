/**
 * Proves which pods get requests for each state that EndpointSlices can be in, through a running gateway with real pods: ready, serving,
 * terminating, several slices, duplicates, both address families, and nobody at all.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { stopAll } from "../harness/cleanup.ts";
import {
  applyEndpointSlice,
  type Endpoint,
  endpointOf,
  type Pod,
  podNetwork,
  run,
  startPod,
  terminating,
} from "./harness/index.ts";
import { describeCluster } from "./harness/suite.ts";
import { eventually, NAMESPACE, routesOf, startWebCluster, type WebCluster } from "./harness/web-cluster.ts";

afterAll(stopAll, 60_000);

const HOST = "app.test";
const SERVICE = "app";
/** Several turns for each pod. */
const REQUESTS = 12;
/** Where pods listen on IPv6. */
const IPV6_PORT = 29_006;

const APP = `
import os
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [os.environ["POD_NAME"].encode() + b" " + environ["HTTP_X_MARK"].encode()]
`;

let cluster: WebCluster;
let pods: readonly Pod[];
let one: Pod;
let two: Pod;
let three: Pod;

interface SliceOptions {
  readonly name?: string;
  readonly ports?: Readonly<Record<string, number>>;
  readonly addressType?: "IPv4" | "IPv6";
}

const slice = (endpoints: readonly Endpoint[], options: SliceOptions = {}) =>
  applyEndpointSlice(cluster.server, {
    ...{ namespace: NAMESPACE, service: SERVICE, ports: { uwsgi: one.port } },
    ...options,
    endpoints,
  });

/** Waits until the proxy has these endpoints and no others, and asks them. Resolves with `STATUS pod` for each answer. */
async function answersOf(addresses: readonly string[]): Promise<Set<string>> {
  const wanted = JSON.stringify([...addresses].sort());
  const look = async () => {
    const { upstreams } = await routesOf(cluster.gateway.proxyAdmin);
    return upstreams.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)).sort();
  };
  await eventually(look, (found) => JSON.stringify(found) === wanted, wanted);
  const answers = new Set<string>();
  for (let i = 0; i < REQUESTS; i++) {
    const response = await fetch(`http://127.0.0.1:${cluster.gateway.port}/`, {
      headers: { Host: HOST, "X-Mark": String(i) },
    });
    const [pod, mark] = (await response.text()).split(" ");
    if (response.status === 200) expect(mark).toBe(String(i));
    answers.add(response.status === 200 ? pod! : String(response.status));
  }
  return answers;
}

const from = (...names: string[]) => new Set(names);

describeCluster(
  "endpoints",
  () => {
    beforeAll(async () => {
      cluster = await startWebCluster();
      const start = (name: string) =>
        startPod({ name, app: APP, options: ["--socket", `[::]:${IPV6_PORT}`] });
      pods = await Promise.all(["one", "two", "three"].map(start));
      [one, two, three] = pods as [Pod, Pod, Pod];
      await cluster.applyService(SERVICE);
      await cluster.applyIngress(SERVICE, {
        rules: [{ host: HOST, paths: [{ path: "/", pathType: "Prefix", service: SERVICE }] }],
      });
      await cluster.until(HOST, "/", 503);
    }, 120_000);

    test("every ready pod gets requests", async () => {
      await slice(pods.map((pod) => endpointOf(pod)));
      expect(await answersOf(pods.map(({ address }) => address))).toEqual(from("one", "two", "three"));
    });

    test("a pod that is not ready gets none", async () => {
      await slice([endpointOf(one), endpointOf(two, { ready: false, serving: false })]);
      expect(await answersOf([one.address])).toEqual(from("one"));
    });

    test("a pod that is terminating gets none while another is ready, though it serves", async () => {
      await slice([terminating(one), endpointOf(two)]);
      expect(await answersOf([two.address])).toEqual(from("two"));
    });

    test("pods that are terminating and serve get requests where no other is ready", async () => {
      await slice([terminating(one), terminating(two), terminating(three, false)]);
      expect(await answersOf([one.address, two.address])).toEqual(from("one", "two"));
    });

    test("a pod that is not ready and not terminating is no stand-in, though it serves", async () => {
      await slice([endpointOf(one, { ready: false, serving: true })]);
      expect(await answersOf([])).toEqual(from("503"));
    });

    test("a pod that is not ready gives 503, and is used once it is", async () => {
      await slice([endpointOf(one, { ready: false, serving: false })]);
      expect(await answersOf([])).toEqual(from("503"));
      await slice([endpointOf(one)]);
      expect(await answersOf([one.address])).toEqual(from("one"));
    });

    test("terminating and not serving gives 503", async () => {
      await slice([terminating(one, false)]);
      expect(await answersOf([])).toEqual(from("503"));
    });

    test("a slice whose conditions are left out is ready: unknown counts as true", async () => {
      const path = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices/${SERVICE}-1`;
      await cluster.server.request("DELETE", path);
      await cluster.server.apply(path, {
        ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", addressType: "IPv4" },
        metadata: {
          ...{ name: `${SERVICE}-1`, namespace: NAMESPACE },
          labels: { "kubernetes.io/service-name": SERVICE },
        },
        endpoints: [{ addresses: [two.ip] }],
        ports: [{ name: "uwsgi", port: two.port, protocol: "TCP" }],
      });
      expect(await answersOf([two.address])).toEqual(from("two"));
    });

    test("several slices are one set, in which an endpoint counts once", async () => {
      await slice([endpointOf(one), endpointOf(two)]);
      await slice([endpointOf(two), endpointOf(three)], { name: "app-2" });
      expect(await answersOf(pods.map(({ address }) => address))).toEqual(from("one", "two", "three"));
      await slice([], { name: "app-2" });
      expect(await answersOf([one.address, two.address])).toEqual(from("one", "two"));
    });

    test("an endpoint that is ready in one slice and terminating in another, as while it moves, is used", async () => {
      await slice([terminating(one), endpointOf(two)]);
      await slice([endpointOf(one)], { name: "app-2" });
      expect(await answersOf([one.address, two.address])).toEqual(from("one", "two"));
      await slice([], { name: "app-2" });
    });

    test("slices tie the Service's port by name, and each may have a number of its own", async () => {
      await slice([endpointOf(one)]);
      await slice([endpointOf(two)], { name: "app-2", ports: { metrics: two.port } });
      expect(await answersOf([one.address])).toEqual(from("one"));
      await slice([endpointOf(two)], { name: "app-2", ports: { metrics: 1, uwsgi: IPV6_PORT } });
      expect(await answersOf([one.address, `${two.ip}:${IPV6_PORT}`])).toEqual(from("one", "two"));
      await slice([], { name: "app-2" });
    });

    test("both address families serve, with a slice for each", async () => {
      const address = await ipv6Address(two);
      await slice([endpointOf(one)]);
      const ipv6 = { name: "app-ipv6", addressType: "IPv6", ports: { uwsgi: IPV6_PORT } } as const;
      await slice([{ addresses: [address] }], ipv6);
      expect(await answersOf([one.address, `[${address}]:${IPV6_PORT}`])).toEqual(from("one", "two"));
      await slice([]);
      expect(await answersOf([`[${address}]:${IPV6_PORT}`])).toEqual(from("two"));
    });
  },
  { pods: true },
);

/** Gives the pod one on a range that nothing else here uses, and the machine another, so that packets stay on the bridge. */
async function ipv6Address(pod: Pod): Promise<string> {
  const { bridge } = await podNetwork();
  const range = `fd75:${(process.pid & 0xffff).toString(16)}`;
  const ip = (...words: string[]) => run(["ip", ...words]);
  await ip("address", "add", `${range}::1/64`, "dev", bridge, "nodad");
  await ip("-n", pod.namespace, "address", "add", `${range}::2/64`, "dev", "eth0", "nodad");
  return `${range}::2`;
}
