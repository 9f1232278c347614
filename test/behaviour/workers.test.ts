/**
 * Proves `--workers 2`: both serve, their counts are summed, and one that is killed under load is replaced in under a second
 * while the other serves on.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  type Gateway,
  rawExchange,
  type ScriptedUpstream,
  startGateway,
  startScriptedUpstream,
  stopAll,
  waitUntil,
} from "../harness/index.ts";
import { startLoad } from "./load.ts";
import { addRoute, forwardTo, metric, routeManifest } from "./routes.ts";

let gateway: Gateway;
let upstream: ScriptedUpstream;
beforeAll(async () => {
  upstream = await startScriptedUpstream({
    script: async (connection) => {
      const id = (await connection.readPacket()).get("REQUEST_ID") ?? "";
      await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${id.length}\r\n\r\n${id}`);
      connection.end();
    },
  });
  const params = { REQUEST_ID: "$request_id" };
  gateway = await startGateway({
    manifests: {
      "site.json": routeManifest("site.test", [
        forwardTo(upstream.address, { uwsgi: { params }, health: { maxFails: 0 } }),
      ]),
    },
    workers: 2,
  });
});
afterAll(stopAll);

const REQUEST = "GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n";

/** The half of a request id that is one process's own, of so many new connections. */
async function processesBehind(connections: number): Promise<Set<string>> {
  const answers = await Promise.all(
    Array.from({ length: connections }, () => rawExchange(gateway.port, REQUEST, { lingerMs: 0 })),
  );
  return new Set(answers.map(({ response }) => response.text.slice(0, 16)));
}

const workerPids = () =>
  readFileSync(`/proc/${gateway.pid}/task/${gateway.pid}/children`, "utf8").trim().split(" ").map(Number);

describe("two workers", () => {
  test("both serve, and their counts are summed", async () => {
    expect(workerPids().length).toBe(2);
    let sent = 0;
    // Ready is when the first of them serves.
    const both = async () => {
      sent += 20;
      return (await processesBehind(20)).size === 2 ? true : undefined;
    };
    await waitUntil(both, gateway.process, "answers of both", 2_000);
    expect(await metric(gateway, "requests_total", "site.test")).toBe(sent);
    expect(await metric(gateway, "endpoint_requests_total", upstream.address)).toBe(sent);
    expect(await metric(gateway, "connections_accepted_total")).toBe(sent);
  });

  test("one that is killed under load is replaced within a second; the other serves on, and no count is lost", async () => {
    const counted = await metric(gateway, "requests_total", "site.test");
    const load = startLoad({ port: gateway.port, host: "site.test", clients: 16 });
    await waitUntil(() => (load.answered() > 200 ? true : undefined), gateway.process, "answers", 3_000);
    const [victim, survivor] = workerPids();
    const killedAt = performance.now();
    process.kill(victim!, "SIGKILL");
    const replaced = () => {
      const pids = workerPids();
      return pids.length === 2 && !pids.includes(victim!) ? true : undefined;
    };
    await waitUntil(replaced, gateway.process, "a new worker", 2_000);
    await waitUntil(
      async () => ((await processesBehind(12)).size === 2 ? true : undefined),
      gateway.process,
      "its answers",
      2_000,
    );
    expect(performance.now() - killedAt).toBeLessThan(1_000);
    await load.stop();
    expect(workerPids()).toContain(survivor!);
    // Only those whose connection was the dead worker's saw it, once each.
    const clients = load.failures.map(({ client }) => client);
    expect(new Set(clients).size).toBe(clients.length);
    expect(clients.length).toBeLessThan(16);
    // Its death is what failed them, not what came after.
    for (const { atMs } of load.failures) expect(atMs - killedAt).toBeLessThan(1_000);
    expect(await metric(gateway, "worker_restarts_total")).toBe(1);
    expect(await metric(gateway, "requests_total", "site.test")).toBeGreaterThanOrEqual(counted);
    expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
  });

  test("the new one has the table in use, and takes up the next", async () => {
    await addRoute(gateway, "late.test", [forwardTo(upstream.address)]);
    const statuses = await Promise.all(
      Array.from({ length: 24 }, async () => {
        const request = "GET / HTTP/1.1\r\nHost: late.test\r\nConnection: close\r\n\r\n";
        return (await rawExchange(gateway.port, request, { lingerMs: 0 })).response.status;
      }),
    );
    expect(statuses).toEqual(Array(24).fill(200));
  });

  test("workers go when their supervisor is killed", async () => {
    const pids = workerPids();
    process.kill(gateway.pid, "SIGKILL");
    await gateway.process.exited;
    const alive = (pid: number) => {
      try {
        return !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ");
      } catch {
        return false;
      }
    };
    const since = performance.now();
    while (pids.some(alive) && performance.now() - since < 3_000) await new Promise((r) => setTimeout(r, 10));
    expect(pids.filter(alive)).toEqual([]);
  });
});
