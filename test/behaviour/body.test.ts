/**
 * Proves that the app gets the request's body, whole and as the vars say, or is never asked (section 4 of the wire rules): chunked bodies
 * decoded, large ones by way of a temporary file, streaming where the rule asks for it, `Expect: 100-continue`, and clients
 * that are slow or leave midway.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import {
  type Gateway,
  latin1,
  openRaw,
  rawExchange,
  type ScriptedUpstream,
  startGateway,
  startScriptedUpstream,
  stopAll,
  temporaryFolder,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { accessLine, addRoute, forwardTo, metric } from "./routes.ts";
import { HOST, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const sha256 = (text: string) => createHash("sha256").update(text, "latin1").digest("hex");
const bodyOf = (text: string) => ({ length: text.length, sha256: sha256(text) });
const MiB = 1_048_576;

/** Bytes of every kind, the same in each run. */
function content(length: number): string {
  let seed = 42;
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) >>> 24;
  return latin1(bytes);
}

function chunked(text: string, chunkLength: number): string {
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += chunkLength) {
    const part = text.slice(at, at + chunkLength);
    parts.push(`${part.length.toString(16)}\r\n${part}\r\n`);
  }
  return `${parts.join("")}0\r\n\r\n`;
}

const postChunked = (target: string, body: string, ...fields: readonly string[]) =>
  request("POST", target, ["Transfer-Encoding: chunked", ...fields]) + body;

const large = content(5 * MiB + 321);
const CHUNKED_VARS = (length: number) => ({
  CONTENT_LENGTH: String(length),
  HTTP_CONTENT_LENGTH: undefined,
  HTTP_TRANSFER_ENCODING: undefined,
});

