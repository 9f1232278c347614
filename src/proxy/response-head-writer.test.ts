/** Proves which lines of an upstream's head a client gets, and in which form. */
import { describe, expect, test } from "bun:test";
import { FIELD } from "../http1/fields.ts";
import { RESPONSE_LIMITS, ResponseHeadReader } from "../http1/response-head.ts";
import {
  headOut,
  NEVER_PASSED,
  scratch,
  statusLine,
  writeUpstreamFields,
  writeUpstreamStatus,
} from "./response-head-writer.ts";

function headOf(lines: readonly string[], ending = "\r\n"): ResponseHeadReader {
  const head = new ResponseHeadReader(RESPONSE_LIMITS);
  const wire = Buffer.from(lines.map((line) => line + ending).join("") + ending, "latin1");
  expect(head.read(wire, 0, wire.length)).toBe(wire.length);
  return head;
}

function written(write: () => void): string {
  headOut.at = 0;
  write();
  return scratch.toString("latin1", 0, headOut.at);
}

function fieldsOf(fields: readonly string[], dropped: ReadonlySet<number> = NEVER_PASSED): string[] {
  const head = headOf(["HTTP/1.1 200 OK", ...fields]);
  return written(() => writeUpstreamFields(head, dropped))
    .split("\r\n")
    .slice(0, -1);
}

describe("the status line", () => {
  test.each([
    ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n"],
    ["HTTP/2.0 201 Fine By Me", "HTTP/1.1 201 Fine By Me\r\n"],
    ["HTTP/1.0 404", "HTTP/1.1 404 Not Found\r\n"],
    ["HTTP/1.1 599", "HTTP/1.1 599 \r\n"],
    ["HTTP/1.1 200 caf\xc3\xa9", "HTTP/1.1 200 caf\xc3\xa9\r\n"],
    ["Status: 503 Busy", "HTTP/1.1 503 Busy\r\n"],
    ["Location: /a", "HTTP/1.1 302 Found\r\n"],
    ["Content-Type: a", "HTTP/1.1 200 OK\r\n"],
  ])("%p becomes %p", (line, wanted) => {
    const head = headOf([line]);
    expect(written(() => writeUpstreamStatus(head))).toBe(wanted);
  });

  test("of our own has the usual reason", () => {
    expect(statusLine(204).toString()).toBe("HTTP/1.1 204 No Content\r\n");
    expect(statusLine(599).toString()).toBe("HTTP/1.1 599 \r\n");
  });
});

describe("fields", () => {
  test("pass as they came, every copy, in order", () => {
    const fields = ["Set-Cookie: a", "X-Odd: \xc3\xa9", "set-cookie: b", "Vary: A", "Vary: B", "ETag:  \t"];
    expect(fieldsOf(fields)).toEqual([...fields.slice(0, -1), "ETag: "]);
  });

  test("lose the blanks around their values, and nothing else", () => {
    expect(fieldsOf(["A:b", "C:  d  ", "E: f g\t"])).toEqual(["A: b", "C: d", "E: f g"]);
  });

  test("of the upstream's own connection stay behind", () => {
    const own = ["Connection: close", "Keep-Alive: timeout=5", "Proxy-Connection: x", "Trailer: X", "TE: y"];
    expect(fieldsOf([...own, "Upgrade: z", "A: 1"])).toEqual(["A: 1"]);
  });

  test("that Connection names stay behind, on whichever of its lines", () => {
    expect(fieldsOf(["X-Hop: 1", "Connection: close, X-HOP", "A: 1"])).toEqual(["A: 1"]);
    expect(fieldsOf(["Connection: close", "X-Hop: 1", "Connection: x-hop", "A: 1"])).toEqual(["A: 1"]);
  });

  test("of the body's type cannot be named away", () => {
    expect(fieldsOf(["Connection: content-type", "Content-Type: a"])).toEqual(["Content-Type: a"]);
  });

  test("for the gateway stay behind, other X-Accel ones pass", () => {
    const ours = ["Redirect: /a", "Buffering: no", "Expires: 5", "Charset: x", "Limit-Rate: 1"];
    const fields = ours.map((field) => `X-Accel-${field}`);
    expect(fieldsOf([...fields, "X-Accel-Other: 1"])).toEqual(["X-Accel-Other: 1"]);
  });

  test("that say the status and the length are left to others", () => {
    expect(fieldsOf(["Status: 200 OK", "Content-Length: 5", "A: 1"])).toEqual(["A: 1"]);
  });

  test("named as dropped are dropped", () => {
    const dropped = new Set([...NEVER_PASSED, FIELD.content_type]);
    expect(fieldsOf(["Content-Type: a", "A: 1"], dropped)).toEqual(["A: 1"]);
  });

  test("of a head with bare line feeds leave with CRLF", () => {
    const head = headOf(["HTTP/1.1 200 OK", "A: 1", "B:2"], "\n");
    expect(written(() => writeUpstreamFields(head, NEVER_PASSED))).toBe("A: 1\r\nB: 2\r\n");
  });
});

describe("framing and connection", () => {
  test.each([
    [{ type: "length", bytes: 0 } as const, "Content-Length: 0\r\n"],
    [{ type: "length", bytes: 5_000_000_000 } as const, "Content-Length: 5000000000\r\n"],
    [{ type: "chunked" } as const, "Transfer-Encoding: chunked\r\n"],
    [{ type: "close" } as const, ""],
    [{ type: "none" } as const, ""],
  ])("%j", (framing, wanted) => {
    expect(written(() => headOut.framing(framing))).toBe(wanted);
  });

  test.each([
    [true, 11, ""],
    [true, 10, "Connection: keep-alive\r\n"],
    [false, 11, "Connection: close\r\n"],
    [false, 10, "Connection: close\r\n"],
  ])("keep alive %p, version %d", (keepAlive, version, wanted) => {
    expect(written(() => headOut.connection(keepAlive, version))).toBe(wanted);
  });
});

test("the largest head that is read fits", () => {
  const fields = Array.from({ length: 990 }, (_, i) => `X${i}:${"v".repeat(24)}`);
  const head = headOf(["HTTP/1.1 200 OK", ...fields]);
  const text = written(() => writeUpstreamFields(head, NEVER_PASSED));
  expect(text.split("\r\n")).toHaveLength(991);
  expect(text.endsWith(`X989: ${"v".repeat(24)}\r\n`)).toBe(true);
});
