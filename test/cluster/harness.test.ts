/**
 * Proves the cluster harness itself: that a real API server comes up in seconds and knows its users, that kubectl and helm work on it, that it
 * can be restarted and paused without losing data, that a pod is reached from outside of its namespace, and that nothing is left behind.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodePair, PacketWriter } from "../../src/uwsgi/encoder.ts";
import { stopAll, temporaryFolder } from "../harness/cleanup.ts";
import { isFree } from "../harness/ports.ts";
import { startProcess, waitUntil } from "../harness/processes.ts";
import { rawExchange } from "../harness/raw-client.ts";
import {
  type ApiServer,
  applyEndpointSlice,
  CommandError,
  endpointOf,
  startApiServer,
  startPod,
  terminating,
  wasDenied,
} from "./harness/index.ts";
import { ip, overlaps, podNamespaces, podNetwork, removeLeftovers } from "./harness/network.ts";
import { describeCluster } from "./harness/suite.ts";

const START_LIMIT_MS = 30_000;
const SILENCE_MS = 300;
const UWSGI_END_LIMIT_MS = 10_000;
/** uWSGI's defaults. */
const UWSGI_BUFFER_BYTES = 4096;
const UWSGI_MAX_VARS = 64;
const WHO_APP = `
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [(os.environ["POD_NAME"] + " " + os.environ["POD_IP"]).encode()]
`;

afterAll(stopAll);

