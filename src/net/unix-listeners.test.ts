/** Proves that a Unix socket with a listener is told from one without, by what the kernel says. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
