/**
 * Proves that no loss of API server, controller or proxy costs a request while a proxy lives, in whatever order, and that the table
 * afterwards is the one that a controller comes to which starts anew.
 *
 * `LOSS_SEED=n` plays one order again; a random one otherwise, which the test's name tells.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Random } from "../fuzz/random.ts";
import { stopAll } from "../harness/cleanup.ts";
import { applyEndpointSlice, endpointOf, type Pod, startPod } from "./harness/index.ts";
import { ECHO_APP, EVERY_CLIENT, kindOf, type SteadyLoad, startSteadyLoad } from "./harness/steady-load.ts";
import { describeCluster } from "./harness/suite.ts";
import {
  eventually,
  NAMESPACE,
  type Routes,
  routesOf,
  startWebCluster,
  type WebCluster,
} from "./harness/web-cluster.ts";

afterAll(stopAll, 60_000);

const SEED = Number(process.env["LOSS_SEED"] ?? Math.floor(Math.random() * 1_000_000));
const HOST = "app.test";
const SERVICE = "app";
const PODS = 3;
const AWAY_MS = 1_500;
/** From an API server that is back to what was written since: the longest wait between two tries is in it. */
const RECOVERY_MS = 20_000;

const random = new Random(SEED);
let cluster: WebCluster;
let pods: Pod[];
let load: SteadyLoad;
let changes = 0;

/** Writes an Ingress of a new host, and who of the pods is listed; never nobody. */
async function change(): Promise<{ readonly host: string; readonly addresses: readonly string[] }> {
  const host = `change-${++changes}.test`;
  const paths = [{ path: "/", pathType: "Prefix", service: SERVICE } as const];
  await cluster.applyIngress(`change-${random.below(3)}`, { rules: [{ host, paths }] });
  const first = random.below(PODS);
  const listed = Array.from({ length: 1 + random.below(PODS) }, (_, i) => pods[(first + i) % PODS]!);
  await slice(listed);
  return { host, addresses: listed.map(({ address }) => address).sort() };
}

function slice(listed: readonly Pod[]): Promise<unknown> {
  return applyEndpointSlice(cluster.server, {
    ...{ namespace: NAMESPACE, service: SERVICE, ports: { uwsgi: pods[0]!.port } },
    endpoints: listed.map((pod) => endpointOf(pod)),
  });
}

/** What is written from now on, in several kinds, comes to the proxy. */
async function recovered(): Promise<void> {
  const { host, addresses } = await change();
  const status = async () => (await cluster.get(host)).status;
  await eventually(status, (each) => each === 200, `200 at ${host}`, RECOVERY_MS);
  const listed = async () => {
    const { upstreams } = await routesOf(cluster.gateway.proxyAdmin);
    return JSON.stringify(upstreams.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)));
  };
  const wanted = JSON.stringify(addresses);
  await eventually(listed, (each) => each === wanted, wanted, RECOVERY_MS);
}

async function killController(): Promise<void> {
  cluster.gateway.controller().signal("SIGKILL");
  await cluster.gateway.controller().stop();
}

/** A client's requests are lost with the proxy that has them; those are not what is looked at. */
async function restartProxy(): Promise<void> {
  await load.pause();
  cluster.gateway.proxy().signal("SIGKILL");
  await cluster.gateway.proxy().stop();
  await cluster.gateway.startProxy();
  load.resume();
}

const FAULTS: Readonly<Record<string, () => Promise<void>>> = {
  "the API server is killed, and back": async () => {
    await cluster.server.apiserver.stop("SIGKILL");
    await Bun.sleep(AWAY_MS);
    await cluster.server.apiserver.start();
  },
  "the API server stands still for a while": async () => {
    cluster.server.apiserver.pause();
    await Bun.sleep(AWAY_MS);
    cluster.server.apiserver.resume();
  },
  "the controller is killed, and misses a change": async () => {
    await killController();
    await change();
    await Bun.sleep(AWAY_MS);
    await cluster.gateway.startController();
  },
  "the controller begins before the API server": async () => {
    await cluster.server.apiserver.stop("SIGKILL");
    await killController();
    const begun = cluster.gateway.startController();
    await Bun.sleep(AWAY_MS);
    await cluster.server.apiserver.start();
    await begun;
  },
  "the proxy is killed, and begins without a controller": async () => {
    await killController();
    await change();
    await restartProxy();
    await Bun.sleep(AWAY_MS);
    await cluster.gateway.startController();
  },
  "the proxy is killed, and begins with a controller that has no API server": async () => {
    await cluster.server.apiserver.stop("SIGKILL");
    await killController();
    const begun = cluster.gateway.startController();
    await restartProxy();
    await Bun.sleep(AWAY_MS);
    await cluster.server.apiserver.start();
    await begun;
  },
};

function shuffled<T>(values: readonly T[]): T[] {
  const left = [...values];
  return values.map(() => left.splice(random.below(left.length), 1)[0]!);
}

/** Once both say the same version. */
async function tableInUse(): Promise<Routes> {
  const both = async () => ({
    controller: await routesOf(cluster.gateway.controllerAdmin),
    proxy: await routesOf(cluster.gateway.proxyAdmin),
  });
  const isSame = ({ controller, proxy }: Awaited<ReturnType<typeof both>>) =>
    controller.version === proxy.version;
  const { controller, proxy } = await eventually(both, isSame, "one version", RECOVERY_MS);
  expect(proxy).toEqual(controller);
  return controller;
}

describeCluster(
  "loss",
  () => {
    beforeAll(async () => {
      cluster = await startWebCluster();
      const start = (i: number) => startPod({ name: `app-${i}`, app: ECHO_APP, processes: 2 });
      pods = await Promise.all(Array.from({ length: PODS }, (_, i) => start(i)));
      await cluster.applyService(SERVICE);
      await cluster.applyIngress(SERVICE, {
        rules: [{ host: HOST, paths: [{ path: "/", pathType: "Prefix", service: SERVICE }] }],
      });
      await slice(pods);
      await cluster.until(HOST, "/", 200);
      load = startSteadyLoad({
        port: cluster.gateway.port,
        host: HOST,
        clients: EVERY_CLIENT,
        bodyBytes: 5_000,
      });
    }, 120_000);

    test.each(shuffled(Object.keys(FAULTS)))(
      `seed ${SEED}: %s`,
      async (name) => {
        await change();
        await FAULTS[name]!();
        await recovered();
        expect(load.failures).toEqual([]);
        await tableInUse();
      },
      60_000,
    );

    test("the table is the one that a controller comes to which starts anew", async () => {
      const before = await tableInUse();
      expect(before.hosts.length).toBeGreaterThan(1);
      await cluster.gateway.controller().stop();
      await cluster.gateway.startController();
      expect(await tableInUse()).toEqual(before);
      await load.stop();
      expect(load.failures).toEqual([]);
      for (const client of EVERY_CLIENT) expect(load.answeredBy.get(kindOf(client))).toBeGreaterThan(100);
      expect([...load.answered.keys()].sort()).toEqual(pods.map(({ name }) => name).sort());
    }, 40_000);
  },
  { pods: true },
);
