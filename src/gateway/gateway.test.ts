// Proves, with a data plane that only remembers: the order of a start, what the admin port tells of the folder's state, a
// refused table, a drain with its delay, and the reasons for which a start ends.
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { type ProxyOptions, parseProxyOptions } from "../ops/options.ts";
import type { ShutdownActions } from "../ops/shutdown.ts";
import { NO_STATS } from "../ops/stats-report.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { DataPlanes } from "../workers/data-plane.ts";
import { Gateway } from "./gateway.ts";

const folders: string[] = [];
const running: World[] = [];
afterEach(async () => {
  for (const world of running.splice(0)) await world.gateway.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

interface World {
  readonly gateway: Gateway;
  readonly log: Record<string, unknown>[];
  readonly exits: [number, string | undefined][];
  readonly calls: string[];
  shutdown: ShutdownActions | undefined;
  refuse: boolean;
  get(path: string): Promise<[number, string]>;
}

function route(prefix: string): string {
  return `
apiVersion: uwsgi-gateway.io/v1alpha1
kind: UwsgiRoute
metadata: { name: app, namespace: web }
spec:
  ingressClassName: uwsgi
  rules:
    - matches: [{ path: { type: PathPrefix, value: ${prefix} } }]
      backendRefs: [{ socket: "unix:/run/app.sock" }]
`;
}

function manifests(): string {
  const folder = mkdtempSync(join(tmpdir(), "standalone-"));
  folders.push(folder);
  writeFileSync(join(folder, "site.yaml"), route("/a"));
  return folder;
}

function world(folder: string, ...args: string[]): World {
  const log: Record<string, unknown>[] = [];
  const calls: string[] = [];
  const exits: [number, string | undefined][] = [];
  const parsed = parseProxyOptions(["--manifests", folder, "--admin", "127.0.0.1:0", ...args], {}, "1");
  const { options } = parsed as { options: ProxyOptions };
  let isListening = false;
  const gateway = new Gateway({
    options,
    log: pino({ base: {} }, { write: (line: string) => log.push(JSON.parse(line)) }),
    planes: (hooks): DataPlanes => ({
      async apply(snapshot: Snapshot) {
        if (made.refuse) return { type: "rejected", reason: "does not compile" };
        calls.push(`apply ${snapshot.hosts[0]?.rules[0]?.path.value}`);
        isListening = true;
        hooks.onListening([{ hostname: "::1", port: 80 }]);
        return { type: "accepted" };
      },
      notReady: () => (isListening ? undefined : "no table yet"),
      listening: () => undefined,
      report: async () => ({ stats: NO_STATS, processes: [] }),
      async drain(timeoutMs) {
        calls.push(`drain ${timeoutMs}`);
      },
    }),
    onShutdown: (actions) => {
      made.shutdown = actions;
    },
    exit: (code, reason) => exits.push([code, reason]),
  });
  const made: World = {
    gateway,
    log,
    exits,
    calls,
    shutdown: undefined,
    refuse: false,
    async get(path) {
      const { admin } = log.find((line) => line["msg"] === "listening for admins")!;
      const response = await fetch(`http://${admin}${path}`);
      return [response.status, await response.text()];
    },
  };
  running.push(made);
  return made;
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (!(await what())) {
    if (performance.now() - begun > 3000) throw new Error("did not come about");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("Gateway", () => {
  test("starts, follows the folder, and tells admins", async () => {
    const folder = manifests();
    const { gateway, get, calls, log } = world(folder);
    await gateway.start();
    expect(calls).toEqual(["apply /a"]);
    expect(await get("/readyz")).toEqual([200, "ready\n"]);
    const [, text] = await get("/routes");
    expect(JSON.parse(text)).toMatchObject({
      hosts: [{ rules: [{ path: { value: "/a" } }] }],
      upstreams: [{ endpoints: [{ address: "unix:/run/app.sock", inFlight: 0 }] }],
      problems: [],
    });
    expect(log.find((line) => line["msg"] === "listening for HTTP")).toMatchObject({ http: ["[::1]:80"] });

    writeFileSync(join(folder, "site.yaml"), route("/b"));
    await until(() => calls.length === 2);
    expect(calls[1]).toBe("apply /b");
    await until(async () => (await get("/metrics"))[1].includes('config_reloads_total{result="applied"} 2'));

    writeFileSync(join(folder, "other.yaml"), "a: [broken");
    await until(() => log.some((line) => line["msg"] === "manifest problem"));
    expect((await get("/metrics"))[1]).toContain("\nuwsgi_gateway_manifest_files_broken 1\n");
    expect(JSON.parse((await get("/routes"))[1]).problems[0]).toContain("other.yaml");
    rmSync(join(folder, "other.yaml"));
    await until(() => log.some((line) => line["msg"] === "manifest problem solved"));
    expect(calls.length).toBe(2);
  });

  test("a refused table leaves the one before, and is told", async () => {
    const folder = manifests();
    const made = world(folder);
    await made.gateway.start();
    made.refuse = true;
    writeFileSync(join(folder, "site.yaml"), route("/c"));
    await until(() => made.log.some((line) => line["msg"] === "table refused, the last one stays"));
    const page = JSON.parse((await made.get("/routes"))[1]);
    expect(page).toMatchObject({
      failure: "does not compile",
      hosts: [{ rules: [{ path: { value: "/a" } }] }],
    });
    expect((await made.get("/metrics"))[1]).toContain('config_reloads_total{result="rejected"} 1');
  });

  test("drains: not ready at once, still accepting for the delay, then exit 0", async () => {
    const made = world(manifests(), "--drain-delay", "100ms", "--drain-timeout", "7s");
    await made.gateway.start();
    made.shutdown!.drain("SIGTERM");
    expect(await made.get("/readyz")).toEqual([503, "not ready: draining\n"]);
    expect(await made.get("/healthz")).toEqual([200, "ok\n"]);
    expect(made.calls).toEqual(["apply /a"]);
    await until(() => made.exits.length > 0);
    expect([made.calls, made.exits]).toEqual([["apply /a", "drain 7000"], [[0, undefined]]]);
    made.shutdown!.exitNow(143);
    expect(made.exits[1]).toEqual([143, undefined]);
  });

  test("a folder that is not there: names the option, status 2", async () => {
    const made = world("/nonexistent/manifests");
    await made.gateway.start();
    expect(made.exits.length).toBe(1);
    expect(made.exits[0]![0]).toBe(2);
    expect(made.exits[0]![1]).toMatch(/--manifests.*nonexistent/);
    expect(await made.get("/readyz")).toEqual([503, "not ready: no table yet\n"]);
  });

  test("a folder for temporary files that cannot be used: names the option, status 2", async () => {
    for (const folder of ["/nonexistent/tmp", "/proc/self"]) {
      const made = world(manifests(), "--temp-dir", folder);
      await made.gateway.start();
      expect(made.exits).toEqual([[2, expect.stringMatching(new RegExp(`--temp-dir.*${folder}`))]]);
      expect(made.calls).toEqual([]);
    }
    const folder = manifests();
    await world(manifests(), "--temp-dir", folder).gateway.start();
    expect(readdirSync(folder)).toEqual(["site.yaml"]);
  });

  test("an admin address that cannot be had: names the option, status 1", async () => {
    const first = world(manifests());
    await first.gateway.start();
    const taken = String(first.log.find((line) => line["msg"] === "listening for admins")!["admin"]);
    const second = world(manifests(), "--admin", taken);
    await second.gateway.start();
    expect(second.exits[0]![0]).toBe(1);
    expect(second.exits[0]![1]).toBe(
      `error: option '--admin' cannot be served: cannot listen at ${taken}: EADDRINUSE`,
    );
    expect(second.calls).toEqual([]);
  });
});
