/**
 * Proves where a request begins and ends (section 4 of the wire rules): lengths, chunks, what is refused so that no two
 * parsers can disagree. A connection whose framing is in doubt is closed.
 */
import { afterAll, beforeAll, describe } from "bun:test";
import { stopAll } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { type Case, get, HOST, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const REFUSED = { status: 400, app: 0, ending: "closed" } as const;

/** A POST with these field lines and, after the head, these bytes. */
const post = (fields: readonly string[], body: string, path = "/echo") =>
  [
    "POST ",
    path,
    ` HTTP/1.1\r\nHost: ${HOST}\r\n`,
    ...fields.map((line) => `${line}\r\n`),
    "\r\n",
    body,
  ].join("");
const chunked = (body: string, ...fields: readonly string[]) =>
  post(["Transfer-Encoding: chunked", ...fields], body);
const refused = (name: string, send: string): Case => ({ name, send, same: REFUSED });

describeWith(["uwsgi", "nginx"], "framing", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair();
  });

  describe("lengths", () => {
    runCases(
      () => pair,
      [
        {
          name: "zeros in front",
          send: post(["Content-Length: 0003"], "abc"),
          differs: "length-canonical",
          nginx: { status: 200, body: "abc", app: { CONTENT_LENGTH: "0003" } },
          gateway: { status: 200, body: "abc", app: { CONTENT_LENGTH: "3" } },
        },
        {
          name: "blanks around",
          send: post(["Content-Length:   3  "], "abc"),
          same: { status: 200, body: "abc", app: { CONTENT_LENGTH: "3" } },
        },
        {
          name: "Transfer-Encoding in odd case",
          send: post(["transfer-encoding: CHUNKED"], "2\r\nhi\r\n0\r\n\r\n"),
          differs: "no-transfer-encoding-var",
          nginx: { status: 200, body: "hi", app: { HTTP_TRANSFER_ENCODING: "CHUNKED" } },
          gateway: { status: 200, body: "hi", app: { HTTP_TRANSFER_ENCODING: undefined } },
        },
      ],
    );
  });

  describe("refused", () => {
    const head = (...lines: readonly string[]) => get("/", ...lines);
    runCases(
      () => pair,
      [
        refused("a space before the colon", head("X-A : 1")),
        refused("a tab before the colon", head("X-A\t: 1")),
        refused("a folded field", head("X-A: 1\r\n 2")),
        refused("a fold at the first field", `GET / HTTP/1.1\r\n Host: ${HOST}\r\n\r\n`),
        refused("a NUL in a value", head("X-A: a\x00b")),
        refused("a NUL in a name", head("X\x00A: b")),
        refused("a bare CR in a value", head("X-A: a\rb")),
        refused("a bare CR for a line end", head("X-A: a\rX-B: b")),
        {
          name: "a line without a colon",
          send: head("X-A"),
          differs: "field-lines-strict",
          nginx: { status: 200, app: { HTTP_X_A: "" } },
          gateway: REFUSED,
        },
        refused("an empty name", head(": a")),
        refused("Content-Length twice", post(["Content-Length: 3", "Content-Length: 3"], "abc")),
        refused("two different Content-Lengths", post(["Content-Length: 3", "Content-Length: 4"], "abc")),
        refused("Content-Length as a list", post(["Content-Length: 3, 3"], "abc")),
        refused("Content-Length: +3", post(["Content-Length: +3"], "abc")),
        refused("Content-Length: -3", post(["Content-Length: -3"], "abc")),
        refused("Content-Length: 0x3", post(["Content-Length: 0x3"], "abc")),
        refused("Content-Length: 3 4", post(["Content-Length: 3 4"], "abc")),
        refused("an empty Content-Length", post(["Content-Length:"], "abc")),
        refused("a Content-Length beyond 64 bits", post(["Content-Length: 99999999999999999999"], "abc")),
        refused(
          "Content-Length with Transfer-Encoding",
          chunked("3\r\nabc\r\n0\r\n\r\n", "Content-Length: 3"),
        ),
        refused(
          "Transfer-Encoding with Content-Length",
          post(["Content-Length: 3", "Transfer-Encoding: chunked"], "3\r\nabc\r\n0\r\n\r\n"),
        ),
        refused("Transfer-Encoding twice", chunked("3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked")),
        refused(
          "Transfer-Encoding on 1.0",
          `POST / HTTP/1.0\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
        ),
        {
          name: "a chunk size that ends with a bare LF",
          send: chunked("3\nabc\r\n0\r\n\r\n"),
          differs: "chunks-strict",
          nginx: { status: 200, body: "abc" },
          gateway: REFUSED,
        },
        {
          name: "a chunk's data that ends with a bare LF",
          send: chunked("3\r\nabc\n0\r\n\r\n"),
          differs: "chunks-strict",
          nginx: { status: 200, body: "abc" },
          gateway: REFUSED,
        },
        refused("a chunk size that is no number", chunked("x\r\nabc\r\n0\r\n\r\n")),
        refused("a chunk size with a sign", chunked("+3\r\nabc\r\n0\r\n\r\n")),
        refused("a chunk size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n")),
        refused("a chunk size beyond 64 bits", chunked("fffffffffffffffff\r\nabc\r\n0\r\n\r\n")),
        refused("an empty chunk size", chunked("\r\nabc\r\n0\r\n\r\n")),
        refused("a chunk longer than its size", chunked("2\r\nabc\r\n0\r\n\r\n")),
        refused("a space before a chunk size", chunked(" 3\r\nabc\r\n0\r\n\r\n")),
        refused("Authorization twice", head("Authorization: a", "Authorization: b")),
        refused("Expect twice", head("Expect: 100-continue", "Expect: 100-continue")),
        ...["Match", "None-Match", "Modified-Since", "Unmodified-Since", "Range"].map((name) =>
          refused(`If-${name} twice`, head(`If-${name}: "a"`, `if-${name}: "a"`)),
        ),
        refused("Content-Range twice", head("Content-Range: bytes 0-1/2", "Content-Range: bytes 0-1/2")),
        {
          name: "gzip, chunked",
          send: post(["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"),
          same: { status: 501, app: 0, ending: "closed" },
        },
        {
          name: "Transfer-Encoding: identity",
          send: post(["Transfer-Encoding: identity"], ""),
          same: { status: 501, app: 0, ending: "closed" },
        },
        {
          name: "Transfer-Encoding: xchunked",
          send: post(["Transfer-Encoding: xchunked"], "0\r\n\r\n"),
          same: { status: 501, app: 0, ending: "closed" },
        },
        {
          name: "Transfer-Encoding with a vertical tab",
          send: post(["Transfer-Encoding: \x0bchunked"], "0\r\n\r\n"),
          differs: "field-lines-strict",
          nginx: { status: 501, app: 0, ending: "closed" },
          gateway: REFUSED,
        },
      ],
    );
  });

  describe("the request line", () => {
    const line = (text: string) => `${text}\r\nHost: ${HOST}\r\n\r\n`;
    runCases(
      () => pair,
      [
        refused("a method in lower case", line("get / HTTP/1.1")),
        refused("a method in mixed case", line("Get / HTTP/1.1")),
        {
          name: "no version (HTTP/0.9)",
          send: "GET /\r\n",
          differs: "no-http-0.9",
          nginx: { status: undefined, app: { SERVER_PROTOCOL: "" }, ending: "closed" },
          gateway: REFUSED,
        },
        {
          name: "two spaces",
          send: line("GET  / HTTP/1.1"),
          differs: "request-line-strict",
          nginx: { status: 200 },
          gateway: REFUSED,
        },
        {
          name: "a space at the end",
          send: line("GET / HTTP/1.1 "),
          differs: "request-line-strict",
          nginx: { status: 200 },
          gateway: REFUSED,
        },
        refused("a tab for a space", line("GET\t/\tHTTP/1.1")),
        refused("a version that is none", line("GET / HTTX/1.1")),
        refused("a version with letters", line("GET / HTTP/1.x")),
        refused("a bare CR after the version", "GET / HTTP/1.1\rHost: site.test\r\n\r\n"),
        refused("OPTIONS *", line("OPTIONS * HTTP/1.1")),
        refused("garbage", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n"),
        { name: "TRACE", send: line("TRACE / HTTP/1.1"), same: { status: 405, app: 0, ending: "closed" } },
        {
          name: "CONNECT",
          send: line("CONNECT site.test:443 HTTP/1.1"),
          differs: "connect-405",
          nginx: { status: 400, app: 0, ending: "closed" },
          gateway: { status: 405, app: 0, ending: "closed" },
        },
        {
          name: "CONNECT with a path",
          send: line("CONNECT / HTTP/1.1"),
          same: { status: 405, app: 0, ending: "closed" },
        },
        {
          name: "HTTP/1.2 is served as 1.1",
          send: line("GET / HTTP/1.2"),
          differs: "version-served",
          nginx: { status: 200, app: { SERVER_PROTOCOL: "HTTP/1.2" } },
          gateway: { status: 200, app: { SERVER_PROTOCOL: "HTTP/1.1" } },
        },
        {
          name: "HTTP/2.0 in text",
          send: line("GET / HTTP/2.0"),
          same: { status: 505, app: 0, ending: "closed" },
        },
        {
          name: "HTTP/0.9 spelled out",
          send: line("GET / HTTP/0.9"),
          same: { status: 400, app: 0, ending: "closed" },
        },
        { name: "an empty line before it", send: `\r\n${get("/")}`, same: { status: 200 } },
        {
          name: "bare LFs for line ends",
          send: get("/", "X-A: 1").replaceAll("\r\n", "\n"),
          same: { status: 200, app: { HTTP_X_A: "1" } },
        },
        {
          name: "many empty lines before it",
          send: `${"\r\n".repeat(20)}${get("/")}`,
          differs: "one-empty-line",
          nginx: { status: 200 },
          gateway: REFUSED,
        },
      ],
    );
  });

  describe("a request within a request", () => {
    const SMUGGLED = get("/smuggled");
    runCases(
      () => pair,
      [
        {
          name: "in a body is a body",
          send: request("POST", "/echo", [], SMUGGLED),
          same: { statuses: [200], body: SMUGGLED, app: 1 },
        },
        {
          name: "behind a body is a request",
          send: post(["Content-Length: 3"], `abc${SMUGGLED}`),
          until: { responses: 2 },
          same: { statuses: [200, 200], app: 2 },
        },
        {
          name: "in the body of a GET is a body",
          send: request("GET", "/echo", [], SMUGGLED),
          same: { statuses: [200], body: SMUGGLED, app: 1 },
        },
        {
          name: "behind length and coding: never read",
          send: post(["Content-Length: 3", "Transfer-Encoding: chunked"], `0\r\n\r\n${SMUGGLED}`),
          until: "close",
          same: { statuses: [400], app: 0, ending: "closed" },
        },
        {
          name: "behind two lengths: never read",
          send: post(["Content-Length: 0", "Content-Length: 44"], SMUGGLED),
          until: "close",
          same: { statuses: [400], app: 0, ending: "closed" },
        },
        {
          name: "behind a coding that is not known: never read",
          send: post(["Transfer-Encoding: chunked, identity"], `0\r\n\r\n${SMUGGLED}`),
          until: "close",
          same: { statuses: [501], app: 0, ending: "closed" },
        },
        {
          name: "behind a coding on 1.0: never read",
          send: `POST / HTTP/1.0\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
          until: "close",
          same: { statuses: [400], app: 0, ending: "closed" },
        },
        {
          name: "behind a chunk with a bare LF: never read",
          send: chunked(`3\nabc\n0\r\n\r\n${SMUGGLED}`),
          until: { idleMs: 150 },
          differs: "chunks-strict",
          nginx: { statuses: [200, 200], app: 2, ending: "open" },
          gateway: { statuses: [400], app: 0, ending: "closed" },
        },
        {
          name: "behind a chunk's extension with a bare LF: never read",
          send: chunked(`3;a\nabc\r\n0\r\n\r\n${SMUGGLED}`),
          until: { idleMs: 150 },
          differs: "chunks-strict",
          nginx: { statuses: [200, 200], app: 2, ending: "open" },
          gateway: { statuses: [400], app: 0, ending: "closed" },
        },
      ],
    );
  });
});