describeCluster("a real API server", () => {
  let server: ApiServer;
  let startedInMs = 0;
  beforeAll(async () => {
    const begin = performance.now();
    server = await startApiServer({ audit: true });
    startedInMs = performance.now() - begin;
  }, 2 * START_LIMIT_MS);

  test("is up in seconds, and of the pinned version", async () => {
    expect(startedInMs).toBeLessThan(START_LIMIT_MS);
    const version = JSON.parse(await server.kubectl(["version", "--output=json"]));
    expect(version.serverVersion.gitVersion).toMatch(/^v1\.\d+\.\d+$/);
  });

  test("kubectl applies and gets; what the server refuses is an error with its own words", async () => {
    await server.createNamespace("web");
    const manifest = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "a", namespace: "web" },
      data: { k: "v" },
    };
    await server.kubectl(["apply", "-f", "-"], { input: JSON.stringify(manifest) });
    expect(await server.kubectl(["get", "configmap", "a", "-n", "web", "-o", "jsonpath={.data.k}"])).toBe(
      "v",
    );

    const refused = await server.kubectl(["get", "configmap", "absent", "-n", "web"]).catch((error) => error);
    expect(refused).toBeInstanceOf(CommandError);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('configmaps "absent" not found');
  });

  test("a default ServiceAccount is there in each namespace that the harness makes", async () => {
    const accounts = await server.kubectl(["get", "serviceaccount", "-A", "--no-headers"]);
    expect(accounts).toMatch(/^default +default /m);
    expect(accounts).toMatch(/^web +default /m);
  });

  test("helm finds the server, and lists what is installed", async () => {
    expect(await server.helm(["version", "--short"])).toMatch(/^v\d+\.\d+/);
    expect(JSON.parse(await server.helm(["list", "--all-namespaces", "--output", "json"]))).toEqual([]);
  });

  test("helm installs a chart, changes it and takes it away", async () => {
    const chart = join(server.folder, "site");
    await server.helm(["create", chart]);
    await server.helm(["lint", chart]);
    await server.helm(["install", "gw", chart, "-n", "charts", "--create-namespace"]);
    const replicas = ["get", "deployment", "gw-site", "-n", "charts", "-o", "jsonpath={.spec.replicas}"];
    expect(await server.kubectl(replicas)).toBe("1");
    await server.helm(["upgrade", "gw", chart, "-n", "charts", "--set", "replicaCount=3"]);
    expect(await server.kubectl(replicas)).toBe("3");
    await server.helm(["uninstall", "gw", "-n", "charts"]);
    await expect(server.kubectl(replicas)).rejects.toThrow(/not found/);
  });

  test("a ServiceAccount's token is known, RBAC holds it back, and the audit log tells both", async () => {
    await server.createServiceAccount("web", "reader");
    const role = ["create", "role", "reader", "-n", "web", "--verb=get,list", "--resource=configmaps"];
    await server.kubectl(role);
    const words = [
      "create",
      "rolebinding",
      "reader",
      "-n",
      "web",
      "--role=reader",
      "--serviceaccount=web:reader",
    ];
    await server.kubectl(words);
    const kubeconfig = await server.serviceAccountKubeconfig("web", "reader");
    const asReader = { env: { KUBECONFIG: kubeconfig } };
    expect(await server.kubectl(["get", "configmap", "-n", "web", "-o", "name"], asReader)).toBe(
      "configmap/a\n",
    );
    await expect(server.kubectl(["get", "secret", "-n", "web"], asReader)).rejects.toThrow(/Forbidden/);

    const events = server.auditEvents("system:serviceaccount:web:reader");
    const about = (resource: string) => events.filter((event) => event.objectRef?.resource === resource);
    expect(about("configmaps").map(wasDenied)).toEqual([false]);
    expect(about("secrets").map(wasDenied)).toEqual([true]);
  });

  test("a token is refused by who does not sign it", async () => {
    const words = ["get", "namespaces", "--token=not.a.token", `--server=${server.url}`];
    const anonymous = [`--certificate-authority=${server.caFile}`, "--kubeconfig=/dev/null"];
    await expect(server.kubectl([...words, ...anonymous])).rejects.toThrow(/Unauthorized|logged in/);
  });

  test("EndpointSlices are created and changed; a loopback address is refused by the server", async () => {
    const slice = { namespace: "web", service: "django", ports: 29_000 };
    const first = await applyEndpointSlice(server, { ...slice, endpoints: [endpointOf({ ip: "10.9.9.1" })] });
    const changed = await applyEndpointSlice(server, {
      ...slice,
      endpoints: [terminating({ ip: "10.9.9.1" })],
    });
    expect(changed.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
    const stored = JSON.parse(
      await server.kubectl(["get", "endpointslice", "django-1", "-n", "web", "-o", "json"]),
    );
    expect(stored.endpoints).toEqual([
      { addresses: ["10.9.9.1"], conditions: { ready: false, serving: true, terminating: true } },
    ]);
    expect(stored.ports).toEqual([{ name: "", port: 29_000, protocol: "TCP" }]);
    const loopback = applyEndpointSlice(server, { ...slice, endpoints: [endpointOf({ ip: "127.0.0.1" })] });
    await expect(loopback).rejects.toThrow(/loopback/);
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`restarted after ${signal}, it is on the same port and has its data`, async () => {
      const before = server.apiserver.process().pid;
      await server.apiserver.restart(signal);
      expect(server.apiserver.process().pid).not.toBe(before);
      expect((await server.request("GET", "/api/v1/namespaces/web/configmaps/a")).body.data).toEqual({
        k: "v",
      });
    }, 60_000);
  }

  test("stopped, it refuses connections; started, it is back", async () => {
    await server.apiserver.stop();
    expect(await isFree(server.apiserver.port)).toBe(true);
    await expect(server.request("GET", "/readyz")).rejects.toThrow();
    await server.apiserver.start();
    expect((await server.request("GET", "/readyz")).body).toBe("ok");
  }, 60_000);

  test("paused, it answers nothing until it goes on", async () => {
    server.apiserver.pause();
    let answered = false;
    const answer = server.request("GET", "/readyz").then((got) => {
      answered = true;
      return got;
    });
    const given = await server.kubectl(["get", "ns", "--request-timeout=1s"]).catch((error) => error.stderr);
    expect(given).toMatch(/deadline exceeded|timeout|timed out/i);
    expect(answered).toBe(false);
    server.apiserver.resume();
    expect((await answer).status).toBe(200);
  }, 30_000);
});

