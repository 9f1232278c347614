/**
 * Proves how long a client's connection lives, and that requests on one are answered in order (sections 4 and 6 of the wire rules):
 * keep-alive of HTTP/1.0 and 1.1, pipelining, the bounds on requests, idle time and connections, clients that half-close, and
 * clients that go away.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Gateway,
  openRaw,
  rawExchange,
  startGateway,
  startNginx,
  startScriptedUpstream,
  stopAll,
  temporaryFolder,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { accessLine, addRoute, endpointState, forwardTo, metric } from "./routes.ts";
import type { RuleId } from "./rules.ts";
import { get, HOST, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const http10 = (target: string, ...fields: readonly string[]) =>
  [`GET ${target} HTTP/1.0`, `Host: ${HOST}`, ...fields, "", ""].join("\r\n");

describeWith(["uwsgi", "nginx"], "beside NGINX", () => {
  let pair: Pair;
  beforeAll(async () => {
    const root = temporaryFolder("files");
    mkdirSync(join(root, "static"));
    writeFileSync(join(root, "static", "a.txt"), "a file\n");
    pair = await startPair({
      server: `
        keepalive_requests 4; keepalive_timeout 300ms; client_header_timeout 300ms; client_max_body_size 100;
        location /static/ { root ${root}; }`,
      rules: [{ matches: [{ path: { type: "PathPrefix", value: "/static" } }], static: { root } }],
      rule: { request: { maxBodySize: "100" } },
      gatewayArgs: [
        ...["--max-requests-per-connection", "4", "--idle-timeout", "300ms", "--header-timeout", "300ms"],
      ],
    });
  });

  describe("one connection, one request", () => {
    runCases(
      () => pair,
      [
        { name: "1.1 stays open", send: get("/"), same: { status: 200, ending: "open" } },
        {
          name: "1.1, Connection: close",
          send: get("/", "Connection: close"),
          same: { status: 200, fields: { connection: "close" }, ending: "closed" },
        },
        {
          name: "1.1, Connection: Close among others, in any case",
          send: get("/", "Connection: foo, Close"),
          same: { status: 200, fields: { connection: "close" }, ending: "closed" },
        },
        {
          name: "1.0 closes",
          send: http10("/"),
          same: { status: 200, ending: "closed" },
        },
        {
          name: "1.0 with keep-alive stays open",
          send: http10("/", "Connection: keep-alive"),
          same: { status: 200, ending: "open" },
        },
        {
          name: "1.0 with keep-alive, and a length nobody knows: closes, since only that ends the body",
          send: http10("/no-length", "Connection: keep-alive"),
          until: "close",
          same: { status: 200, framing: "close", body: "one two three\n", ending: "closed" },
        },
        {
          name: "1.1 without a length: chunked, and stays open",
          send: get("/no-length"),
          same: { status: 200, framing: "chunked", body: "one two three\n", ending: "open" },
        },
        {
          name: "HEAD stays open",
          send: request("HEAD", "/"),
          same: { status: 200, body: "", ending: "open" },
        },
        {
          name: "304 stays open",
          send: get("/not-modified"),
          same: { status: 304, body: "", ending: "open" },
        },
        {
          name: "an app's 404 stays open",
          send: get("/not-found"),
          same: { status: 404, ending: "open" },
        },
        {
          name: "413 with a short body, which is read and dropped",
          send: request("POST", "/", [], "x".repeat(101)),
          differs: "short-body-dropped",
          nginx: { status: 413, app: 0, ending: "closed" },
          gateway: { status: 413, app: 0, ending: "open" },
        },
      ],
    );
  });

  describe("several requests", () => {
    const post = (target: string, body: string) => request("POST", target, [], body);
    runCases(
      () => pair,
      [
        {
          name: "one after another",
          send: [get("/"), { await: "app\n" }, get("/not-found"), { await: "none\n" }, get("/")],
          until: { responses: 3 },
          same: { statuses: [200, 404, 200], app: 3, ending: "open" },
        },
        {
          name: "pipelined: in order",
          send: get("/") + get("/not-found") + get("/no-length"),
          until: { responses: 3 },
          same: { statuses: [200, 404, 200], app: 3, ending: "open" },
        },
        {
          name: "pipelined, cut anywhere",
          send: [
            `${get("/")}GET /not-fo`,
            { pauseMs: 20 },
            `und HTTP/1.1\r\nHost: ${HOST}\r\n\r`,
            { pauseMs: 20 },
            `\n${get("/")}`,
          ],
          until: { responses: 3 },
          same: { statuses: [200, 404, 200], app: 3, ending: "open" },
        },
        {
          name: "pipelined, with bodies of both kinds",
          send:
            post("/echo", "first") +
            request("POST", "/echo", ["Transfer-Encoding: chunked"]) +
            "6\r\nsecond\r\n0\r\n\r\n" +
            post("/echo", "third"),
          until: { responses: 3 },
          differs: "no-transfer-encoding-var",
          nginx: { statuses: [200, 200, 200], body: "first", ending: "open" },
          gateway: { statuses: [200, 200, 200], body: "first", ending: "open" },
        },
        {
          name: "behind an error that left a chunked body unread",
          send: `${request("GET", "/static/none", ["Transfer-Encoding: chunked"])}5\r\nhello\r\n0\r\n\r\n${get("/")}`,
          until: { responses: 2 },
          same: { statuses: [404, 200], ending: "open" },
        },
        {
          name: "a line end too many after a body, as old browsers send",
          send: `${post("/echo", "first")}\r\n${post("/echo", "second")}`,
          until: { responses: 2 },
          same: { statuses: [200, 200], ending: "open" },
        },
        {
          name: "pipelined HEADs",
          send: request("HEAD", "/") + request("HEAD", "/no-length") + get("/"),
          methods: ["HEAD", "HEAD", "GET"],
          until: { responses: 3 },
          same: { statuses: [200, 200, 200], ending: "open" },
        },
        {
          name: "pipelined behind a request that closes: not answered",
          send: get("/", "Connection: close") + get("/not-found"),
          until: "close",
          same: { statuses: [200], app: 1, ending: "closed" },
        },
        {
          name: "pipelined behind a broken request: not answered",
          send: `${get("/")}${get("/", "Content-Length: +1")}${get("/")}`,
          until: "close",
          same: { statuses: [200, 400], app: 1, ending: "closed" },
        },
        {
          name: "HTTP/1.0, pipelined with keep-alive",
          send: http10("/", "Connection: keep-alive") + http10("/not-found"),
          until: "close",
          same: { statuses: [200, 404], app: 2, ending: "closed" },
        },
        {
          name: "the last of as many as one connection may have",
          send: get("/").repeat(5),
          until: "close",
          same: { statuses: [200, 200, 200, 200], app: 4, ending: "closed" },
        },
        {
          name: "an idle connection is closed, without a word",
          send: get("/"),
          until: "close",
          same: { statuses: [200], ending: "closed" },
        },
        {
          name: "a connection that never asks is closed, without a word",
          send: "",
          until: "close",
          same: { statuses: [], ending: "closed" },
        },
      ],
    );

    test.each([
      ["more than is dropped", `11170\r\n${"b".repeat(70_000)}\r\n0\r\n\r\n`],
      ["broken", "5\r\nhello\r\nno size\r\n"],
    ])("behind an error with a chunked body that is %s: one answer, and the end", async (_, body) => {
      const bytes = request("GET", "/static/none", ["Transfer-Encoding: chunked"]) + body + get("/");
      const { responses, ending } = await rawExchange(pair.gateway.port, bytes, { until: "close" });
      expect([responses.map(({ status }) => status), ending]).toEqual([[404], "closed"]);
    });

    test("mixed files and app, pipelined: in order, though files are there at once", async () => {
      const targets = ["/", "/static/a.txt", "/no-length", "/static/none"];
      for (const port of [pair.nginx.port, pair.gateway.port]) {
        const sent = targets.map((target) => get(target)).join("");
        const { responses } = await rawExchange(port, sent, { until: { responses: 4 } });
        expect(responses.map(({ status, text }) => `${status} ${text.slice(0, 6)}`)).toEqual([
          "200 app\n",
          "200 a file",
          "200 one tw",
          expect.stringMatching(/^404 /),
        ]);
      }
    });
  });
});

/** Reads the request, waits to be told (or left), and answers `late`. */
async function lateUpstream() {
  let answer = () => {};
  const told = new Promise<void>((resolve) => (answer = resolve));
  const upstream = await startScriptedUpstream({
    script: async (connection) => {
      await connection.readPacket();
      await Promise.race([told, connection.peerClosed]);
      await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate");
      connection.end();
    },
  });
  return { ...upstream, answer: () => answer() };
}

