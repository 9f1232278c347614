/** Proves that a Unix socket with a listener is told from one without, by what the kernel says. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UnixListeners } from "./unix-listeners.ts";

const folder = mkdtempSync(join(tmpdir(), "unix-listeners-"));
afterAll(() => rmSync(folder, { recursive: true }));

const listeners = new UnixListeners();
/** Later than any answer that is still kept. */
let nowMs = 0;
const later = () => (nowMs += 101);

function listenAt(path: string): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server: Server = createServer()
    .on("error", reject)
    .listen(path, () => resolve(server));
  return promise;
}

function close(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  return promise;
}

describe("a path", () => {
  test("that somebody listens on, until they stop", async () => {
    const path = join(folder, "app.sock");
    expect(listeners.has(path, later())).toBe(false);
    const server = await listenAt(path);
    expect(listeners.has(path, later())).toBe(true);
    await close(server);
    expect(listeners.has(path, later())).toBe(false);
  });

  test("may hold spaces", async () => {
    const path = join(folder, "an app.sock");
    const server = await listenAt(path);
    expect(listeners.has(path, later())).toBe(true);
    expect(listeners.has(join(folder, "an"), later())).toBe(false);
    await close(server);
  });

  test("of a plain file, or of nothing, has no listener", () => {
    const path = join(folder, "file");
    writeFileSync(path, "");
    expect(listeners.has(path, later())).toBe(false);
    expect(listeners.has(join(folder, "nothing"), later())).toBe(false);
  });
});

describe("an answer stands for a while, so that a burst reads the kernel's table once", () => {
  test("a no for 5 ms", async () => {
    const path = join(folder, "late.sock");
    const start = later();
    expect(listeners.has(path, start)).toBe(false);
    const server = await listenAt(path);
    expect(listeners.has(path, start + 4)).toBe(false);
    expect(listeners.has(path, start + 5)).toBe(true);
    await close(server);
  });

  test("a yes for 100 ms", async () => {
    const path = join(folder, "brief.sock");
    const server = await listenAt(path);
    const start = later();
    expect(listeners.has(path, start)).toBe(true);
    await close(server);
    expect(listeners.has(path, start + 99)).toBe(true);
    expect(listeners.has(path, start + 100)).toBe(false);
  });
});

describe("a name that many use", () => {
  const live = join(folder, "live", "app.sock");
  const stale = join(folder, "stale", "app.sock");
  let server: Server;
  beforeAll(async () => {
    nowMs += 1000;
    for (const name of ["live", "stale", "volume"]) mkdirSync(join(folder, name));
    const former = await listenAt(stale.replace("app", "former"));
    linkSync(stale.replace("app", "former"), stale);
    await close(former);
    server = await listenAt(live);
  });
  afterAll(() => close(server));

  test("is no listener of another socket", () => {
    expect(listeners.has(live, later())).toBe(true);
    expect(listeners.has(stale, later())).toBe(false);
    expect(listeners.has(live, later())).toBe(true);
  });

  test("is one of the same socket by another path", () => {
    const linked = join(folder, "volume", "app.sock");
    linkSync(live, linked);
    symlinkSync("live", join(folder, "link"));
    expect(listeners.has(linked, later())).toBe(true);
    expect(listeners.has(join(folder, "link", "app.sock"), later())).toBe(true);
  });

  test("bound at a path that says nothing here: for a second, unless connections come about", async () => {
    const here = process.cwd();
    const elsewhere = mkdtempSync(join(tmpdir(), "elsewhere-"));
    process.chdir(elsewhere);
    const relative = await listenAt("app.sock").finally(() => process.chdir(here));
    const start = later();
    const has = (ms: number) => listeners.has(stale, start + ms);
    expect([0, 500, 999, 1000, 1500].map(has)).toEqual([true, true, true, false, false]);
    listeners.connected(stale);
    expect([1501, 2500, 2501].map(has)).toEqual([true, true, false]);
    expect([3501, 4500, 4501].map(has)).toEqual([true, true, false]);
    nowMs += 5000;
    await close(relative);
    expect(listeners.has(stale, later())).toBe(false);
    rmSync(elsewhere, { recursive: true });
  });
});
