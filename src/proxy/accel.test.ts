/** Proves how an app's X-Accel-* fields are read, and that what cannot be read does nothing or fails as a bad answer. */
import { describe, expect, test } from "bun:test";
import { ProtocolError } from "../http1/protocol-error.ts";
import { RESPONSE_LIMITS, ResponseHeadReader } from "../http1/response-head.ts";
import { keptLines, overlaid, readBuffering, readCharset, readLimitRate, readRedirect } from "./accel.ts";

function headOf(...fields: readonly string[]): ResponseHeadReader {
  const head = new ResponseHeadReader(RESPONSE_LIMITS);
  const wire = Buffer.from(
    `HTTP/1.1 200 OK\r\n${fields.map((field) => `${field}\r\n`).join("")}\r\n`,
    "latin1",
  );
  expect(head.read(wire, 0, wire.length)).toBe(wire.length);
  return head;
}

describe("X-Accel-Redirect", () => {
  test("leads to a path that is read as a request's would be", () => {
    const head = headOf("X-Accel-Redirect: /files//./b%20c?x=%31&y=/../z");
    expect(readRedirect(head, "POST")).toMatchObject({
      method: "GET",
      path: "/files/b c",
      query: "x=%31&y=/../z",
    });
  });

  test("keeps HEAD, and makes all else GET", () => {
    const head = headOf("X-Accel-Redirect: /a");
    expect(["HEAD", "GET", "PUT", "DELETE"].map((method) => readRedirect(head, method)?.method)).toEqual([
      "HEAD",
      "GET",
      "GET",
      "GET",
    ]);
  });

  test("takes five fields along, every copy of them", () => {
    const head = headOf(
      "Content-Type: text/x",
      "set-cookie: a=1",
      "Set-Cookie: b=2",
      "Content-Disposition: attachment",
      "Cache-Control: no-store",
      "Expires: 0",
      "ETag: x",
      "Content-Length: 0",
      "X-Accel-Redirect: /a",
    );
    expect(readRedirect(head, "GET")?.kept.map(({ line }) => line)).toEqual([
      "Content-Type: text/x\r\n",
      "set-cookie: a=1\r\n",
      "Set-Cookie: b=2\r\n",
      "Content-Disposition: attachment\r\n",
      "Cache-Control: no-store\r\n",
      "Expires: 0\r\n",
    ]);
  });

  test("is none where the field is not there", () => {
    expect(readRedirect(headOf("Content-Type: x"), "GET")).toBeUndefined();
  });

  test.each([
    "relative",
    "",
    "http://elsewhere/",
    "@named",
    "/../up",
    "/a/..",
    "/a/../b",
    "/a%2f%2e./b",
    "/a/%2E%2e?x",
    "/a%00b",
    "/a%zz",
  ])("to %p is refused", (value) => {
    expect(() => readRedirect(headOf(`X-Accel-Redirect: ${value}`), "GET")).toThrow(ProtocolError);
  });
});

describe("the fields that are taken along", () => {
  const redirect = readRedirect(
    headOf("Content-Type: text/x", "Set-Cookie: a=1", "X-Accel-Redirect: /a"),
    "GET",
  )!;

  test("stand in place of a file's own", () => {
    const own = Buffer.from("content-type: text/css\r\nETag: x\r\nContent-Length: 3\r\n");
    expect(Buffer.from(overlaid(own, redirect)).toString()).toBe(
      "ETag: x\r\nContent-Length: 3\r\nContent-Type: text/x\r\nSet-Cookie: a=1\r\n",
    );
  });

  test("stand back behind an app's own, but for cookies", () => {
    expect(keptLines(redirect, headOf("Content-Type: text/css", "Set-Cookie: b=2"))).toBe(
      "Set-Cookie: a=1\r\n",
    );
    expect(keptLines(redirect, headOf("ETag: x"))).toBe("Content-Type: text/x\r\nSet-Cookie: a=1\r\n");
    expect(keptLines(undefined, headOf("ETag: x"))).toBe("");
  });
});

test.each([
  ["yes", true],
  ["No", false],
  ["maybe", undefined],
])("X-Accel-Buffering: %s is %p", (value, buffering) => {
  expect(readBuffering(headOf(`X-Accel-Buffering: ${value}`))).toBe(buffering as boolean);
});

test.each([
  ["1000", 1000],
  ["0", 0],
  ["off", 0],
  ["-1", 0],
  ["1k", 0],
  ["9999999999999", 0],
])("X-Accel-Limit-Rate: %s is %d bytes per second", (value, rate) => {
  expect(readLimitRate(headOf(`X-Accel-Limit-Rate: ${value}`))).toBe(rate);
});

describe("X-Accel-Charset", () => {
  test("is put behind the type", () => {
    expect(readCharset(headOf("Content-Type: text/html", "X-Accel-Charset: utf-8"))).toBe(
      "Content-Type: text/html; charset=utf-8\r\n",
    );
  });

  test.each([
    [["X-Accel-Charset: utf-8"]],
    [["Content-Type: text/html"]],
    [["Content-Type: text/html; Charset=latin1", "X-Accel-Charset: utf-8"]],
    [["Content-Type: text/html", "X-Accel-Charset: off"]],
    [["Content-Type: text/html", 'X-Accel-Charset: a"b; c']],
  ])("does nothing for %j", (fields) => {
    expect(readCharset(headOf(...fields))).toBeUndefined();
  });
});
