/**
 * Proves the hot reload: each way in which files change is live in under 200 ms with no request failing under load, and
 * a broken file keeps what it said last and is reported, while other files are free to change.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Gateway,
  openRaw,
  rawExchange,
  type ScriptedUpstream,
  startGateway,
  startScriptedUpstream,
  stopAll,
  temporaryFolder,
  waitUntil,
} from "../harness/index.ts";
import { type Load, startLoad } from "./load.ts";
import { addRoute, forwardTo, metric, routeManifest, routesPage } from "./routes.ts";

const LIVE_WITHIN_MS = 200;

const says = (text: string) =>
  startScriptedUpstream({ script: `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}` });

let upstreams: Readonly<Record<"a" | "b", ScriptedUpstream>>;
beforeAll(async () => {
  upstreams = { a: await says("a"), b: await says("b") };
});
afterAll(stopAll);

const manifest = (host: string, to: "a" | "b") =>
  routeManifest(host, [forwardTo(upstreams[to].address, { health: { maxFails: 0 } })]);

const statusOf = async (gateway: Gateway, host: string) =>
  (await rawExchange(gateway.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { lingerMs: 0 })).response
    .status;

/** Makes `change`, and returns how long answers went on as before. */
async function liveAfterMs(gateway: Gateway, load: Load, now: string, before: string, change: () => void) {
  const old = load.seen.get(before)!;
  const fresh = load.seen.get(now)?.count ?? 0;
  const at = performance.now();
  change();
  await waitUntil(
    () => ((load.seen.get(now)?.count ?? 0) > fresh ? true : undefined),
    gateway.process,
    `answers "${now}"`,
    3_000,
  );
  // Until each client has had another answer.
  const { answered } = load;
  const enough = answered() + 50;
  await waitUntil(() => (answered() > enough ? true : undefined), gateway.process, "answers", 3_000);
  return old.lastAtMs - at;
}

describe("a folder of plain files", () => {
  let gateway: Gateway;
  let load: Load;
  const path = (name: string) => join(gateway.manifestsFolder, name);
  beforeAll(async () => {
    gateway = await startGateway({
      manifests: { "site.json": manifest("site.test", "a"), "other.json": manifest("other.test", "a") },
    });
    load = startLoad({ port: gateway.port, host: "site.test" });
    await waitUntil(() => (load.answered() > 50 ? true : undefined), gateway.process, "answers", 3_000);
  });
  afterAll(() => load.stop());

  /** There and back, several times: how long the longest took. */
  async function slowestChange(write: (text: string) => void) {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      for (const [to, from] of [
        ["b", "a"],
        ["a", "b"],
      ] as const) {
        times.push(
          await liveAfterMs(gateway, load, `200 ${to}`, `200 ${from}`, () =>
            write(manifest("site.test", to)),
          ),
        );
      }
    }
    expect(load.failures).toEqual([]);
    expect([...load.seen.keys()].sort()).toEqual(["200 a", "200 b"]);
    return Math.max(...times);
  }

  test("an edit in place", async () => {
    expect(await slowestChange((text) => writeFileSync(path("site.json"), text))).toBeLessThan(
      LIVE_WITHIN_MS,
    );
  });

  test("another file renamed over it", async () => {
    const rename = (text: string) => {
      writeFileSync(path(".site.json.new"), text);
      renameSync(path(".site.json.new"), path("site.json"));
    };
    expect(await slowestChange(rename)).toBeLessThan(LIVE_WITHIN_MS);
  });

  test("a new file and its deletion", async () => {
    const load = startLoad({ port: gateway.port, host: "new.test", clients: 2 });
    await waitUntil(() => (load.answered() > 5 ? true : undefined), gateway.process, "answers", 3_000);
    const missing = [...load.seen.keys()][0]!;
    expect(missing).toStartWith("404 ");
    const add = () => writeFileSync(path("new.json"), manifest("new.test", "a"));
    expect(await liveAfterMs(gateway, load, "200 a", missing, add)).toBeLessThan(LIVE_WITHIN_MS);
    const remove = () => rmSync(path("new.json"));
    expect(await liveAfterMs(gateway, load, missing, "200 a", remove)).toBeLessThan(LIVE_WITHIN_MS);
    await load.stop();
    expect(load.failures).toEqual([]);
  });

  test("a request in flight over many changes gets its answer from where it began", async () => {
    let finish = () => {};
    const slow = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslo");
        await new Promise<void>((resolve) => (finish = resolve));
        await connection.send("w app");
        connection.end();
      },
    });
    await addRoute(gateway, "slow.test", [forwardTo(slow.address)]);
    const client = await openRaw(gateway.port);
    await client.send("GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n");
    await client.perform({ await: "slo" });
    rmSync(path("slow.test.json"));
    await slowestChange((text) => writeFileSync(path("site.json"), text));
    finish();
    await client.perform({ await: "slow app" });
    client.destroy();
  });

  test("a file that does not parse keeps its routes, and is told in the log, /routes and /metrics", async () => {
    writeFileSync(path("site.json"), "{ broken");
    writeFileSync(path("other.json"), manifest("other.test", "b"));
    const told = await waitUntil(
      async () => (await routesPage(gateway)).problems.map(String).find((each) => each.includes("site.json")),
      gateway.process,
      "problem in /routes",
      3_000,
    );
    expect(told).toContain("site.json");
    expect(await metric(gateway, "manifest_files_broken")).toBe(1);
    await gateway.process.waitForLine(/"level":40.*site\.json.*manifest problem/);
    await waitUntil(
      async () => {
        const answer = await rawExchange(gateway.port, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n");
        return answer.response.text === "b" ? true : undefined;
      },
      gateway.process,
      "the other file's change",
      3_000,
    );
    expect(await statusOf(gateway, "site.test")).toBe(200);

    const mend = () => writeFileSync(path("site.json"), manifest("site.test", "b"));
    expect(await liveAfterMs(gateway, load, "200 b", "200 a", mend)).toBeLessThan(LIVE_WITHIN_MS);
    expect(await metric(gateway, "manifest_files_broken")).toBe(0);
    expect((await routesPage(gateway)).problems).toEqual([]);
    expect(load.failures).toEqual([]);
  });

  test("an object that is invalid keeps its last good state, and its neighbour in the same file changes", async () => {
    const two = (invalid: boolean, to: "a" | "b") =>
      JSON.stringify({
        apiVersion: "v1",
        kind: "List",
        items: [
          JSON.parse(
            routeManifest("first.test", [invalid ? { backendRefs: [] } : forwardTo(upstreams.a.address)]),
          ),
          JSON.parse(manifest("second.test", to)),
        ],
      });
    const textOf = async (host: string) =>
      (await rawExchange(gateway.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { lingerMs: 0 })).response
        .text;
    const until = (host: string, text: string) =>
      waitUntil(
        async () => ((await textOf(host)) === text ? true : undefined),
        gateway.process,
        `${host} ${text}`,
        3_000,
      );
    writeFileSync(path("two.json"), two(false, "a"));
    await until("first.test", "a");
    writeFileSync(path("two.json"), two(true, "b"));
    await until("second.test", "b");
    expect(await textOf("first.test")).toBe("a");
    expect(await metric(gateway, "manifest_problems")).toBeGreaterThan(0);
    expect(JSON.stringify((await routesPage(gateway)).problems)).toContain("first.test");
    rmSync(path("two.json"));
  });

  test("a folder that vanishes keeps what it held", async () => {
    const away = `${gateway.manifestsFolder}-away`;
    const told = async () => JSON.stringify((await routesPage(gateway)).problems).includes("cannot be read");
    renameSync(gateway.manifestsFolder, away);
    await waitUntil(async () => (await told()) || undefined, gateway.process, "the problem", 5_000);
    expect(await statusOf(gateway, "site.test")).toBe(200);
    renameSync(away, gateway.manifestsFolder);
    await waitUntil(async () => !(await told()) || undefined, gateway.process, "the folder's return", 5_000);
    expect(await statusOf(gateway, "site.test")).toBe(200);
  });
});

