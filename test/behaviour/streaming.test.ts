/**
 * Proves how bodies move: server-sent events leave at once, a slow client costs neither a worker nor memory, and an app that
 * answers without reading its body is heard.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  type Gateway,
  latin1,
  openRaw,
  type RawConnection,
  rawExchange,
  startGateway,
  startNginx,
  startScriptedUpstream,
  startUwsgi,
  stopAll,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { forgetPeak, peakMib, residentMib } from "./memory.ts";
import { addRoute, forwardTo, metric, type Rule } from "./routes.ts";

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ manifests: {} });
});
afterAll(stopAll);

const MIB = 1_048_576;
/** What the gateway may grow by while a body of many times this goes through it. */
const ROOM_MIB = 44;

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const bodyOf = (bytes: Uint8Array) => bytes.subarray(Buffer.from(bytes).indexOf("\r\n\r\n") + 4);

/** Bytes that show where a piece is missing or repeated. */
function patterned(mib: number): Buffer {
  const words = new Uint32Array((mib * MIB) / 4);
  for (let i = 0; i < words.length; i++) words[i] = i;
  return Buffer.from(words.buffer);
}

describe("each chunk leaves at once", () => {
  /** Sends a piece only when the client has the one before, so that holding any back would stop it for good. */
  async function stepwise(host: string, head: string, options: Rule, version = "1.1") {
    let next = () => {};
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.send(head);
        for (let i = 0; i < 4; i++) {
          await new Promise<void>((resolve) => (next = resolve));
          await connection.send(`data: ${i}\n\n`);
        }
        connection.end();
      },
    });
    await addRoute(gateway, host, [forwardTo(upstream.address, options)]);
    const client = await openRaw(gateway.port);
    await client.send(`GET / HTTP/${version}\r\nHost: ${host}\r\n\r\n`);
    const has = (text: string) => client.waitFor(() => latin1(client.received()).includes(text));
    expect(await has("\r\n\r\n")).toBe(true);
    for (let i = 0; i < 4; i++) {
      next();
      expect(await has(`data: ${i}\n\n`)).toBe(true);
    }
    const last = version === "1.1" ? "0\r\n\r\n" : "data: 3\n\n";
    expect(await has(last)).toBe(true);
    const text = latin1(client.received());
    client.destroy();
    return text;
  }

  const EVENTS = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

  test("where the rule turns response buffering off", async () => {
    const text = await stepwise("sse-off.test", `${EVENTS}\r\n`, { response: { buffering: false } });
    expect(text).toContain("9\r\ndata: 0\n\n\r\n");
  });

  test("where the app says X-Accel-Buffering: no, which the client does not see", async () => {
    const text = await stepwise("sse-accel.test", `${EVENTS}X-Accel-Buffering: no\r\n\r\n`, {});
    expect(text).not.toMatch(/x-accel/i);
  });

  test("to an HTTP/1.0 client", async () => {
    const text = await stepwise("sse-10.test", `${EVENTS}X-Accel-Buffering: no\r\n\r\n`, {}, "1.0");
    expect(text).not.toMatch(/transfer-encoding/i);
    expect(text).toEndWith("data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\n");
  });

  test("with a Content-Length", async () => {
    let next = () => {};
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Accel-Buffering: no\r\n\r\nabc");
        await new Promise<void>((resolve) => (next = resolve));
        await connection.send("def");
      },
    });
    await addRoute(gateway, "length.test", [forwardTo(upstream.address)]);
    const client = await openRaw(gateway.port);
    await client.send("GET / HTTP/1.1\r\nHost: length.test\r\n\r\n");
    expect(await client.waitFor(() => latin1(client.received()).endsWith("\r\n\r\nabc"))).toBe(true);
    next();
    expect(await client.waitFor(() => latin1(client.received()).endsWith("abcdef"))).toBe(true);
    client.destroy();
  });
});

