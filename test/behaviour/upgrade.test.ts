/**
 * Proves upgrade tunnels: WebSockets through the API of a real uWSGI, the handshake beside NGINX's, and what ends a
 * tunnel.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type Gateway,
  latin1,
  openRaw,
  rawExchange,
  startGateway,
  startNginx,
  startScriptedUpstream,
  startUwsgi,
  stopAll,
  type Uwsgi,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { forgetPeak, peakMib, residentMib } from "./memory.ts";
import { accessLine, addRoute, forwardTo, metric } from "./routes.ts";

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway({ manifests: {} });
});
afterAll(stopAll);

const ECHO_APP = `
import uwsgi

def application(environ, start_response):
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
        start_response("426 Upgrade Required", [("Content-Length", "0")])
        return []
    uwsgi.websocket_handshake(environ["HTTP_SEC_WEBSOCKET_KEY"], environ.get("HTTP_ORIGIN", ""))
    while True:
        message = uwsgi.websocket_recv()
        if message == b"bye":
            return []
        uwsgi.websocket_send_binary(message)
`;

const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const upgradeRequest = (host: string, path = "/", more = "") =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n${more}\r\n`;

describeWith(["uwsgi", "nginx"], "a WebSocket through uWSGI's own API", () => {
  let uwsgi: Uwsgi;
  beforeAll(async () => {
    const options = ["--buffer-size", "8192", "--websocket-max-size", "4096"];
    uwsgi = await startUwsgi({ app: ECHO_APP, processes: 2, options });
    await addRoute(gateway, "ws.test", [forwardTo(uwsgi.address)]);
  });

  async function openSocket(): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/echo`, { headers: { Host: "ws.test" } });
    socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return socket;
  }

  const nextMessages = (socket: WebSocket, count: number) =>
    new Promise<Buffer[]>((resolve, reject) => {
      const messages: Buffer[] = [];
      socket.onclose = () => reject(new Error(`closed after ${messages.length} of ${count}`));
      socket.onmessage = ({ data }) => {
        messages.push(Buffer.from(data as ArrayBuffer));
        if (messages.length === count) resolve(messages);
      };
    });

  test("echoes frames of every length's form, up to a mebibyte", async () => {
    const socket = await openSocket();
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_048_576]) {
      const sent = Buffer.alloc(length, `${length} bytes `);
      const echoed = nextMessages(socket, 1);
      socket.send(sent);
      expect((await echoed)[0]!.equals(sent)).toBe(true);
    }
    socket.close();
  });

  test("keeps many frames in their order", async () => {
    const socket = await openSocket();
    const echoed = nextMessages(socket, 200);
    for (let i = 0; i < 200; i++) socket.send(Buffer.from(`${i} café`));
    expect((await echoed).map(String)).toEqual(Array.from({ length: 200 }, (_, i) => `${i} café`));
    socket.close();
  });

  test("ends when the app returns, and its worker is free again when the client leaves", async () => {
    const socket = await openSocket();
    const closed = new Promise((resolve) => {
      socket.onclose = resolve;
    });
    socket.send("bye");
    await closed;
    for (let i = 0; i < 6; i++) {
      const each = await openSocket();
      const echoed = nextMessages(each, 1);
      each.send("still there");
      expect(String((await echoed)[0])).toBe("still there");
      each.terminate();
    }
  });

  test("its handshake is NGINX's", async () => {
    const nginx = await startNginx({
      server: `location / { include uwsgi_params; uwsgi_pass ${uwsgi.address}; }`,
    });
    const request =
      "GET /echo HTTP/1.1\r\nHost: ws.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://ws.test\r\n\r\n";
    const ours = (await rawExchange(gateway.port, request, { lingerMs: 0 })).response;
    const theirs = (await rawExchange(nginx.port, request, { lingerMs: 0 })).response;
    for (const response of [ours, theirs]) {
      expect(response.status).toBe(101);
      expect(response.header("upgrade")?.toLowerCase()).toBe("websocket");
      expect(response.header("connection")?.toLowerCase()).toBe("upgrade");
      expect(response.header("sec-websocket-accept")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
      expect(response.header("sec-websocket-origin")).toBe("http://ws.test");
    }
  });

  test("a plain request to the same app is answered as any other", async () => {
    const { response, ending } = await rawExchange(gateway.port, "GET / HTTP/1.1\r\nHost: ws.test\r\n\r\n");
    expect([response.status, ending]).toEqual([426, "open"]);
  });
});

describe("101", () => {
  test("without a client's Upgrade is 502, where NGINX passes it", async () => {
    const upstream = await startScriptedUpstream({ script: SWITCH });
    await addRoute(gateway, "uninvited.test", [forwardTo(upstream.address)]);
    const request = "GET /uninvited HTTP/1.1\r\nHost: uninvited.test\r\n\r\n";
    const { response } = await rawExchange(gateway.port, request);
    expect(response.status).toBe(502);
    expect((await accessLine(gateway, "/uninvited")).error).toBe("upstream_unexpected_upgrade");
  });

  test("to an HTTP/1.0 client is 502", async () => {
    const upstream = await startScriptedUpstream({ script: SWITCH });
    await addRoute(gateway, "upgrade-10.test", [forwardTo(upstream.address)]);
    const request = upgradeRequest("upgrade-10.test").replace("HTTP/1.1", "HTTP/1.0");
    expect((await rawExchange(gateway.port, request)).response.status).toBe(502);
  });

  test("the app sees Upgrade and Connection where the client asks, and an answer of another status is plain", async () => {
    const upstream = await startScriptedUpstream({
      script: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    });
    await addRoute(gateway, "declined.test", [forwardTo(upstream.address)]);
    const answer = await rawExchange(gateway.port, upgradeRequest("declined.test"));
    expect([answer.response.status, answer.response.text]).toEqual([200, "no"]);
    expect(upstream.packets[0]!.get("HTTP_UPGRADE")).toBe("echo");
    expect(upstream.packets[0]!.get("HTTP_CONNECTION")?.toLowerCase()).toBe("upgrade");
  });
});

describe("a tunnel", () => {
  /** Answers 101 and echoes in upper case. */
  const echo = (first = SWITCH) =>
    startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.send(first);
        for (;;) {
          const byte = latin1(await connection.readBytes(1));
          if (byte === "Q") break;
          await connection.send(byte.toUpperCase());
        }
        connection.end();
      },
    });

  test("carries bytes that came along with the request and with the 101", async () => {
    const upstream = await echo(`${SWITCH}hello `);
    await addRoute(gateway, "along.test", [forwardTo(upstream.address)]);
    const client = await openRaw(gateway.port);
    await client.send(`${upgradeRequest("along.test")}early`);
    expect(await client.waitFor(() => latin1(client.received()).endsWith("\r\n\r\nhello EARLY"))).toBe(true);
    await client.send(" and late");
    expect(await client.waitFor(() => latin1(client.received()).endsWith("EARLY AND LATE"))).toBe(true);
    client.destroy();
  });

  test("ends for the client when the app ends", async () => {
    const upstream = await echo();
    await addRoute(gateway, "app-ends.test", [forwardTo(upstream.address)]);
    const client = await openRaw(gateway.port);
    await client.send(upgradeRequest("app-ends.test"));
    await client.perform({ await: "\r\n\r\n" });
    expect(await metric(gateway, "tunnels_active")).toBe(1);
    await client.send("aQ");
    await client.waitFor(() => false, performance.now() + 2_000);
    expect(client.ending).toBe("closed");
    expect(latin1(client.received())).toEndWith("\r\n\r\nA");
    expect(await metric(gateway, "tunnels_active")).toBe(0);
    client.destroy();
  });

  for (const how of ["closes", "resets"] as const) {
    test(`ends for the app when the client ${how}`, async () => {
      let ended = "";
      const upstream = await startScriptedUpstream({
        script: async (connection) => {
          await connection.readPacket();
          await connection.send(SWITCH);
          ended = await connection.peerClosed;
        },
      });
      const host = `client-${how}.test`;
      await addRoute(gateway, host, [forwardTo(upstream.address)]);
      const client = await openRaw(gateway.port);
      await client.send(upgradeRequest(host, `/client-${how}`));
      await client.perform({ await: "\r\n\r\n" });
      if (how === "closes") await client.perform({ halfClose: true });
      else await client.perform({ reset: true });
      await waitUntil(() => (ended === "" ? undefined : true), gateway.process, "end upstream", 2_000);
      expect((await accessLine(gateway, `/client-${how}`)).status).toBe(101);
      client.destroy();
    });
  }

  test("that is silent for longer than the read timeout ends; any byte, either way, renews it", async () => {
    const upstream = await echo();
    await addRoute(gateway, "idle.test", [forwardTo(upstream.address, { timeouts: { read: "250ms" } })]);
    const client = await openRaw(gateway.port);
    await client.send(upgradeRequest("idle.test"));
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 120));
      expect(client.ending).toBeUndefined();
      await client.send("x");
    }
    const silentFrom = performance.now();
    await client.waitFor(() => false, silentFrom + 2_000);
    expect(client.ending).toBeDefined();
    expect(performance.now() - silentFrom).toBeGreaterThan(200);
    client.destroy();
  });

  test("holds back the faster side, in bounded memory", async () => {
    const block = Buffer.alloc(1_048_576, "z");
    let taken = 0;
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.send(SWITCH);
        for (let i = 0; i < 64; i++) {
          await connection.send(block);
          taken++;
        }
        connection.end();
      },
    });
    await addRoute(gateway, "fast.test", [forwardTo(upstream.address)]);
    const before = residentMib(gateway.pid);
    forgetPeak(gateway.pid);
    const client = await openRaw(gateway.port);
    await client.send(upgradeRequest("fast.test"));
    await client.perform({ await: "\r\n\r\n" });
    client.pause();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(taken).toBeLessThan(64);
    client.resume();
    await client.waitFor(() => false);
    expect(client.received().length).toBe(
      latin1(client.received()).indexOf("\r\n\r\n") + 4 + 64 * block.length,
    );
    expect(peakMib(gateway.pid) - before).toBeLessThan(44);
    client.destroy();
  });
});
