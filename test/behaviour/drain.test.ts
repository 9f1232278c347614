/**
 * Proves an orderly stop: not ready at once, still accepting for the delay, then idle connections closed, what is in flight
 * finished up to a bound, and exit status 0.
 */
import { afterAll, describe, expect, test } from "bun:test";
import {
  type Gateway,
  isFree,
  latin1,
  openRaw,
  rawExchange,
  startGateway,
  startScriptedUpstream,
  stopAll,
  waitUntil,
} from "../harness/index.ts";
import { startLoad } from "./load.ts";
import { forwardTo, routeManifest } from "./routes.ts";

afterAll(stopAll);

const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A gateway before an app that answers `/held` when `release` is called, and everything else at once. */
async function start(args: readonly string[], workers = 1) {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const upstream = await startScriptedUpstream({
    script: async (connection) => {
      const packet = await connection.readPacket();
      const path = packet.get("PATH_INFO");
      if (path === "/held") await released;
      if (path === "/forever") return;
      await connection.send(path === "/tunnel" ? SWITCH : OK);
      if (path !== "/tunnel") connection.end();
    },
  });
  const manifests = { "site.json": routeManifest("site.test", [forwardTo(upstream.address)]) };
  return { gateway: await startGateway({ manifests, args, workers }), upstream, release };
}

const readiness = async (gateway: Gateway) =>
  (await fetch(`${gateway.adminUrl}/readyz`).catch(() => undefined))?.status;
const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: site.test\r\n\r\n`;
const closes = (port: number) => async () => ((await isFree(port)) ? true : undefined);

async function opened(gateway: Gateway, ...paths: string[]) {
  return Promise.all(
    paths.map(async (path) => {
      const client = await openRaw(gateway.port);
      if (path !== "") await client.send(path);
      return client;
    }),
  );
}

for (const workers of [1, 2]) {
  describe(workers === 1 ? "one process" : "two workers", () => {
    test("SIGTERM: not ready, accepting for the delay, idle closed, in flight finished, exit 0", async () => {
      const { gateway, upstream, release } = await start(["--drain-delay", "2s"], workers);
      const [idle, silent, half, held] = await opened(
        gateway,
        request("/"),
        "",
        "GET /half HTTP/1.1\r\nHost: si",
        request("/held"),
      );
      await idle!.perform({ await: "\r\n\r\nok" });
      await waitUntil(
        () => (upstream.accepted() === 2 ? true : undefined),
        gateway.process,
        "requests",
        2_000,
      );

      const termAt = performance.now();
      gateway.process.signal("SIGTERM");
      await waitUntil(
        async () => ((await readiness(gateway)) === 503 ? true : undefined),
        gateway.process,
        "503 from /readyz",
        1_800,
      );
      for (let i = 0; i < 5; i++) {
        expect((await rawExchange(gateway.port, request("/"), { lingerMs: 0 })).response.text).toBe("ok");
      }
      expect([idle!.ending, silent!.ending]).toEqual([undefined, undefined]);

      await idle!.waitFor(() => false, termAt + 8_000);
      expect(performance.now() - termAt).toBeGreaterThan(1_950);
      await silent!.waitFor(() => false, termAt + 8_000);
      expect([idle!.ending, silent!.ending]).toEqual(["closed", "closed"]);
      await waitUntil(closes(gateway.port), gateway.process, "end of the listener", 1_000);
      expect(await readiness(gateway)).toBe(503);

      await half!.send("te.test\r\n\r\n");
      await half!.perform({ await: "\r\n\r\nok" });
      expect(latin1(half!.received())).toMatch(/\r\nConnection: close\r\n/);
      release();
      await held!.waitFor(() => held!.ending !== undefined);
      const answer = latin1(held!.received());
      expect(answer).toStartWith("HTTP/1.1 200 OK\r\n");
      expect(answer).toContain("\r\nConnection: close\r\n");
      expect(answer).toEndWith("\r\n\r\nok");
      expect(await gateway.process.exited).toEqual({ code: 0, signal: null });
    });

    test("what does not finish is cut when the bound is reached, and the exit status is still 0", async () => {
      const { gateway, upstream } = await start(["--drain-timeout", "300ms"], workers);
      const [forever, tunnel] = await opened(
        gateway,
        request("/forever"),
        "GET /tunnel HTTP/1.1\r\nHost: site.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
      );
      await tunnel!.perform({ await: "101 Switching" });
      await waitUntil(
        () => (upstream.accepted() === 2 ? true : undefined),
        gateway.process,
        "requests",
        2_000,
      );
      const termAt = performance.now();
      gateway.process.signal("SIGTERM");
      expect(await gateway.process.exited).toEqual({ code: 0, signal: null });
      const tookMs = performance.now() - termAt;
      expect(tookMs).toBeGreaterThan(280);
      expect(tookMs).toBeLessThan(1_500);
      await forever!.waitFor(() => false, performance.now() + 1_000);
      expect(forever!.ending).toBeDefined();
      expect(latin1(forever!.received())).toBe("");
    });
  });
}

describe("under load", () => {
  test("no request that was begun fails, while the delay lets the clients move on", async () => {
    const { gateway } = await start(["--drain-delay", "300ms"]);
    const load = startLoad({ port: gateway.port, host: "site.test", clients: 8 });
    await waitUntil(() => (load.answered() > 100 ? true : undefined), gateway.process, "answers", 3_000);
    gateway.process.signal("SIGTERM");
    await new Promise((resolve) => setTimeout(resolve, 150));
    // As a load balancer would, once it has seen the 503.
    await load.stop();
    expect(load.failures).toEqual([]);
    expect([...load.seen.keys()]).toEqual(["200 ok"]);
    expect((await gateway.process.exited).code).toBe(0);
  });

  test("connections that go on asking are told to close, and none is cut within a response", async () => {
    const { gateway } = await start([]);
    const load = startLoad({ port: gateway.port, host: "site.test", clients: 8 });
    await waitUntil(() => (load.answered() > 100 ? true : undefined), gateway.process, "answers", 3_000);
    gateway.process.signal("SIGTERM");
    expect((await gateway.process.exited).code).toBe(0);
    await load.stop();
    // A request may cross the close of its idle connection; no answer that was begun is cut.
    expect(load.failures.filter(({ what }) => what.includes("within a response"))).toEqual([]);
  });
});

describe("signals", () => {
  test("SIGINT does the same", async () => {
    const { gateway } = await start([]);
    gateway.process.signal("SIGINT");
    expect(await gateway.process.exited).toEqual({ code: 0, signal: null });
  });

  test("a second one exits at once, with a status that says so", async () => {
    const { gateway, upstream } = await start(["--drain-timeout", "60s"]);
    await opened(gateway, request("/forever"));
    await waitUntil(
      () => (upstream.accepted() === 1 ? true : undefined),
      gateway.process,
      "a request",
      2_000,
    );
    gateway.process.signal("SIGTERM");
    await waitUntil(
      async () => ((await readiness(gateway)) === 503 ? true : undefined),
      gateway.process,
      "503",
      1_000,
    );
    gateway.process.signal("SIGTERM");
    expect((await gateway.process.exited).code).toBe(143);
  });
});
