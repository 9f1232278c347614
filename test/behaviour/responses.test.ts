/**
 * Proves what becomes of the head of an app's response (section 5 of the wire rules): the status, fields, what is refused, interim
 * responses. Bodies and X-Accel-* have files of their own.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Gateway, rawExchange, startGateway, startScriptedUpstream, stopAll } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { addRoute, forwardTo, routeManifest } from "./routes.ts";
import { type Case, get, HOST, type Pair, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const GET = get("/");
const OK = "HTTP/1.1 200 OK\r\n";
/** A body of two bytes, and the end of the head before it. */
const END = "Content-Length: 2\r\n\r\nok";

/** A wrong close comes with the response or not at all. */
const check = (pair: () => Pair, cases: readonly Case[]) =>
  runCases(
    pair,
    cases.map((each) => ({ lingerMs: 20, ...each })),
  );

describeWith(["nginx"], "what the client gets", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ scripted: true, location: "uwsgi_buffer_size 32k; uwsgi_buffers 8 32k;" });
  });

  describe("status", () => {
    check(
      () => pair,
      [
        {
          name: "HTTP/1.1 200",
          send: GET,
          reply: `${OK}${END}`,
          same: { status: 200, body: "ok", ending: "open" },
        },
        {
          name: "HTTP/1.0 404",
          send: GET,
          reply: `HTTP/1.0 404 Not Found\r\n${END}`,
          same: { status: 404, body: "ok", ending: "open" },
        },
        {
          name: "HTTP/2.0, as uWSGI echoes it",
          send: GET,
          reply: `HTTP/2.0 200 OK\r\n${END}`,
          same: { status: 200 },
        },
        {
          name: "HTTP/3, without a dot",
          send: GET,
          reply: `HTTP/3 201 Created\r\n${END}`,
          differs: "version-without-dot",
          nginx: { status: 200 },
          gateway: { status: 201, reason: "Created" },
        },
        {
          name: "a reason of the app's own",
          send: GET,
          reply: `HTTP/1.1 299 Made Up\r\n${END}`,
          same: { status: 299, reason: "Made Up" },
        },
        { name: "999", send: GET, reply: `HTTP/1.1 999 Odd\r\n${END}`, same: { status: 999, reason: "Odd" } },
        {
          name: "a reason in Latin-1",
          send: GET,
          reply: `HTTP/1.1 200 caf\xe9\r\n${END}`,
          same: { reason: "caf\xe9" },
        },
        {
          name: "no reason",
          send: GET,
          reply: `HTTP/1.1 404\r\n${END}`,
          differs: "reason-phrase",
          nginx: { status: 404, reason: "" },
          gateway: { status: 404, reason: "Not Found" },
        },
        {
          name: "Status in place of a status line",
          send: GET,
          reply: `Status: 404 Not Here\r\n${END}`,
          differs: "status-field",
          nginx: { status: 404, reason: "Not Here", fields: { status: "404 Not Here" } },
          gateway: { status: 404, reason: "Not Here", fields: { status: undefined } },
        },
        {
          name: "Status behind other fields",
          send: GET,
          reply: `Content-Type: a/b\r\nStatus: 503 Later\r\n${END}`,
          differs: "status-field",
          nginx: { status: 503, fields: { status: "503 Later", "content-type": "a/b" } },
          gateway: { status: 503, fields: { status: undefined, "content-type": "a/b" } },
        },
        {
          name: "Status beside a status line, which wins",
          send: GET,
          reply: `${OK}Status: 404 No\r\n${END}`,
          differs: "status-field",
          nginx: { status: 200, fields: { status: "404 No" } },
          gateway: { status: 200, fields: { status: undefined } },
        },
        {
          name: "Status with Location",
          send: GET,
          reply: `Status: 301 Moved\r\nLocation: /x\r\n${END}`,
          differs: "status-field",
          nginx: { status: 301, fields: { location: "/x", status: "301 Moved" } },
          gateway: { status: 301, fields: { location: "/x", status: undefined } },
        },
        {
          name: "Location alone is 302",
          send: GET,
          reply: `Location: http://x.test/\r\n${END}`,
          differs: "reason-phrase",
          nginx: { status: 302, reason: "Moved Temporarily", fields: { location: "http://x.test/" } },
          gateway: { status: 302, reason: "Found", fields: { location: "http://x.test/" } },
        },
        {
          name: "neither is 200",
          send: GET,
          reply: `Content-Type: a/b\r\n${END}`,
          same: { status: 200, reason: "OK" },
        },
        {
          name: "lines that end with a bare LF",
          send: GET,
          reply: "HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\nok",
          same: { status: 200, fields: { "x-a": "b" }, body: "ok" },
        },
        {
          name: "lines that end either way",
          send: GET,
          reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\nX-A: b\r\n\nok",
          same: { status: 200, fields: { "x-a": "b" }, body: "ok" },
        },
        ...["20 OK", "2000 OK", "000 OK", "abc OK", "2x0 OK"].map((rest) => ({
          name: `HTTP/1.1 ${rest}`,
          send: GET,
          reply: `HTTP/1.1 ${rest}\r\n${END}`,
          differs: "bad-status" as const,
          nginx: { status: 200 },
          gateway: { status: 502, ending: "open" as const },
        })),
        {
          name: "a status line without a version",
          send: GET,
          reply: `HTTP/ 200 OK\r\n${END}`,
          differs: "bad-status",
          nginx: { status: 200 },
          gateway: { status: 502 },
        },
        {
          name: "a status line that is only a version",
          send: GET,
          reply: `HTTP/1.1\r\n${END}`,
          differs: "bad-status",
          nginx: { status: 200 },
          gateway: { status: 502 },
        },
        ...["20 OK", "abc"].map((value) => ({
          name: `Status: ${value}`,
          send: GET,
          reply: `Status: ${value}\r\n${END}`,
          same: { status: 502, ending: "open" as const },
        })),
        { name: "nothing at all", send: GET, reply: "", same: { status: 502, ending: "open" } },
        { name: "half a status line", send: GET, reply: "HTTP/1.1 20", same: { status: 502 } },
        { name: "half a head", send: GET, reply: `${OK}X-A: b\r\n`, same: { status: 502 } },
        {
          name: "an empty head",
          send: GET,
          reply: "\r\n\r\n",
          differs: "response-head",
          nginx: { status: 200 },
          gateway: { status: 502 },
        },
      ],
    );
  });

  describe("fields", () => {
    check(
      () => pair,
      [
        {
          name: "every copy of what may be repeated",
          send: GET,
          reply: `${OK}${[
            ...["Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "set-cookie: a=1", "Link: </a>", "Link: </b>"],
            ...["Vary: Accept", "Vary: Cookie", "Cache-Control: no-cache", "Cache-Control: private"],
            ...["WWW-Authenticate: Basic", "WWW-Authenticate: Negotiate", "X-Own: 1", "X-Own: 2"],
          ].join("\r\n")}\r\n${END}`,
          same: {
            fields: {
              "set-cookie": ["a=1; Path=/", "b=2", "a=1"],
              link: ["</a>", "</b>"],
              vary: ["Accept", "Cookie"],
              "cache-control": ["no-cache", "private"],
              "www-authenticate": ["Basic", "Negotiate"],
              "x-own": ["1", "2"],
            },
          },
        },
        {
          name: "the app's own Server and Date win",
          send: GET,
          reply: `${OK}Server: app/1\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n${END}`,
          same: { fields: { server: "app/1", date: "Thu, 01 Jan 1970 00:00:00 GMT" } },
        },
        {
          name: "what the gateway has no business with",
          send: GET,
          reply: `${OK}${[
            ...[
              "Refresh: 5; url=/x",
              "Accept-Ranges: bytes",
              "Content-Encoding: gzip",
              "Age: 5",
              "Allow: GET",
            ],
            ...['ETag: W/"e"', "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT", "Expires: 0", "P3P: x"],
            ...["Content-Language: en", "Content-Disposition: attachment", "Retry-After: 3", "X_U: u"],
          ].join("\r\n")}\r\n${END}`,
          same: { fields: { expires: "0", etag: 'W/"e"', x_u: "u" } },
        },
        {
          name: "Location as it is",
          send: GET,
          reply: `HTTP/1.1 301 Moved\r\nLocation: http://site.test:99/a b?c#d\r\n${END}`,
          same: { fields: { location: "http://site.test:99/a b?c#d" } },
        },
        {
          name: "the last of two Content-Types",
          send: GET,
          reply: `${OK}Content-Type: text/plain\r\nContent-Type: text/html\r\n${END}`,
          same: { fields: { "content-type": "text/html" } },
        },
        {
          name: "UTF-8, empty values and blanks around values",
          send: GET,
          reply: `${OK}X-A: caf\xc3\xa9\r\nX-B:\r\nX-C:  v  \r\n${END}`,
          same: { fields: { "x-a": "caf\xc3\xa9", "x-b": "", "x-c": "v" } },
        },
        {
          name: "odd characters in a name",
          send: GET,
          reply: `${OK}X!#$%&'*+-.^_\`|~: x\r\n${END}`,
          same: { status: 200 },
        },
        {
          name: "a head of 20 KiB",
          send: GET,
          reply: `${OK}X-A: ${"a".repeat(20_000)}\r\n${END}`,
          same: { status: 200, fields: { "x-a": "a".repeat(20_000) } },
        },
        {
          name: "400 fields",
          send: GET,
          reply: `${OK}${"X-A: a\r\n".repeat(400)}${END}`,
          same: { status: 200 },
        },
        {
          name: "a head above the limit",
          send: GET,
          reply: `${OK}${`X-A: ${"a".repeat(20_000)}\r\n`.repeat(2)}${END}`,
          same: { status: 502, ending: "open" },
        },
        ...[
          ["a blank in a name", "Bad Name: x"],
          ["a blank before the colon", "Name : x"],
          ["a folded line", "X-A: x\r\n y"],
          ["NUL in a value", "X-A: x\0y"],
          ["NUL in a name", "X\0A: x"],
          ["an empty name", ": x"],
          ["a bare CR", "X-A: x\ry"],
        ].map(([name, line]) => ({
          name: name!,
          send: GET,
          reply: `${OK}${line}\r\n${END}`,
          same: { status: 502, ending: "open" as const },
        })),
        ...[
          ["a line without a colon", "nocolon"],
          ["a control character in a value", "X-A: x\x01y"],
        ].map(([name, line]) => ({
          name: name!,
          send: GET,
          reply: `${OK}${line}\r\n${END}`,
          differs: "response-head" as const,
          nginx: { status: 200 },
          gateway: { status: 502, ending: "open" as const },
        })),
        {
          name: "Connection and what it names, Proxy-Connection and Trailer",
          send: GET,
          reply: `${OK}Connection: close, X-Hop\r\nX-Hop: 1\r\nProxy-Connection: close\r\nTrailer: X-T\r\nX-Stay: 1\r\n${END}`,
          differs: "response-hop-by-hop",
          nginx: {
            fields: { "x-hop": "1", "proxy-connection": "close", trailer: "X-T", connection: undefined },
          },
          gateway: {
            fields: {
              ...{
                "x-hop": undefined,
                "proxy-connection": undefined,
                trailer: undefined,
                connection: undefined,
              },
              "x-stay": "1",
            },
            ending: "open",
          },
        },
        {
          name: "Upgrade without a switch",
          send: GET,
          reply: `${OK}Upgrade: h2c\r\n${END}`,
          differs: "response-hop-by-hop",
          nginx: { fields: { upgrade: "h2c" } },
          gateway: { fields: { upgrade: undefined } },
        },
        {
          name: "Connection: close and Keep-Alive from the app say nothing to the client",
          send: GET,
          reply: `${OK}Connection: close\r\nKeep-Alive: timeout=5\r\n${END}`,
          same: { fields: { connection: undefined, "keep-alive": undefined }, ending: "open" },
        },
      ],
    );
  });

  describe("interim responses", () => {
    check(
      () => pair,
      [
        ...["100 Continue", "102 Processing", "103 Early Hints\r\nLink: </a.css>"].map((interim) => ({
          name: interim.slice(0, 3),
          send: GET,
          reply: `HTTP/1.1 ${interim}\r\n\r\n${OK}${END}`,
          differs: "interim-response" as const,
          nginx: { interim: [Number(interim.slice(0, 3))] },
          gateway: {
            status: 200,
            body: "ok",
            interim: [],
            fields: { link: undefined },
            ending: "open" as const,
          },
        })),
        {
          name: "several, then the real one",
          send: GET,
          reply: `${"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(3)}HTTP/1.1 404 No\r\n${END}`,
          differs: "interim-response",
          nginx: { interim: [103, 103, 103] },
          gateway: { status: 404, interim: [], body: "ok" },
        },
        {
          name: "one, and then nothing",
          send: GET,
          reply: "HTTP/1.1 100 Continue\r\n\r\n",
          until: { idleMs: 150 },
          differs: "interim-response",
          nginx: { status: undefined, interim: [100] },
          gateway: { status: 502, interim: [] },
        },
        {
          name: "101 that the client did not ask for",
          send: GET,
          reply: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw",
          until: { idleMs: 150 },
          differs: "uninvited-upgrade",
          nginx: { status: 101 },
          gateway: { status: 502 },
        },
      ],
    );
  });
});