describeWith(["uwsgi"], "server-sent events from a real uWSGI", () => {
  test("arrive with the app's own pauses between them", async () => {
    const uwsgi = await startUwsgi({
      app: [
        "import time",
        "def application(e, s):",
        "    s('200 OK', [('Content-Type', 'text/event-stream'), ('X-Accel-Buffering', 'no')])",
        "    for i in range(4):",
        "        yield b'data: %d\\n\\n' % i",
        "        time.sleep(0.1)",
        "",
      ].join("\n"),
    });
    await addRoute(gateway, "sse-uwsgi.test", [forwardTo(uwsgi.address)]);
    const client = await openRaw(gateway.port);
    await client.send("GET / HTTP/1.1\r\nHost: sse-uwsgi.test\r\n\r\n");
    const times: number[] = [];
    for (let i = 0; i < 4; i++) {
      await client.waitFor(() => latin1(client.received()).includes(`data: ${i}`));
      times.push(performance.now());
    }
    for (let i = 1; i < 4; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThan(60);
    client.destroy();
  });
});

describe("a slow client", () => {
  const content = patterned(64);
  const digest = sha256(content);

  /** Sends `content`; tells how much of it the kernel took so far. */
  async function largeUpstream() {
    const state = { sent: 0, done: false };
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        state.sent = 0;
        state.done = false;
        await connection.readPacket();
        await connection.send(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`);
        for (let at = 0; at < content.length; at += MIB) {
          await connection.send(content.subarray(at, at + MIB));
          state.sent = at + MIB;
        }
        state.done = true;
        connection.end();
      },
    });
    return { ...upstream, state };
  }

  async function readTheRest(client: RawConnection) {
    client.resume();
    const headBytes = client.received().length - bodyOf(client.received()).length;
    await client.waitFor(
      () => client.receivedBytes >= headBytes + content.length,
      performance.now() + 20_000,
    );
    expect(sha256(bodyOf(client.received()))).toBe(digest);
    client.destroy();
  }

  async function stalledClient(host: string) {
    await rawExchange(gateway.port, `GET /warm HTTP/1.1\r\nHost: nobody.test\r\n\r\n`, { lingerMs: 0 });
    const client = await openRaw(gateway.port);
    await client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    await client.waitFor(() => client.receivedBytes > 0);
    client.pause();
    return client;
  }

  test("buffered: the worker is done with 64 MiB while nobody reads, and the gateway's memory stays bounded", async () => {
    const upstream = await largeUpstream();
    await addRoute(gateway, "slow-buffered.test", [forwardTo(upstream.address)]);
    const before = residentMib(gateway.pid);
    forgetPeak(gateway.pid);
    const client = await stalledClient("slow-buffered.test");
    await waitUntil(() => (upstream.state.done ? true : undefined), gateway.process, "all sent", 10_000);
    await readTheRest(client);
    expect(peakMib(gateway.pid) - before).toBeLessThan(ROOM_MIB);
    expect(await metric(gateway, "bound_hits_total", "response_memory")).toBeGreaterThan(0);
  });

  test("unbuffered: the app is held back, and the gateway's memory stays bounded", async () => {
    const upstream = await largeUpstream();
    await addRoute(gateway, "slow-off.test", [
      forwardTo(upstream.address, { response: { buffering: false } }),
    ]);
    const before = residentMib(gateway.pid);
    forgetPeak(gateway.pid);
    const client = await stalledClient("slow-off.test");
    let seen = -1;
    while (seen !== upstream.state.sent) {
      seen = upstream.state.sent;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    expect(upstream.state.done).toBe(false);
    await readTheRest(client);
    expect(peakMib(gateway.pid) - before).toBeLessThan(ROOM_MIB);
  });

  test("reading the whole time at 16 MiB/s gets every byte, in either mode", async () => {
    const upstream = await largeUpstream();
    await addRoute(gateway, "steady.test", [
      forwardTo(upstream.address, { response: { buffering: false } }, "/off"),
      forwardTo(upstream.address, {}, "/on"),
    ]);
    for (const path of ["/off", "/on"]) {
      const client = await openRaw(gateway.port);
      await client.send(`GET ${path} HTTP/1.1\r\nHost: steady.test\r\n\r\n`);
      for (let i = 0; i < 10; i++) {
        client.pause();
        await new Promise((resolve) => setTimeout(resolve, 10));
        client.resume();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await readTheRest(client);
    }
  });
});

describeWith(["uwsgi"], "a slow client of a uWSGI with one worker", () => {
  test("does not keep it from the next request", async () => {
    const uwsgi = await startUwsgi({
      app: [
        "def application(e, s):",
        "    large = e['PATH_INFO'] == '/large'",
        "    s('200 OK', [])",
        "    for i in range(800 if large else 1):",
        "        yield b'x' * 65536 if large else b'small'",
        "",
      ].join("\n"),
    });
    await addRoute(gateway, "one-worker.test", [forwardTo(uwsgi.address)]);
    const client = await openRaw(gateway.port);
    await client.send("GET /large HTTP/1.1\r\nHost: one-worker.test\r\n\r\n");
    await client.waitFor(() => client.receivedBytes > 0);
    client.pause();
    const answer = await rawExchange(gateway.port, "GET /small HTTP/1.1\r\nHost: one-worker.test\r\n\r\n");
    expect(answer.response.text).toBe("small");
    client.resume();
    await client.waitFor(() => client.receivedBytes > 800 * 65_536);
    await client.waitFor(() => latin1(client.received().subarray(-5)) === "0\r\n\r\n");
    expect(client.ending).toBeUndefined();
    client.destroy();
  });
});

describe("a large upload", () => {
  const content = patterned(64);
  for (const buffering of [true, false]) {
    test(`${buffering ? "buffered" : "streamed"} to an app that is slow to read: whole, in bounded memory`, async () => {
      let digest = "";
      const upstream = await startScriptedUpstream({
        script: async (connection) => {
          const packet = await connection.readPacket();
          await new Promise((resolve) => setTimeout(resolve, 100));
          digest = sha256(await connection.readBytes(Number(packet.get("CONTENT_LENGTH"))));
          await connection.send("HTTP/1.1 204 No Content\r\n\r\n");
          connection.end();
        },
      });
      const host = `upload-${buffering}.test`;
      const options = { request: { buffering, maxBodySize: "100Mi" } };
      await addRoute(gateway, host, [forwardTo(upstream.address, options)]);
      const before = residentMib(gateway.pid);
      forgetPeak(gateway.pid);
      const answer = await rawExchange(gateway.port, [
        `PUT / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${content.length}\r\n\r\n`,
        content,
      ]);
      expect([answer.response.status, digest]).toEqual([204, sha256(content)]);
      expect(peakMib(gateway.pid) - before).toBeLessThan(ROOM_MIB);
    });
  }
});

describeWith(["uwsgi", "nginx"], "an app that answers without reading its 3 MB body", () => {
  const APP = [
    "def application(e, s):",
    "    s('403 Forbidden', [('Content-Length', '7')] if e['PATH_INFO'] == '/length' else [])",
    "    return [b'refused']",
    "",
  ].join("\n");
  const body = Buffer.alloc(3_000_000, "x");

  /** What NGINX answers depends on whether it has the response before its next write fails. */
  async function sometimesRefused(send: () => ReturnType<typeof rawExchange>): Promise<boolean> {
    for (let i = 0; i < 60; i++) if ((await send()).response.status === 502) return true;
    return false;
  }

  for (const socket of ["unix", "tcp"] as const) {
    test(`over ${socket}: its answer arrives, where NGINX often says 502`, async () => {
      const uwsgi = await startUwsgi({ app: APP, socket });
      const nginx = await startNginx({
        server: `client_max_body_size 8m; location / { include uwsgi_params; uwsgi_pass ${uwsgi.address}; }`,
      });
      const host = `unread-${socket}.test`;
      const large = { maxBodySize: "8Mi" };
      await addRoute(gateway, host, [
        forwardTo(uwsgi.address, { request: large }),
        forwardTo(uwsgi.address, { request: { ...large, buffering: false } }, "/streamed"),
      ]);
      const send = (port: number, path: string) =>
        rawExchange(
          port,
          [`POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n`, body],
          { lingerMs: 0 },
        );
      expect(await sometimesRefused(() => send(nginx.port, "/length"))).toBe(true);
      for (const path of ["/length", "/to-the-end", "/streamed"]) {
        for (let i = 0; i < 5; i++) {
          const { response } = await send(gateway.port, path);
          expect([path, response.status, response.text]).toEqual([path, 403, "refused"]);
        }
      }
    });
  }
});
