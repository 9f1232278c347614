/**
 * Proves that pods can be replaced one after the other under load without a failed request, GET and POST alike, when endpoints drain before
 * uWSGI ends; and that of a pod that dies unannounced only those requests are lost that are not safe to repeat.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { stopAll } from "../harness/cleanup.ts";
import { waitUntil } from "../harness/processes.ts";
import {
  applyEndpointSlice,
  type Endpoint,
  endpointOf,
  type Pod,
  startPod,
  terminating,
} from "./harness/index.ts";
import {
  type Client,
  ECHO_APP,
  EVERY_CLIENT,
  kindOf,
  type SteadyLoad,
  startSteadyLoad,
} from "./harness/steady-load.ts";
import { describeCluster } from "./harness/suite.ts";
import { NAMESPACE, startWebCluster, type WebCluster } from "./harness/web-cluster.ts";

afterAll(stopAll, 60_000);

const HOST = "app.test";
const SERVICE = "app";
const PODS = 3;
/** Each takes this much of a worker's time. */
const REQUEST_SECONDS = 0.03;
/** What a pod's preStop hook waits until uWSGI gets its TERM: for endpoints to be out of use, and for their requests. */
const DRAIN_MS = 500;
/** Between two steps of a rollout, for the load to show what each did. */
const STEP_MS = 300;
const BODY_BYTES = 100_000;

/** As in the examples for pods: TERM ends what is under way in order. */
const GRACEFUL_STOP = ["--hook-master-start", "unix_signal:15 gracefully_kill_them_all"];

let cluster: WebCluster;
let pods: Pod[] = [];
let load: SteadyLoad;
let made = 0;

const CLIENTS: readonly Client[] = [...EVERY_CLIENT, ...EVERY_CLIENT];

function startAppPod(): Promise<Pod> {
  return startPod({
    ...{ name: `app-${++made}`, app: ECHO_APP, processes: 4, options: GRACEFUL_STOP },
    env: { REQUEST_SECONDS: String(REQUEST_SECONDS) },
  });
}

function slice(endpoints: readonly Endpoint[]): Promise<unknown> {
  return applyEndpointSlice(cluster.server, {
    ...{ namespace: NAMESPACE, service: SERVICE, ports: { uwsgi: pods[0]!.port } },
    endpoints,
  });
}

const readyPods = () => pods.map((pod) => endpointOf(pod));

async function counter(name: string): Promise<number> {
  const text = await (await fetch(`${cluster.gateway.proxyAdmin}/metrics`)).text();
  const found = new RegExp(`^\\w+_${name}(?:\\{[^}]*\\})? (\\d+)$`, "m").exec(text);
  if (found === null) throw new Error(`no metric ${name}`);
  return Number(found[1]);
}

/** As a Deployment with maxSurge 1 and maxUnavailable 0 does it. */
async function replace(old: Pod): Promise<void> {
  const fresh = await startAppPod();
  pods.push(fresh);
  await slice(readyPods());
  await Bun.sleep(STEP_MS);

  pods = pods.filter((pod) => pod !== old);
  await slice([...readyPods(), terminating(old)]);
  await Bun.sleep(DRAIN_MS);
  old.uwsgi.process.signal("SIGTERM");
  await old.uwsgi.process.exited;
  await slice(readyPods());
  await old.stop();
}