describeCluster(
  "pods",
  () => {
    const start = (name: string, ip?: string) => startPod({ name, app: WHO_APP, ...(ip ? { ip } : {}) });

    test("each has an address, is reached from here, and ends alone", async () => {
      const [first, second] = [await start("a"), await start("b")];
      expect(first.ip).not.toBe(second.ip);
      expect([await ask(first), await ask(second)]).toEqual([`a ${first.ip}`, `b ${second.ip}`]);
      await first.stop();
      expect(await ask(second)).toBe(`b ${second.ip}`);
    });

    test("a new pod takes over a stopped one's address, at once", async () => {
      const old = await start("old");
      expect(await ask(old)).toBe(`old ${old.ip}`);
      await old.stop();
      expect(await ask(await start("new", old.ip))).toBe(`new ${old.ip}`);
    });

    test("one that is unplugged answers nothing, and does once it is plugged in", async () => {
      const pod = await start("cut");
      await pod.unplug();
      const answer = ask(pod);
      expect(await Promise.race([answer, sleep(SILENCE_MS, "silence")])).toBe("silence");
      await pod.plugIn();
      expect(await answer).toBe(`cut ${pod.ip}`);
    });

    test("one whose app cannot be loaded is an error, and leaves no namespace", async () => {
      const before = await podNamespaces();
      await expect(startPod({ name: "broken", app: "import no_such_module\n\n" })).rejects.toThrow(
        /no_such_module/,
      );
      expect(await podNamespaces()).toEqual(before);
    });

    test("an address from elsewhere is refused", async () => {
      await expect(startPod({ name: "away", ip: "192.0.2.1" })).rejects.toThrow(/is not on 10\./);
    });
  },
  { pods: true },
);

describe("a range for pods", () => {
  test("is taken where the machine has an address or a route in it", () => {
    expect(overlaps("10.201.7", ["10.201.7.3"])).toBe(true);
    expect(overlaps("10.201.7", ["10.201.6.0/23"])).toBe(true);
    expect(overlaps("10.201.7", ["10/8"])).toBe(true);
    expect(overlaps("10.201.7", ["10.201.8.0/24", "127.0.0.0/8", "10.201.6.255"])).toBe(false);
  });
});

describeCluster(
  "after stopAll",
  () => {
    test("no process, namespace, link, port or file is left, a paused server and a running pod included", async () => {
      const server = await startApiServer();
      const pod = await startPod({ name: "left" });
      const { bridge } = await podNetwork();
      const pids = [server.apiserver.process().pid, server.etcd.process.pid, pod.uwsgi.process.pid];
      expect(pids.map(isAlive)).toEqual([true, true, true]);
      expect(await podNamespaces()).toContain(pod.namespace);
      server.apiserver.pause();
      await stopAll();

      expect(pids.map(isAlive)).toEqual([false, false, false]);
      expect(await podNamespaces()).toEqual([]);
      const links = JSON.parse(await ip("-json", "link")) as { ifname: string }[];
      const ours = bridge.replace(/br$/, "");
      expect(links.map((link) => link.ifname).filter((name) => name.startsWith(ours))).toEqual([]);
      expect(await isFree(server.apiserver.port)).toBe(true);
      expect(existsSync(server.folder)).toBe(false);
    }, 60_000);

    test("what a killed test process left is removed by the next one", async () => {
      const fixture = join(import.meta.dirname, "abandoned.fixture.ts");
      // It cannot remove its temporary folders: they go with this one.
      const env = { TMPDIR: temporaryFolder("left") };
      const child = startProcess({ name: "abandoning", command: [process.execPath, fixture], env });
      const left = JSON.parse(await child.waitForLine(/^\{/));
      expect((await child.exited).signal).toBe("SIGKILL");
      await waitUntil(
        () => (isAlive(left.uwsgi) ? undefined : true),
        { name: "uWSGI", lines: child.lines, exitStatus: () => undefined },
        "end of the pod's uWSGI",
        UWSGI_END_LIMIT_MS,
      );
      expect(await podNamespaces(child.pid)).toEqual([left.namespace]);

      await removeLeftovers();
      expect(await podNamespaces(child.pid)).toEqual([]);
      const links = JSON.parse(await ip("-json", "link")) as { ifname: string }[];
      expect(links.map((link) => link.ifname)).not.toContain(left.bridge);
    });
  },
  { pods: true },
);

/** What the app in the pod says: its name and address. */
async function ask(pod: { readonly ip: string; readonly port: number }): Promise<string> {
  const writer = new PacketWriter();
  writer.begin();
  const pairs = { REQUEST_METHOD: "GET", PATH_INFO: "/", SERVER_NAME: "test" };
  const encoded = Object.entries(pairs).map(([name, value]) => encodePair(name, value));
  writer.encoded(Buffer.concat(encoded), encoded.length);
  const packet = writer.finish(0, 0, UWSGI_BUFFER_BYTES, UWSGI_MAX_VARS);
  const answer = await rawExchange({ host: pod.ip, port: pod.port }, packet, {
    until: "close",
    methods: ["GET"],
  });
  return answer.response.text;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
