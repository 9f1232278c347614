/**
 * Proves what a request head may look like on the wire (RFC 9112 sections 2 and 3), and that the offsets are right however the head is
 * split and wherever it lies in the buffer.
 */

import { describe, expect, test } from "bun:test";
import {
  everyByte,
  expectIncompleteAtEveryOffset,
  expectTrailingBytesLeft,
  latin1,
  run,
  runEveryWay,
} from "../../test/incremental-reader.ts";
import { describeHead, requestHead } from "../../test/request-head-view.ts";
import { REQUEST_LIMITS, RequestHeadReader } from "./request-head.ts";

const head = (...lines: string[]) => latin1(`${lines.join("\r\n")}\r\n\r\n`);
const withField = (...lines: string[]) => head("POST / HTTP/1.1", "Host: h", ...lines);
const seen = (wire: Uint8Array) =>
  expectTrailingBytesLeft(requestHead, wire).seen as ReturnType<typeof describeHead>;
const failureOf = (wire: Uint8Array) => runEveryWay(requestHead, wire).failure;

describe("a whole head", () => {
  test("method, target, version and fields in order, at every split, with bytes behind it", () => {
    const wire = head("GET /a?b=c HTTP/1.1", "Host: example.com:8080", "X-One:1", "x-two: \t two words\t ");
    expect(seen(wire)).toMatchObject({
      method: "GET",
      target: "/a?b=c",
      version: 11,
      fields: ["Host: example.com:8080", "X-One: 1", "x-two: two words"],
      host: "example.com:8080",
      contentLength: -1,
      transferEncoding: null,
    });
  });

  test("the end of the connection at any offset is seen as incomplete", () => {
    expectIncompleteAtEveryOffset(requestHead, head("GET / HTTP/1.1", "Host: h", "Content-Length: 3"));
    expectIncompleteAtEveryOffset(requestHead, latin1("\r\nGET / HTTP/1.0\r\n\r\n"));
  });

  test("without fields", () => {
    expect(seen(head("GET / HTTP/1.0"))).toMatchObject({ version: 10, fields: [] });
  });

  test("lines may end with a bare LF", () => {
    expect(seen(latin1("GET / HTTP/1.1\nHost: h\r\nA: b\n\n"))).toMatchObject({
      fields: ["Host: h", "A: b"],
    });
  });

  test("one empty line before the request line is allowed", () => {
    expect(seen(latin1("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"))).toMatchObject({
      method: "GET",
      target: "/",
    });
    expect(seen(latin1("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"))).toMatchObject({ method: "GET", target: "/" });
  });

  test("values are bytes: raw UTF-8 and Latin-1 are kept", () => {
    expect(seen(withField("X: caf\xc3\xa9 \xe9"))).toMatchObject({
      fields: ["Host: h", "X: caf\xc3\xa9 \xe9"],
    });
  });

  test("an empty value, alone and of blanks", () => {
    expect(seen(withField("A:", "B: \t "))).toMatchObject({ fields: ["Host: h", "A: ", "B: "] });
  });

  test("a name that cannot become a var is read and marked", () => {
    for (const name of ["X_A", "X.A", "X\xe9", "X(", 'X"', "X/Y"]) {
      expect(seen(withField(`${name}: 1`, "X-A: 2")).unusable).toEqual([name]);
    }
  });

  test("offsets are those of the buffer, wherever the head begins in it", () => {
    const reader = new RequestHeadReader(REQUEST_LIMITS);
    const wire = Buffer.from("....GET /x HTTP/1.1\r\nHost: h\r\n\r\nrest");
    expect(reader.read(wire, 4, wire.length)).toBe(wire.length - 4);
    expect(reader.bytes).toBe(wire);
    expect(describeHead(reader)).toMatchObject({ target: "/x", fields: ["Host: h"] });
  });

  test("only the bytes within the bounds are read", () => {
    const reader = new RequestHeadReader(REQUEST_LIMITS);
    const wire = Buffer.from("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(reader.read(wire, 0, wire.length - 1)).toBe(-1);
    expect(reader.begun).toBe(true);
    expect(reader.read(wire, wire.length - 1, wire.length)).toBe(wire.length);
  });

  test("one reader, many heads: nothing of one shows in the next", () => {
    const reader = new RequestHeadReader(REQUEST_LIMITS);
    const read = (wire: Uint8Array, pieces: Uint8Array[]) => {
      reader.reset();
      let end = -1;
      for (const piece of pieces) end = reader.read(Buffer.from(piece), 0, piece.length);
      expect(end).toBe(pieces.at(-1)!.length);
      expect(Bun.deepEquals(describeHead(reader), run(requestHead, [wire]).seen)).toBe(true);
    };
    const long = head(
      "PUT /long HTTP/1.1",
      "Host: h",
      ...Array.from({ length: 150 }, (_, i) => `X-${i % 100}: ${i}`),
    );
    const full = withField(
      "Content-Length: 3",
      "Expect: 100-continue",
      "Upgrade: a",
      "Connection: b",
      "If-Match: *",
    );
    const chunked = withField("Transfer-Encoding: chunked", "Content-Type: text/plain");
    const small = head("GET / HTTP/1.0");
    for (const wire of [full, small, long, small, chunked, small, full, long, chunked]) {
      read(wire, [wire]);
      read(wire, everyByte(wire));
    }
  });

  test("after a reset in the middle of a head, the next is read from its start", () => {
    const reader = new RequestHeadReader(REQUEST_LIMITS);
    reader.read(Buffer.from("\r\nPOST /a HTTP/1.1\r\nContent-Length: 3\r\nTransf"), 0, 43);
    reader.reset();
    expect(reader.begun).toBe(false);
    const wire = head("GET / HTTP/1.0");
    expect(reader.read(Buffer.from(wire), 0, wire.length)).toBe(wire.length);
    expect(describeHead(reader)).toEqual(run(requestHead, [wire]).seen as never);
  });
});

describe("the request line", () => {
  test("an unknown upper-case method passes", () => {
    for (const method of ["PROPFIND", "M-SEARCH", "X_Y", "QUERY", "TRACE"]) {
      expect(seen(head(`${method} / HTTP/1.1`))).toMatchObject({ method });
    }
  });

  test("HTTP/1.2 and later minor versions count as 1.1", () => {
    expect(seen(head("GET / HTTP/1.2")).version).toBe(11);
    expect(seen(head("GET / HTTP/1.9")).version).toBe(11);
  });

  test("targets keep their raw bytes", () => {
    for (const target of [
      "*",
      "http://h/p?q",
      "/%zz",
      "/a?b#".slice(0, 4),
      "/\xc3\xa9",
      "/?",
      '/[]{}|\\^`"<>',
    ]) {
      expect(seen(head(`GET ${target} HTTP/1.1`)).target).toBe(target);
    }
  });

  const bad: [name: string, line: string, kind: string][] = [
    ["a lower-case method", "get / HTTP/1.1", "bad_method"],
    ["a method with a lower-case letter", "GEt / HTTP/1.1", "bad_method"],
    ["a method with a digit", "GET1 / HTTP/1.1", "bad_method"],
    ["no method", " / HTTP/1.1", "bad_method"],
    ["a method of 33 letters", `${"A".repeat(33)} / HTTP/1.1`, "bad_method"],
    ["a TLS hello", "\x16\x03\x01\x02\0\x01\0", "bad_method"],
    ["a tab after the method", "GET\t/ HTTP/1.1", "bad_method"],
    ["two spaces after the method", "GET  / HTTP/1.1", "bad_request_line"],
    ["two spaces after the target", "GET /  HTTP/1.1", "bad_request_line"],
    ["a tab after the target", "GET /\tHTTP/1.1", "bad_request_line"],
    ["a raw space in the target", "GET /a b HTTP/1.1", "bad_request_line"],
    ["NUL in the target", "GET /a\0b HTTP/1.1", "bad_request_line"],
    ["a bare CR in the target", "GET /a\rb HTTP/1.1", "bad_request_line"],
    ["DEL in the target", "GET /a\x7f HTTP/1.1", "bad_request_line"],
    ["a control character in the target", "GET /\x01 HTTP/1.1", "bad_request_line"],
    ["a fragment", "GET /a#b HTTP/1.1", "bad_request_line"],
    ["a space after the version", "GET / HTTP/1.1 ", "bad_request_line"],
    ["two CRs at the end", "GET / HTTP/1.1\r", "bad_request_line"],
    ["no version (HTTP/0.9)", "GET /", "bad_request_line"],
    ["no target", "GET HTTP/1.1", "bad_request_line"],
    ["only a method", "GET", "bad_method"],
    ["another protocol", "GET / ICAP/1.0", "bad_request_line"],
    ["a lower-case protocol", "GET / http/1.1", "bad_request_line"],
    ["a version without a minor", "GET / HTTP/1", "bad_request_line"],
    ["a version with an empty minor", "GET / HTTP/1.", "bad_request_line"],
    ["a version of letters", "GET / HTTP/x.y", "bad_request_line"],
    ["a version with a comma", "GET / HTTP/1,1", "bad_request_line"],
    ["a minor version with a sign", "GET / HTTP/1.+1", "bad_request_line"],
    ["a long version", `GET / HTTP/1.${"1".repeat(20)}`, "bad_request_line"],
    ["HTTP/0.9 in text", "GET / HTTP/0.9", "bad_request_line"],
    ["HTTP/2.0 in text", "GET / HTTP/2.0", "unsupported_version"],
    ["HTTP/9.9 in text", "GET / HTTP/9.9", "unsupported_version"],
    ["the HTTP/2 preface", "PRI * HTTP/2.0", "unsupported_version"],
  ];
  for (const [name, line, kind] of bad) {
    test(`refused: ${name}`, () => expect(failureOf(head(line, "Host: h"))).toBe(kind));
  }

  test("refused: two empty lines before it", () => {
    expect(failureOf(latin1("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"))).toBe("bad_request_line");
    expect(failureOf(latin1("\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"))).toBe("bad_request_line");
  });

  test("refused: a bare CR before it", () => {
    expect(failureOf(latin1("\rGET / HTTP/1.1\r\n\r\n"))).toBe("bad_method");
  });
});