describeWith(["uwsgi", "nginx"], "gathered first, beside NGINX", () => {
  let pair: Pair;
  const files = () => readdirSync(tempDir);
  let tempDir: string;
  beforeAll(async () => {
    tempDir = temporaryFolder("bodies");
    pair = await startPair({
      location: "client_max_body_size 16m;",
      rule: { request: { maxBodySize: "16Mi" } },
      gatewayArgs: ["--temp-dir", tempDir],
    });
  });

  describe("by length", () => {
    runCases(
      () => pair,
      [
        {
          name: "in one piece with the head",
          send: request("POST", "/echo", [], "hello"),
          same: { status: 200, body: "hello", app: { CONTENT_LENGTH: "5" }, appBody: bodyOf("hello") },
        },
        {
          name: "byte by byte",
          send: [
            request("PUT", "/echo", ["Content-Length: 5"]),
            ...[..."hello"].flatMap((byte) => [{ pauseMs: 5 }, byte]),
          ],
          same: { status: 200, body: "hello", app: { REQUEST_METHOD: "PUT", CONTENT_LENGTH: "5" } },
        },
        {
          name: "of every byte there is",
          send: request("POST", "/echo", [], content(4096)),
          same: { status: 200, appBody: bodyOf(content(4096)) },
        },
        {
          name: "several MiB",
          send: request("POST", "/", [], large),
          same: { status: 200, app: { CONTENT_LENGTH: String(large.length) }, appBody: bodyOf(large) },
        },
        {
          name: "with GET and DELETE",
          send: request("GET", "/", [], "get") + request("DELETE", "/", [], "delete"),
          until: { responses: 2 },
          same: { statuses: [200, 200], app: { CONTENT_LENGTH: "3" }, appBody: bodyOf("get") },
        },
      ],
    );
  });

  describe("chunked", () => {
    const decoded = (text: string, nginxVars = {}) => ({
      differs: "no-transfer-encoding-var" as const,
      nginx: {
        status: 200,
        app: { ...CHUNKED_VARS(text.length), HTTP_TRANSFER_ENCODING: "chunked", ...nginxVars },
        appBody: bodyOf(text),
      },
      gateway: { status: 200, app: CHUNKED_VARS(text.length), appBody: bodyOf(text) },
    });
    runCases(
      () => pair,
      [
        {
          name: "decoded, and its length told",
          send: postChunked("/echo", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
          ...decoded("hello world"),
        },
        { name: "empty", send: postChunked("/", "0\r\n\r\n"), ...decoded("") },
        {
          name: "with extensions",
          send: postChunked("/", "5;a=b\r\nhello\r\n0;c\r\n\r\n"),
          ...decoded("hello"),
        },
        {
          name: "with trailers, which go nowhere",
          send: postChunked("/", "5\r\nhello\r\n0\r\nX-Trailer: t\r\nContent-Length: 9\r\n\r\n"),
          ...decoded("hello", { HTTP_X_TRAILER: undefined }),
        },
        {
          name: "sizes in upper case and with zeros in front",
          send: postChunked("/", `00A\r\n0123456789\r\n0\r\n\r\n`),
          ...decoded("0123456789"),
        },
        { name: "several MiB", send: postChunked("/", chunked(large, 7_000)), ...decoded(large) },
        {
          name: "cut within sizes, data and line ends",
          send: [
            request("POST", "/", ["Transfer-Encoding: chunked"]),
            ...["1", "0\r", "\n01234567", "89abcdef", "\r", "\n0\r\n", "\r\n"].flatMap((part) => [
              part,
              { pauseMs: 5 },
            ]),
          ],
          ...decoded("0123456789abcdef"),
        },
      ],
    );
  });

  describe("Expect: 100-continue", () => {
    const EXPECT = "Expect: 100-continue";
    runCases(
      () => pair,
      [
        {
          name: "100, then the answer",
          send: [
            request("POST", "/echo", [EXPECT, "Content-Length: 5"]),
            { await: "100 Continue\r\n\r\n" },
            "hello",
          ],
          same: { interim: [100], statuses: [200], body: "hello" },
        },
        {
          name: "in any case",
          send: [
            request("POST", "/echo", ["Expect: 100-Continue", "Content-Length: 5"]),
            { await: "100 Continue\r\n\r\n" },
            "hello",
          ],
          same: { interim: [100], statuses: [200], body: "hello" },
        },
        {
          name: "a chunked body",
          send: [
            request("POST", "/echo", [EXPECT, "Transfer-Encoding: chunked"]),
            { await: "100 Continue\r\n\r\n" },
            "5\r\nhello\r\n0\r\n\r\n",
          ],
          differs: "no-transfer-encoding-var",
          nginx: { interim: [100], statuses: [200], body: "hello" },
          gateway: { interim: [100], statuses: [200], body: "hello" },
        },
        {
          name: "413 instead, and the connection closes",
          send: request("POST", "/", [EXPECT, `Content-Length: ${16 * MiB + 1}`]),
          differs: "closes-at-once",
          nginx: { interim: [], statuses: [413], app: 0, ending: "open" },
          gateway: { interim: [], statuses: [413], app: 0, ending: "closed" },
        },
        {
          name: "400 instead",
          send: request("POST", "/%zz", [EXPECT, "Content-Length: 5"]),
          same: { interim: [], statuses: [400], app: 0, ending: "closed" },
        },
        {
          name: "nothing to continue with",
          send: request("POST", "/", [EXPECT, "Content-Length: 0"]),
          differs: "no-needless-100",
          nginx: { interim: [100], statuses: [200] },
          gateway: { interim: [], statuses: [200] },
        },
        {
          name: "not for HTTP/1.0",
          send: `POST /echo HTTP/1.0\r\nHost: ${HOST}\r\n${EXPECT}\r\nContent-Length: 5\r\n\r\nhello`,
          same: { interim: [], statuses: [200], body: "hello" },
        },
        {
          name: "an expectation nobody knows is the app's",
          send: request("POST", "/echo", ["Expect: miracles"], "hello"),
          same: { interim: [], statuses: [200], app: { HTTP_EXPECT: "miracles" }, body: "hello" },
        },
      ],
    );
  });

  describe("the client leaves", () => {
    runCases(
      () => pair,
      [
        {
          name: "midway, with FIN: the app is never asked",
          send: [request("POST", "/", ["Content-Length: 100"]), "half", { halfClose: true }],
          until: "close",
          same: { statuses: [], app: 0 },
        },
        {
          name: "midway in a large body",
          send: [
            request("POST", "/", [`Content-Length: ${2 * MiB}`]),
            large.slice(0, MiB),
            { halfClose: true },
          ],
          until: "close",
          same: { statuses: [], app: 0 },
        },
        {
          name: "within a chunk",
          send: [postChunked("/", "5\r\nhel"), { halfClose: true }],
          until: "close",
          same: { statuses: [], app: 0 },
        },
        {
          name: "before the last chunk",
          send: [postChunked("/", "5\r\nhello\r\n"), { halfClose: true }],
          until: "close",
          same: { statuses: [], app: 0 },
        },
        {
          name: "midway, with a reset",
          send: [request("POST", "/", ["Content-Length: 100"]), "half", { reset: true }],
          until: "close",
          same: { statuses: [], app: 0 },
        },
      ],
    );
  });

  test("a large body lies in the folder for temporary files, without a name, and is gone after", async () => {
    const hits = await metric(pair.gateway, "bound_hits_total", 'bound="body_memory"');
    const client = await openRaw(pair.gateway.port);
    await client.send(request("POST", "/", [`Content-Length: ${large.length}`]) + large.slice(0, MiB));
    const spilt = async () =>
      (await metric(pair.gateway, "bound_hits_total", 'bound="body_memory"')) > hits ? true : undefined;
    await waitUntil(spilt, pair.gateway.process, "a temporary file", 2_000);
    expect(files()).toEqual([]);
    await client.send(large.slice(MiB));
    await client.perform({ await: "app\n" });
    client.destroy();
    expect(files()).toEqual([]);
  });
});

describeWith(["uwsgi", "nginx"], "slow clients, beside NGINX", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({
      // NGINX puts a timer off only by 300 ms and more, which would count against a slow body.
      server: `
        client_header_timeout 300ms; client_body_timeout 300ms;
        location /echo { client_body_timeout 1s; include uwsgi_params; uwsgi_pass UPSTREAM; }`,
      gatewayArgs: ["--header-timeout", "300ms", "--body-timeout", "300ms"],
    });
  });
  const tooSlow = {
    differs: "says-408" as const,
    until: "close" as const,
    nginx: { statuses: [], app: 0, ending: "closed" as const },
    gateway: { statuses: [408], app: 0, ending: "closed" as const },
  };
  const drip = (bytes: string) => [...bytes].flatMap((byte) => [{ pauseMs: 60 }, byte]);
  runCases(
    () => pair,
    [
      { name: "a head that does not end", send: `GET / HTTP/1.1\r\nHost: ${HOST}\r\n`, ...tooSlow },
      {
        name: "a head whose every byte comes in time, but not the whole",
        send: [`GET / HTTP/1.1\r\nHost: ${HOST}\r\n`, ...drip("X-A: bcdef")],
        ...tooSlow,
      },
      { name: "a body that stops", send: [request("POST", "/", ["Content-Length: 9"]), "four"], ...tooSlow },
      { name: "a body that never begins", send: request("POST", "/", ["Content-Length: 9"]), ...tooSlow },
      { name: "a chunked body that stops", send: postChunked("/", "5\r\nhe"), ...tooSlow },
      {
        name: "a body that goes on, if slowly, arrives",
        send: [request("POST", "/echo", ["Content-Length: 8"]), ...drip("12345678")],
        same: { status: 200, body: "12345678" },
      },
    ],
  );
});