describe("a mounted ConfigMap", () => {
  /** As the kubelet does it: files are links through `..data`, which is swapped for another link. */
  function publish(folder: string, generation: number, files: Readonly<Record<string, string>>): void {
    const name = `..2026_01_01_00_00_0${generation}`;
    mkdirSync(join(folder, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), text);
    symlinkSync(name, join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
    if (generation > 1) rmSync(join(folder, `..2026_01_01_00_00_0${generation - 1}`), { recursive: true });
  }

  test("its swap is one change, live in time, with no failed request", async () => {
    const folder = temporaryFolder("configmap");
    publish(folder, 1, { "site.json": manifest("site.test", "a") });
    symlinkSync(join("..data", "site.json"), join(folder, "site.json"));
    const gateway = await startGateway({ manifests: folder });
    const load = startLoad({ port: gateway.port, host: "site.test" });
    await waitUntil(() => (load.answered() > 50 ? true : undefined), gateway.process, "answers", 3_000);
    for (let generation = 2; generation <= 5; generation++) {
      const [to, from] = generation % 2 === 0 ? (["b", "a"] as const) : (["a", "b"] as const);
      const swap = () => publish(folder, generation, { "site.json": manifest("site.test", to) });
      expect(await liveAfterMs(gateway, load, `200 ${to}`, `200 ${from}`, swap)).toBeLessThan(LIVE_WITHIN_MS);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect([...load.seen.keys()].sort()).toEqual(["200 a", "200 b"]);
    await gateway.stop();
  });
});

describe("two workers", () => {
  test("take up each change in time, with no failed request", async () => {
    const gateway = await startGateway({
      manifests: { "site.json": manifest("site.test", "a") },
      workers: 2,
    });
    const load = startLoad({ port: gateway.port, host: "site.test", clients: 12 });
    await waitUntil(() => (load.answered() > 100 ? true : undefined), gateway.process, "answers", 3_000);
    for (let i = 0; i < 4; i++) {
      const [to, from] = i % 2 === 0 ? (["b", "a"] as const) : (["a", "b"] as const);
      const edit = () => writeFileSync(join(gateway.manifestsFolder, "site.json"), manifest("site.test", to));
      expect(await liveAfterMs(gateway, load, `200 ${to}`, `200 ${from}`, edit)).toBeLessThan(LIVE_WITHIN_MS);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    await gateway.stop();
  });
});