describeCluster(
  "pods that are replaced under load",
  () => {
    beforeAll(async () => {
      cluster = await startWebCluster();
      await cluster.applyService(SERVICE);
      await cluster.applyIngress(SERVICE, {
        rules: [{ host: HOST, paths: [{ path: "/", pathType: "Prefix", service: SERVICE }] }],
      });
      for (let i = 0; i < PODS; i++) pods.push(await startAppPod());
      await slice(readyPods());
      await cluster.until(HOST, "/", 200);
    }, 120_000);

    beforeEach(() => {
      load = startSteadyLoad({
        port: cluster.gateway.port,
        host: HOST,
        clients: CLIENTS,
        bodyBytes: BODY_BYTES,
      });
    });

    afterEach(() => load.stop());

    test("the graceful stop of uWSGI finishes what is under way", async () => {
      const pod = await startPod({
        ...{ name: "graceful", app: ECHO_APP, options: GRACEFUL_STOP, env: { REQUEST_SECONDS: "0.5" } },
      });
      await cluster.applyService("graceful");
      await applyEndpointSlice(cluster.server, {
        ...{ namespace: NAMESPACE, service: "graceful", ports: { uwsgi: pod.port } },
        endpoints: [endpointOf(pod)],
      });
      await cluster.applyIngress("graceful", {
        rules: [{ host: "graceful.test", paths: [{ path: "/", pathType: "Prefix", service: "graceful" }] }],
      });
      await cluster.until("graceful.test", "/", 200);
      const slow = cluster.get("graceful.test");
      await Bun.sleep(200);
      pod.uwsgi.process.signal("SIGTERM");
      expect(await slow).toEqual({ status: 200, body: "graceful " });
      expect((await pod.uwsgi.process.exited).signal).toBeNull();
    }, 20_000);

    test("a rolling restart costs no request", async () => {
      const before = [...pods];
      for (const old of before) await replace(old);
      await Bun.sleep(STEP_MS);
      await load.stop();
      expect(load.failures).toEqual([]);
      for (const { name } of [...before, ...pods]) expect(load.answered.get(name)).toBeGreaterThan(0);
      for (const client of EVERY_CLIENT) expect(load.answeredBy.get(kindOf(client))).toBeGreaterThan(50);
    }, 60_000);

    test("a pod that is killed while its endpoint is listed costs what was there and cannot be repeated", async () => {
      await Bun.sleep(STEP_MS);
      const retriesBefore = await counter("retries_total");
      const victim = pods[0]!;
      // Its workers too, which would serve on for a moment.
      process.kill(-victim.uwsgi.process.pid, "SIGKILL");
      await untilDead(victim);
      const diedAtMs = performance.now();
      await Bun.sleep(5 * STEP_MS);
      await load.stop();
      const posts = CLIENTS.filter(({ method }) => method === "POST").length;
      expect(load.failures.filter(({ method }) => method === "GET")).toEqual([]);
      expect(load.failures.filter(({ begunAtMs }) => begunAtMs > diedAtMs)).toEqual([]);
      expect(load.failures.length).toBeLessThanOrEqual(posts);
      expect(new Set([...load.failures.map(({ what }) => what), "status 502"])).toEqual(
        new Set(["status 502"]),
      );
      expect(await counter("retries_total")).toBeGreaterThan(retriesBefore);
      for (const client of EVERY_CLIENT) expect(load.answeredBy.get(kindOf(client))).toBeGreaterThan(20);

      pods = pods.filter((pod) => pod !== victim);
      await slice(readyPods());
      await victim.stop();
    }, 30_000);

    test("a pod that comes back at the same address after such a death is used again", async () => {
      const victim = pods[0]!;
      process.kill(-victim.uwsgi.process.pid, "SIGKILL");
      await untilDead(victim);
      pods = pods.filter((pod) => pod !== victim);
      await slice(readyPods());
      await victim.stop();
      const fresh = await startPod({
        ...{ name: "again", ip: victim.ip, app: ECHO_APP, options: GRACEFUL_STOP },
      });
      pods.push(fresh);
      await slice(readyPods());
      await waitUntil(
        () => ((load.answered.get("again") ?? 0) > 0 ? (true as const) : undefined),
        cluster.gateway.proxy(),
        "an answer of the new pod",
        15_000,
      );
      await load.stop();
      expect(load.failures.filter(({ method }) => method === "GET")).toEqual([]);
    }, 40_000);
  },
  { pods: true },
);

/** None of the group is left, and so nothing listens there. */
function untilDead(pod: Pod): Promise<true> {
  const isDead = () => {
    try {
      process.kill(-pod.uwsgi.process.pid, 0);
      return undefined;
    } catch {
      return true as const;
    }
  };
  return waitUntil(isDead, cluster.gateway.proxy(), `the end of ${pod.name}`, 5_000);
}