describeWith(["uwsgi", "nginx"], "streamed, beside NGINX", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({
      location: "uwsgi_request_buffering off; client_max_body_size 16m;",
      rule: { request: { buffering: false, maxBodySize: "16Mi" } },
    });
  });
  const streamed = (text: string) => ({
    differs: "chunked-streamed" as const,
    nginx: { status: 200, app: { CONTENT_LENGTH: String(text.length) }, appBody: bodyOf(text) },
    gateway: {
      status: 200,
      app: { CONTENT_LENGTH: "", HTTP_TRANSFER_ENCODING: undefined },
      appBody: bodyOf(text),
    },
  });
  runCases(
    () => pair,
    [
      {
        name: "by length",
        send: [request("POST", "/echo", ["Content-Length: 5"]), "he", { pauseMs: 20 }, "llo"],
        same: { status: 200, body: "hello", app: { CONTENT_LENGTH: "5" } },
      },
      {
        name: "several MiB by length",
        send: request("POST", "/", [], large),
        same: { status: 200, appBody: bodyOf(large) },
      },
      {
        name: "chunked, to uWSGI's chunked input",
        send: postChunked("/echo?chunked-input", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        ...streamed("hello world"),
      },
      {
        name: "chunked, empty",
        send: postChunked("/echo?chunked-input", "0\r\n\r\n"),
        ...streamed(""),
      },
      {
        name: "chunked, several MiB",
        send: postChunked("/?chunked-input", chunked(large, 60_000)),
        ...streamed(large),
      },
      {
        name: "chunked, with extensions and trailers, which go nowhere",
        send: postChunked("/echo?chunked-input", "5;x=y\r\nhello\r\n0\r\nX-T: u\r\n\r\n"),
        ...streamed("hello"),
      },
      {
        name: "Expect: 100-continue",
        send: [
          request("POST", "/echo", ["Expect: 100-continue", "Content-Length: 5"]),
          { await: "100 Continue\r\n\r\n" },
          "hello",
        ],
        same: { interim: [100], statuses: [200], body: "hello" },
      },
      {
        name: "too large by its length: the app is never asked",
        send: request("POST", "/", ["Expect: 100-continue", `Content-Length: ${16 * MiB + 1}`]),
        differs: "closes-at-once",
        nginx: { interim: [], statuses: [413], app: 0, ending: "open" },
        gateway: { interim: [], statuses: [413], app: 0, ending: "closed" },
      },
    ],
  );
});