describeWith(["nginx"], "a client that half-closes after its request", () => {
  const through = async (start: (address: string) => Promise<number>) => {
    const upstream = await lateUpstream();
    const port = await start(upstream.address);
    setTimeout(upstream.answer, 60);
    return rawExchange(port, [get("/"), { halfClose: true }], { until: "close" });
  };

  test("NGINX drops it", async () => {
    const { text, ending } = await through(async (address) => {
      const server = `location / { include uwsgi_params; uwsgi_pass ${address}; }`;
      return (await startNginx({ server })).port;
    });
    expect([text, ending]).toEqual(["", "closed"]);
  });

  test(`the gateway answers, and says that it closes: ${"half-close" satisfies RuleId}`, async () => {
    const { response, ending } = await through(async (address) => {
      await addRoute(gateway, HOST, [forwardTo(address)]);
      return gateway.port;
    });
    expect([response.status, response.text, ending]).toEqual([200, "late", "closed"]);
    expect(response.header("connection")).toBe("close");
  });

  test("pipelined requests before it are all answered", async () => {
    const upstream = await startScriptedUpstream({
      script: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    });
    await addRoute(gateway, "half-pipelined.test", [forwardTo(upstream.address)]);
    const one = "GET / HTTP/1.1\r\nHost: half-pipelined.test\r\n\r\n";
    const { responses, ending } = await rawExchange(gateway.port, [one.repeat(3), { halfClose: true }], {
      until: "close",
    });
    expect([responses.map(({ text }) => text), ending]).toEqual([["ok", "ok", "ok"], "closed"]);
  });
});

