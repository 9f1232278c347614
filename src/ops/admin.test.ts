// Proves: what each page of the admin port answers, that nothing else is served, and that it can be closed.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { AdminServer } from "./admin.ts";

let notReady: string | undefined = "no table yet";
let failing = false;
const errors: unknown[] = [];
const server = new AdminServer({
  notReady: async () => notReady,
  metrics: async () => {
    if (failing) throw new Error("secret reason");
    return { contentType: "text/plain; version=0.0.4", text: "up 1\n" };
  },
  routes: async () => ({ hosts: ["a"] }),
  onError: (error) => errors.push(error),
});
let base = "";
let port = 0;

beforeAll(async () => {
  ({ port } = await server.listen({ hostname: "127.0.0.1", port: 0 }));
  base = `http://127.0.0.1:${port}`;
});
afterAll(() => server.close());

async function get(path: string, method = "GET"): Promise<[number, string]> {
  const response = await fetch(base + path, { method });
  return [response.status, await response.text()];
}

describe("admin port", () => {
  test("/healthz", async () => {
    expect(await get("/healthz")).toEqual([200, "ok\n"]);
    expect(await get("/healthz?verbose")).toEqual([200, "ok\n"]);
    expect(await get("/healthz", "HEAD")).toEqual([200, ""]);
  });

  test("/readyz follows the process", async () => {
    expect(await get("/readyz")).toEqual([503, "not ready: no table yet\n"]);
    notReady = undefined;
    expect(await get("/readyz")).toEqual([200, "ready\n"]);
  });

  test("/metrics, also when they cannot be had", async () => {
    expect(await get("/metrics")).toEqual([200, "up 1\n"]);
    failing = true;
    expect(await get("/metrics")).toEqual([500, "internal error\n"]);
    expect(errors.length).toBe(1);
    failing = false;
  });

  test("/routes", async () => {
    const response = await fetch(`${base}/routes`);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({ hosts: ["a"] });
  });

  test("nothing else", async () => {
    expect((await get("/"))[0]).toBe(404);
    expect((await get("/routes/x"))[0]).toBe(404);
    const response = await fetch(`${base}/metrics`, { method: "POST", body: "x" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test("garbage closes the connection and hurts nobody else", async () => {
    await new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.write("\0\r\n\r\nnonsense\r\n\r\n"));
      socket.on("close", () => resolve());
      socket.on("error", () => {});
      socket.resume();
    });
    expect((await get("/healthz"))[0]).toBe(200);
  });

  test("half-sent requests up to the bound keep nobody out: the oldest is cut for the newest", async () => {
    const sockets: Socket[] = [];
    const cut: number[] = [];
    for (let n = 0; n < 80; n++) {
      const socket = connect(port, "127.0.0.1", () => socket.write("GET /healthz HTTP/1.1\r\nHo"));
      socket.on("error", () => {});
      socket.on("close", () => cut.push(n));
      sockets.push(socket);
      await new Promise((resolve) => socket.once("connect", resolve));
    }
    while (cut.length < 16) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await get("/healthz")).toEqual([200, "ok\n"]);
    while (cut.length < 17) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(cut.sort((a, b) => a - b)).toEqual([...Array(17).keys()]);
    for (const socket of sockets) socket.destroy();
  });

  test("one request a connection, whatever the client asks", async () => {
    const text = await new Promise<string>((resolve) => {
      let received = "";
      const socket = connect(port, "127.0.0.1", () =>
        socket.write("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
      );
      socket.on("data", (data) => (received += data));
      socket.on("close", () => resolve(received));
    });
    expect(text).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(text).toMatch(/\r\nconnection: close\r\n/i);
    expect(text).toEndWith("\r\n\r\nok\n");
  });

  test("an address in use rejects", async () => {
    const second = new AdminServer({
      notReady: async () => undefined,
      metrics: async () => ({ contentType: "", text: "" }),
      routes: async () => null,
      onError: () => {},
    });
    expect(second.listen({ hostname: "127.0.0.1", port })).rejects.toThrow(/EADDRINUSE|in use/);
  });
});