describe("streamed to an app that is watched", () => {
  let gateway: Gateway;
  let upstream: ScriptedUpstream;
  const arrived: Buffer[] = [];
  const text = () => Buffer.concat(arrived).toString("latin1");
  const has = (wanted: string) =>
    waitUntil(
      () => (text() === wanted ? true : undefined),
      gateway.process,
      `${wanted}, not ${text()}`,
      2_000,
    );
  let leftBy: "ended" | "reset" | undefined;

  beforeAll(async () => {
    gateway = await startGateway({ manifests: {}, args: ["--body-timeout", "400ms"] });
    upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        connection.peerClosed.then((how) => (leftBy = how));
        for (;;) {
          const byte = await connection.readBytes(1).catch(() => undefined);
          if (byte === undefined) break;
          arrived.push(Buffer.from(byte));
          if (text().endsWith("!") || text().endsWith("0\r\n\r\n")) {
            await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            connection.end();
          }
        }
        connection.end();
      },
    });
    await addRoute(gateway, HOST, [
      forwardTo(upstream.address, { request: { buffering: false, maxBodySize: "20" } }),
    ]);
  });

  beforeEach(() => {
    arrived.length = 0;
    leftBy = undefined;
  });

  test("each part goes on as it comes", async () => {
    const client = await openRaw(gateway.port);
    await client.send(request("POST", "/", ["Content-Length: 6"]));
    await client.send("ab");
    await has("ab");
    await client.send("cd");
    await has("abcd");
    await client.send("e!");
    await client.perform({ await: "\r\n\r\nok" });
    client.destroy();
  });

  test("chunked: each part goes on as it comes, as a chunk", async () => {
    const client = await openRaw(gateway.port);
    await client.send(postChunked("/", "3\r\nabc\r\n"));
    await has("3\r\nabc\r\n");
    await client.send("2\r\nde\r\n0\r\n\r\n");
    await client.perform({ await: "\r\n\r\nok" });
    expect(text()).toBe("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    client.destroy();
  });

  test("chunked, above the bound: the app is left in the middle, never with a last chunk; 413", async () => {
    const answer = await rawExchange(gateway.port, [
      postChunked("/", "5\r\nabcde\r\n"),
      { pauseMs: 50 },
      "10\r\n0123456789abcdef\r\n0\r\n\r\n",
    ]);
    expect([answer.response.status, answer.ending]).toEqual([413, "closed"]);
    await waitUntil(() => leftBy, gateway.process, "the upstream's end", 2_000);
    expect(text()).not.toContain("0\r\n\r\n");
  });

  for (const [name, how] of [
    ["FIN", { halfClose: true }],
    ["a reset", { reset: true }],
  ] as const) {
    test(`the client leaves midway with ${name}: the app's connection ends, the log says 499`, async () => {
      const target = `/left-by-${name.replace(" ", "-")}`;
      const client = await openRaw(gateway.port);
      await client.send(postChunked(target, "3\r\nabc\r\n"));
      await has("3\r\nabc\r\n");
      await client.perform(how);
      await waitUntil(() => leftBy, gateway.process, "the upstream's end", 2_000);
      expect(text()).toBe("3\r\nabc\r\n");
      expect(await accessLine(gateway, target)).toMatchObject({ status: 499, error: "client_closed" });
      client.destroy();
    });
  }

  test("the client stops midway: 408, and the app's connection ends", async () => {
    const answer = await rawExchange(gateway.port, [request("POST", "/stops", ["Content-Length: 9"]), "abc"]);
    expect([answer.response.status, answer.ending]).toEqual([408, "closed"]);
    await waitUntil(() => leftBy, gateway.process, "the upstream's end", 2_000);
    expect(text()).toBe("abc");
  });

  test("the client breaks the chunked coding: 400, and the app's connection ends", async () => {
    const answer = await rawExchange(gateway.port, [
      postChunked("/", "3\r\nabc\r\n"),
      { pauseMs: 50 },
      "zz\r\n",
    ]);
    expect([answer.response.status, answer.ending]).toEqual([400, "closed"]);
    await waitUntil(() => leftBy, gateway.process, "the upstream's end", 2_000);
    expect(text()).toBe("3\r\nabc\r\n");
  });
});