let gateway: Gateway;
const eventually = (condition: () => boolean, what: string) =>
  waitUntil(() => condition() || undefined, gateway.process, what, 2_000);
beforeAll(async () => {
  gateway = await startGateway({ manifests: {} });
});

describe("a client that goes away", () => {
  test("while the app works: 499 in the log, the upstream connection closed at once, the endpoint not blamed", async () => {
    let readAt = 0;
    let closedAt = 0;
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        readAt = performance.now();
        await connection.peerClosed;
        closedAt = performance.now();
        connection.end();
      },
    });
    await addRoute(gateway, "gone.test", [forwardTo(upstream.address)]);
    const client = await openRaw(gateway.port);
    await client.send("GET /gone-while-working HTTP/1.1\r\nHost: gone.test\r\n\r\n");
    await eventually(() => readAt > 0, "the request");
    const goneAt = performance.now();
    await client.perform({ reset: true });
    const line = await accessLine(gateway, "/gone-while-working");
    expect(line).toMatchObject({ status: 499, error: "client_closed", endpoint: upstream.address });
    await eventually(() => closedAt > 0, "the upstream's end");
    // At once, and not when a timeout ends it; the machine may be busy.
    expect(closedAt - goneAt).toBeLessThan(2_000);
    await eventually(() => upstream.open() === 0, "no open connection");
    expect((await endpointState(gateway, upstream.address)).failures).toBe(0);
  });

  test("in the middle of the response: 499 is not said over a status that was sent", async () => {
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart");
        await connection.peerClosed;
        connection.end();
      },
    });
    await addRoute(gateway, "gone-midway.test", [
      forwardTo(upstream.address, { response: { buffering: false } }),
    ]);
    const client = await openRaw(gateway.port);
    await client.send("GET /gone-midway HTTP/1.1\r\nHost: gone-midway.test\r\n\r\n");
    await client.perform({ await: "part" });
    await client.perform({ reset: true });
    const line = await accessLine(gateway, "/gone-midway");
    expect(line).toMatchObject({ status: 200, error: "client_closed", bytesOut: 4 });
    await eventually(() => upstream.open() === 0, "no open connection");
  });

  test("with pipelined requests: what was not begun is never begun", async () => {
    const upstream = await lateUpstream();
    await addRoute(gateway, "gone-pipelined.test", [forwardTo(upstream.address)]);
    const client = await openRaw(gateway.port);
    const one = (target: string) => `GET ${target} HTTP/1.1\r\nHost: gone-pipelined.test\r\n\r\n`;
    await client.send(one("/gone-first") + one("/gone-second"));
    await eventually(() => upstream.packets.length > 0, "the request");
    await client.perform({ reset: true });
    expect(await accessLine(gateway, "/gone-first")).toMatchObject({ status: 499 });
    await eventually(() => upstream.open() === 0, "no open connection");
    expect(upstream.accepted()).toBe(1);
    upstream.answer();
  });

  test("ignoreClientAbort lets the app finish", async () => {
    const upstream = await lateUpstream();
    await addRoute(gateway, "gone-ignored.test", [forwardTo(upstream.address, { ignoreClientAbort: true })]);
    const client = await openRaw(gateway.port);
    await client.send("GET /gone-ignored HTTP/1.1\r\nHost: gone-ignored.test\r\n\r\n");
    await eventually(() => upstream.packets.length > 0, "the request");
    await client.perform({ reset: true });
    // The reset is known to the gateway by the time that it has answered others.
    for (let i = 0; i < 3; i++) await metric(gateway, "connections_active");
    expect(upstream.open()).toBe(1);
    upstream.answer();
    await eventually(() => upstream.open() === 0, "the answer");
    expect(upstream.failures).toEqual([]);
  });
});