describe("without NGINX beside it", () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ manifests: {} });
  });

  const serving = async (host: string, pieces: readonly string[], options = {}) => {
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.sendPieces(pieces, 3);
        connection.end();
      },
    });
    await addRoute(gateway, host, [forwardTo(upstream.address, options)]);
  };
  const ask = (host: string) => rawExchange(gateway.port, GET.replace(HOST, host));

  test("a head that comes byte by byte is the same head", async () => {
    await serving("bytes.test", [...`${OK}X-A: caf\xc3\xa9\r\n${END}`]);
    const { response } = await ask("bytes.test");
    expect([response.status, response.header("x-a"), response.text]).toEqual([200, "caf\xc3\xa9", "ok"]);
  });

  test("Date and Server are added where the app sends none", async () => {
    await serving("plain.test", [`${OK}${END}`]);
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { response } = await ask("plain.test");
    expect(response.headerAll("server")).toEqual(["uwsgi-gateway"]);
    expect(response.headerAll("date").length).toBe(1);
    const date = Date.parse(response.header("date")!);
    expect(date).toBeGreaterThanOrEqual(before - 1000);
    expect(date).toBeLessThanOrEqual(Date.now());
  });

  test("each of the two is added by itself", async () => {
    await serving("date.test", [`${OK}Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n${END}`]);
    await serving("server.test", [`${OK}server: app\r\n${END}`]);
    const dated = (await ask("date.test")).response;
    expect(dated.headerAll("date")).toEqual(["Thu, 01 Jan 1970 00:00:00 GMT"]);
    expect(dated.headerAll("server")).toEqual(["uwsgi-gateway"]);
    const named = (await ask("server.test")).response;
    expect(named.headerAll("server")).toEqual(["app"]);
    expect(named.headerAll("date").length).toBe(1);
  });

  for (const [name, expected] of [
    ["mine/2", ["mine/2"]],
    ["off", []],
  ] as const) {
    test(`--server-header ${name}, on the app's answers and on our own`, async () => {
      const upstream = await startScriptedUpstream({ script: `${OK}${END}` });
      const other = await startGateway({
        manifests: { "site.json": routeManifest(HOST, [forwardTo(upstream.address)]) },
        args: ["--server-header", name],
      });
      for (const bytes of [GET, GET.replace(HOST, "nobody.test"), GET.replace("HTTP/1.1", "HTTP/2.0")]) {
        const { response } = await rawExchange(other.port, bytes, { lingerMs: 0 });
        expect(response.headerAll("server")).toEqual([...expected]);
      }
      await other.stop();
    });
  }
});
