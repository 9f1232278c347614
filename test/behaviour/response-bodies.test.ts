/**
 * Proves how the end of a response's body is told to the client, and what becomes of one that is too short, too long or chunked
 * (section 5 of the wire rules).
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type Gateway,
  latin1,
  openRaw,
  rawExchange,
  startGateway,
  startScriptedUpstream,
  stopAll,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { addRoute, forwardTo } from "./routes.ts";
import { type Case, get, HOST, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const HEAD = request("HEAD", "/");
const GET = get("/");
/** An HTTP/1.0 client, which has to ask for a connection that stays. */
const GET_10 = GET.replace("HTTP/1.1", "HTTP/1.0");
const KEEP_10 = get("/", "Connection: keep-alive").replace("HTTP/1.1", "HTTP/1.0");
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
    pair = await startPair({ scripted: true });
  });

  describe("framing", () => {
    check(
      () => pair,
      [
        {
          name: "no length: chunked to HTTP/1.1",
          send: GET,
          reply: `${OK}\r\nbody`,
          same: { framing: "chunked", body: "body", complete: true, ending: "open" },
        },
        {
          name: "no length, no body",
          send: GET,
          reply: `${OK}\r\n`,
          same: { framing: "chunked", body: "", complete: true, ending: "open" },
        },
        {
          name: "no length: until the close to HTTP/1.0",
          send: GET_10,
          reply: `${OK}\r\nbody`,
          same: { framing: "close", body: "body", ending: "closed", fields: { connection: "close" } },
        },
        {
          name: "no length: until the close to HTTP/1.0, keep-alive or not",
          send: KEEP_10,
          reply: `${OK}\r\nbody`,
          same: { framing: "close", body: "body", ending: "closed" },
        },
        {
          name: "a length to HTTP/1.0",
          send: GET_10,
          reply: `${OK}${END}`,
          same: { framing: "length", ending: "closed" },
        },
        {
          name: "a length to HTTP/1.0 with keep-alive",
          send: KEEP_10,
          reply: `${OK}${END}`,
          same: { ending: "open" },
        },
        {
          name: "length 0",
          send: GET,
          reply: `${OK}Content-Length: 0\r\n\r\n`,
          same: { fields: { "content-length": "0" }, body: "", ending: "open" },
        },
        {
          name: "a short body: the connection is cut",
          send: GET,
          reply: `${OK}Content-Length: 10\r\n\r\nhalf`,
          same: { status: 200, body: "half", complete: false, ending: "closed" },
        },
        {
          name: "no body where one was promised",
          send: GET,
          reply: `${OK}Content-Length: 10\r\n\r\n`,
          same: { complete: false, ending: "closed" },
        },
        {
          name: "excess is dropped",
          send: GET,
          reply: `${OK}${END}EXCESS`,
          same: { body: "ok", complete: true, ending: "open" },
        },
        {
          name: "excess does not reach the next response",
          send: `${GET}${GET}`,
          until: { responses: 2 },
          reply: `${OK}${END}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`,
          same: { statuses: [200, 200], body: "ok" },
        },
        {
          name: "HEAD keeps the length",
          send: HEAD,
          reply: `${OK}Content-Length: 10\r\n\r\n`,
          same: { fields: { "content-length": "10" }, body: "", ending: "open" },
        },
        {
          name: "HEAD without a length",
          send: HEAD,
          reply: `${OK}\r\n`,
          same: { fields: { "content-length": undefined, "transfer-encoding": undefined } },
        },
        {
          name: "HEAD with a body nevertheless",
          send: `${HEAD}${GET}`,
          until: { responses: 2 },
          methods: ["HEAD", "GET"],
          reply: `${OK}${END}`,
          same: { statuses: [200, 200] },
        },
        {
          name: "HEAD of a chunked answer",
          send: HEAD,
          reply: `${OK}Transfer-Encoding: chunked\r\n\r\n`,
          same: { status: 200 },
        },
        {
          name: "204",
          send: GET,
          reply: "HTTP/1.1 204 No Content\r\n\r\n",
          same: { status: 204, ending: "open" },
        },
        {
          name: "204 keeps its Content-Length",
          send: GET,
          reply: "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
          same: { fields: { "content-length": "0" }, ending: "open" },
        },
        {
          name: "204 with a body: dropped",
          send: `${GET}${GET}`,
          until: { responses: 2 },
          reply: "HTTP/1.1 204 No Content\r\n\r\nbody",
          same: { statuses: [204, 204], body: "" },
        },
        {
          name: "304 keeps what it says of the body",
          send: GET,
          reply: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nContent-Type: a/b\r\nETag: "e"\r\n\r\n',
          same: { fields: { "content-length": "10", "content-type": "a/b", etag: '"e"' }, ending: "open" },
        },
        {
          name: "304 with a body: dropped",
          send: `${GET}${GET}`,
          until: { responses: 2 },
          reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nbody",
          same: { statuses: [304, 304], body: "" },
        },
        {
          name: "a chunked answer is decoded",
          send: GET,
          reply: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n`,
          differs: "chunked-response",
          nginx: { body: "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n" },
          gateway: { body: "body", framing: "chunked", complete: true, ending: "open" },
        },
        {
          name: "a chunked answer to HTTP/1.0",
          send: GET_10,
          reply: `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`,
          differs: "chunked-response",
          nginx: { body: "4\r\nbody\r\n0\r\n\r\n" },
          gateway: { body: "body", framing: "close", ending: "closed" },
        },
        {
          name: "a chunked answer with extensions and trailers, which end here",
          send: GET,
          reply: `${OK}Transfer-Encoding: Chunked\r\n\r\n4;a="b"\r\nbody\r\n0\r\nX-T: 1\r\n\r\n`,
          differs: "chunked-response",
          nginx: { body: /X-T/ },
          gateway: { body: "body", fields: { "x-t": undefined } },
        },
        {
          name: "a chunked answer that stops short is cut, with no last chunk",
          send: GET,
          reply: `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nbo`,
          differs: "chunked-response",
          nginx: { complete: true },
          gateway: { body: "bo", complete: false, ending: "closed" },
        },
        ...["gzip, chunked", "identity", "gzip"].map((coding) => ({
          name: `Transfer-Encoding: ${coding}`,
          send: GET,
          reply: `${OK}Transfer-Encoding: ${coding}\r\n\r\nok`,
          differs: "chunked-response" as const,
          nginx: { status: 200 },
          gateway: { status: 502, ending: "open" as const },
        })),
        ...["abc", "-1", "+2", "2, 2", "2 2", "0x2", "", "99999999999999999999"].map((length) => ({
          name: `Content-Length: ${length}`,
          send: GET,
          reply: `${OK}Content-Length: ${length}\r\n\r\nok`,
          differs: "response-length" as const,
          nginx: { status: 200, framing: "chunked" as const },
          gateway: { status: 502, ending: "open" as const },
        })),
        {
          name: "two lengths that agree",
          send: GET,
          reply: `${OK}Content-Length: 2\r\n${END}`,
          differs: "response-length",
          nginx: { status: 200 },
          gateway: { status: 502 },
        },
        {
          name: "two lengths that differ",
          send: GET,
          reply: `${OK}Content-Length: 1\r\n${END}`,
          differs: "response-length",
          nginx: { status: 200, body: "ok" },
          gateway: { status: 502 },
        },
        {
          name: "a length and a Transfer-Encoding",
          send: GET,
          reply: `${OK}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`,
          differs: "response-length",
          nginx: { status: 200, body: "4\r\nb" },
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

  test("a chunked answer that comes byte by byte is the same body", async () => {
    const answer = `${OK}Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n1\r\n!\r\n0\r\nT: 1\r\n\r\n`;
    await serving("chunk-bytes.test", [...answer]);
    expect((await ask("chunk-bytes.test")).response.text).toBe("hello!");
  });

  test("chunks that break after the first reached the client: cut, no last chunk", async () => {
    const head = `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`;
    await serving("broken-chunks.test", [head, "zz\r\n"]);
    const { text, ending, response } = await ask("broken-chunks.test");
    expect([response.text, response.complete, ending === "open"]).toEqual(["hello", false, false]);
    expect(text).not.toContain("0\r\n\r\n");
  });

  test("a connection that is reset within a body without a length is cut too", async () => {
    const upstream = await startScriptedUpstream({
      socket: "tcp",
      script: async (connection) => {
        await connection.readPacket();
        await connection.send(`${OK}\r\nhello`);
        await new Promise((resolve) => setTimeout(resolve, 40));
        connection.reset();
      },
    });
    await addRoute(gateway, "reset.test", [forwardTo(upstream.address)]);
    const { response, ending } = await ask("reset.test");
    expect([response.text, response.complete, ending === "open"]).toEqual(["hello", false, false]);
  });

  test("a response while the request body is still coming ends the exchange in order", async () => {
    const upstream = await startScriptedUpstream({
      script: async (connection) => {
        await connection.readPacket();
        await connection.send(`HTTP/1.1 403 Forbidden\r\n${END}`);
        connection.end();
      },
    });
    await addRoute(gateway, "early.test", [forwardTo(upstream.address, { request: { buffering: false } })]);
    const client = await openRaw(gateway.port);
    await client.send("POST / HTTP/1.1\r\nHost: early.test\r\nContent-Length: 6\r\n\r\nabc");
    await client.perform({ await: "\r\n\r\nok" });
    await client.send("defPOST / HTTP/1.1\r\nHost: early.test\r\nContent-Length: 0\r\n\r\n");
    await client.waitFor(() => latin1(client.received()).split("403 Forbidden").length === 3);
    expect(latin1(client.received()).match(/403 Forbidden/g)?.length).toBe(2);
    client.destroy();
  });
});