describe("more connections than --max-connections", () => {
  test("are closed at once, the others serve on, and room is used again", async () => {
    const small = await startGateway({ manifests: {}, args: ["--max-connections", "2"] });
    const upstream = await startScriptedUpstream({
      script: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    });
    await addRoute(small, HOST, [forwardTo(upstream.address)]);
    const ask = async (client: Awaited<ReturnType<typeof openRaw>>) => {
      const before = client.received().length;
      await client.send(get("/"));
      await client.waitFor(() => client.received().length > before + 10, performance.now() + 2_000);
      return Buffer.from(client.received()).toString("latin1", before).split("\r\n")[0];
    };
    const first = await openRaw(small.port);
    const second = await openRaw(small.port);
    expect([await ask(first), await ask(second)]).toEqual(["HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
    // The reset may come before the kernel has even said that the connection is up.
    const third = await openRaw(small.port).catch(() => undefined);
    await third?.waitFor(() => false, performance.now() + 2_000);
    expect(third === undefined || (third.ending !== undefined && third.received().length === 0)).toBe(true);
    expect(await metric(small, "connections_rejected_total")).toBe(1);
    expect(await ask(first)).toBe("HTTP/1.1 200 OK");
    second.destroy();
    const active = async () => ((await metric(small, "connections_active")) === 1 ? true : undefined);
    await waitUntil(active, small.process, "room", 2_000);
    expect(await ask(await openRaw(small.port))).toBe("HTTP/1.1 200 OK");
  });
});
