/**
 * Proves how the head of an upstream's response is read: status line, `Status:`, `Location` alone, or none of them; what is refused
 * (each becomes a 502); and that the offsets are right however the head is split.
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
import { describeResponse, responseHead } from "../../test/response-head-view.ts";
import { FIELD } from "./fields.ts";
import { RESPONSE_LIMITS, ResponseHeadReader } from "./response-head.ts";

const head = (...lines: string[]) => latin1(`${lines.join("\r\n")}\r\n\r\n`);
const ok = (...lines: string[]) => head("HTTP/1.1 200 OK", ...lines);
const seen = (wire: Uint8Array) =>
  expectTrailingBytesLeft(responseHead, wire).seen as ReturnType<typeof describeResponse>;
const failureOf = (wire: Uint8Array) => runEveryWay(responseHead, wire).failure;

describe("the status", () => {
  const statusLines: [line: string, status: number, reason: string][] = [
    ["HTTP/1.1 200 OK", 200, "OK"],
    ["HTTP/1.0 404 Not Found", 404, "Not Found"],
    ["HTTP/2.0 200 OK", 200, "OK"],
    ["HTTP/3 200 OK", 200, "OK"],
    ["HTTP/1.1 200", 200, ""],
    ["HTTP/1.1 200 ", 200, ""],
    ["HTTP/1.1 599 caf\xc3\xa9", 599, "caf\xc3\xa9"],
    ["HTTP/1.1 999 x", 999, "x"],
    ["HTTP/1.1  200 OK", 200, "OK"],
  ];
  for (const [line, status, reason] of statusLines) {
    test(`is that of ${JSON.stringify(line)}`, () => {
      expect(seen(head(line, "A: b"))).toMatchObject({ status, reason, fields: ["A: b"] });
    });
  }

  test("is that of Status: where there is no status line, wherever it stands", () => {
    expect(seen(head("Status: 404 Not Found", "A: b"))).toMatchObject({ status: 404, reason: "Not Found" });
    expect(seen(head("A: b", "status:201"))).toMatchObject({ status: 201, reason: "" });
  });

  test("is that of the status line where there are both", () => {
    expect(seen(ok("Status: 404 Not Found"))).toMatchObject({ status: 200, reason: "OK" });
  });

  test("is that of Status: where there is a Location too", () => {
    expect(seen(head("Location: /x", "Status: 201 Created"))).toMatchObject({ status: 201 });
  });

  test("is 302 for Location alone", () => {
    expect(seen(head("Location: /x"))).toMatchObject({ status: 302, reason: "" });
  });

  test("is 200 where nothing says otherwise", () => {
    expect(seen(head("Content-Type: text/plain"))).toMatchObject({
      status: 200,
      reason: "",
      fields: ["Content-Type: text/plain"],
    });
  });

  test("100 and 103 are heads of their own: the reader goes on with the next", () => {
    const reader = new ResponseHeadReader(RESPONSE_LIMITS);
    const wire = Buffer.from(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\nbody",
    );
    const next = reader.read(wire, 0, wire.length);
    expect(describeResponse(reader)).toMatchObject({ status: 103, fields: ["Link: </a>"] });
    reader.reset();
    expect(reader.read(wire, next, wire.length)).toBe(wire.length - 4);
    expect(describeResponse(reader)).toMatchObject({ status: 200, fields: ["A: b"] });
  });

  const bad: [name: string, line: string][] = [
    ["two digits", "HTTP/1.1 20 OK"],
    ["one digit", "HTTP/1.1 2"],
    ["four digits", "HTTP/1.1 2000 OK"],
    ["a status below 100", "HTTP/1.1 099 x"],
    ["letters", "HTTP/1.1 abc OK"],
    ["a sign", "HTTP/1.1 +20 OK"],
    ["no status", "HTTP/1.1"],
    ["no status but a space", "HTTP/1.1 "],
    ["no version", "HTTP/ 200 OK"],
    ["a version of letters", "HTTP/x 200 OK"],
    ["a tab before the status", "HTTP/1.1\t200 OK"],
    ["a tab after the status", "HTTP/1.1 200\tOK"],
    ["text right after the status", "HTTP/1.1 200OK"],
    ["NUL in the reason", "HTTP/1.1 200 O\0K"],
    ["a bare CR in the reason", "HTTP/1.1 200 OK\rSet-Cookie: a=b"],
    ["two CRs at the end", "HTTP/1.1 200 OK\r"],
    ["two digits in Status:", "Status: 20"],
    ["letters in Status:", "Status: OK"],
    ["nothing in Status:", "Status:"],
    ["a leading blank", " HTTP/1.1 200 OK"],
    ["a leading empty line", "\r\nHTTP/1.1 200 OK"],
    ["a bare LF in front", "\nHTTP/1.1 200 OK"],
    ["NUL in front", "\0HTTP/1.1 200 OK"],
  ];
  for (const [name, line] of bad) {
    test(`refused: ${name}`, () => expect(failureOf(head(line, "A: b"))).toBe("bad_status_line"));
  }

  test("refused: an empty head", () => {
    expect(failureOf(latin1("\r\n\r\n"))).toBe("bad_status_line");
    expect(failureOf(latin1("\n"))).toBe("bad_status_line");
  });

  test("refused: text that is no head", () => {
    expect(failureOf(latin1("Internal Server Error\r\n\r\n"))).toBe("bad_field_name");
    expect(failureOf(latin1("<html>\n"))).toBe("bad_field_name");
    expect(failureOf(latin1("http/1.1 200 OK\r\n\r\n"))).toBe("bad_field_name");
  });
});

describe("the lines", () => {
  test("may end with a bare LF", () => {
    expect(seen(latin1("HTTP/1.1 200 OK\nA: b\nC: d\r\n\n"))).toMatchObject({ fields: ["A: b", "C: d"] });
  });

  test("keep every copy, in order, and their bytes", () => {
    const lines = [
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "set-cookie: caf\xe9",
      "Link: x",
      "Vary: a",
      "Vary: b",
    ];
    expect(seen(ok(...lines)).fields).toEqual(lines);
  });

  test("keep names with an underscore", () => {
    expect(seen(ok("X_Custom: 1")).fields).toEqual(["X_Custom: 1"]);
  });

  test("the end of the connection at any offset is seen as incomplete", () => {
    expectIncompleteAtEveryOffset(responseHead, ok("Content-Length: 3", "A: b"));
    expectIncompleteAtEveryOffset(responseHead, head("Status: 200 OK", "A: b"));
  });

  test("what the gateway acts on is noted", () => {
    const wire = ok(
      "Server: x",
      "Date: y",
      "Connection: close",
      "Upgrade: websocket",
      "X-Accel-Buffering: no",
    );
    expect(seen(wire)).toMatchObject({
      hasServer: true,
      hasDate: true,
      connection: "close",
      upgrade: "websocket",
      hasAccel: true,
    });
    expect(seen(ok("X-Accel-Other: 1"))).toMatchObject({ hasServer: false, hasDate: false, hasAccel: false });
  });

  for (const name of ["Redirect", "Buffering", "Expires", "Charset", "Limit-Rate"]) {
    test(`X-Accel-${name} is noted and found`, () => {
      const reader = new ResponseHeadReader(RESPONSE_LIMITS);
      const wire = Buffer.from(ok("A: b", `x-accel-${name.toLowerCase()}: v`));
      reader.read(wire, 0, wire.length);
      const known = FIELD[`x_accel_${name.toLowerCase().replace("-", "_")}` as keyof typeof FIELD];
      expect({ hasAccel: reader.hasAccel, value: reader.find(known) }).toEqual({
        hasAccel: true,
        value: "v",
      });
      expect(reader.find(FIELD.date)).toBeUndefined();
    });
  }

  test("one reader, many heads: nothing of one shows in the next", () => {
    const reader = new ResponseHeadReader(RESPONSE_LIMITS);
    const full = ok(
      "Server: a",
      "Date: b",
      "Connection: c",
      "Upgrade: d",
      "X-Accel-Charset: e",
      "Content-Length: 3",
    );
    const chunked = head("Location: /x", "Transfer-Encoding: chunked");
    const small = head("A: b");
    for (const wire of [full, small, chunked, small, full, chunked]) {
      for (const pieces of [[wire], everyByte(wire)]) {
        reader.reset();
        for (const piece of pieces) reader.read(Buffer.from(piece), 0, piece.length);
        expect(describeResponse(reader)).toEqual(run(responseHead, [wire]).seen as never);
      }
    }
  });

  const bad: [name: string, line: string, kind: string][] = [
    ["a space in the name", "A b: c", "bad_field_name"],
    ["a space before the colon", "A : b", "bad_field_name"],
    ["no colon", "Ab", "bad_field_name"],
    ["no name", ": b", "bad_field_name"],
    ["a fold", "A: b\r\n c", "obs_fold"],
    ["a fold with a tab after a bare LF", "A: b\n\tc", "obs_fold"],
    ["NUL in the name", "A\0: b", "bad_field_name"],
    ["NUL in the value", "A: \0", "bad_field_value"],
    ["a bare CR in the value", "A: b\rSet-Cookie: c=d", "bad_field_value"],
    ["a control character in the value", "A: \x1b[0m", "bad_field_value"],
  ];
  for (const [name, line, kind] of bad) {
    test(`refused: ${name}`, () => {
      expect(failureOf(ok(line))).toBe(kind);
      expect(failureOf(head("Status: 200", line))).toBe(kind);
    });
  }
});

describe("framing", () => {
  test("Content-Length", () => {
    expect(seen(ok("Content-Length: 0")).contentLength).toBe(0);
    expect(seen(ok("content-length: 5")).contentLength).toBe(5);
    expect(seen(ok("A: b"))).toMatchObject({ contentLength: -1, chunked: false });
  });

  test("chunked", () => {
    expect(seen(ok("Transfer-Encoding: Chunked"))).toMatchObject({ contentLength: -1, chunked: true });
  });

  for (const value of ["", "x", "-1", "+1", "1, 1", "1,2", "0x1", "1 1", "18446744073709551617"]) {
    test(`refused: Content-Length ${JSON.stringify(value)}`, () => {
      expect(failureOf(ok(`Content-Length: ${value}`))).toBe("bad_content_length");
    });
  }

  test("refused: a second Content-Length, the same or another", () => {
    expect(failureOf(ok("Content-Length: 5", "Content-Length: 5"))).toBe("duplicate_field");
    expect(failureOf(ok("Content-Length: 5", "A: b", "CONTENT-LENGTH: 6"))).toBe("duplicate_field");
    expect(failureOf(head("Content-Length: 5", "Content-Length: 5"))).toBe("duplicate_field");
  });

  test("refused: Content-Length with Transfer-Encoding", () => {
    expect(failureOf(ok("Content-Length: 5", "Transfer-Encoding: chunked"))).toBe(
      "length_with_transfer_encoding",
    );
    expect(failureOf(ok("Transfer-Encoding: chunked", "Content-Length: 5"))).toBe(
      "length_with_transfer_encoding",
    );
  });

  for (const coding of ["gzip", "gzip, chunked", "chunked, chunked", "identity", "", "chunkedd"]) {
    test(`refused: Transfer-Encoding ${JSON.stringify(coding)}`, () => {
      expect(failureOf(ok(`Transfer-Encoding: ${coding}`))).toBe("unsupported_transfer_encoding");
    });
  }

  test("refused: a second Transfer-Encoding", () => {
    expect(failureOf(ok("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"))).toBe("duplicate_field");
  });
});

describe("limits", () => {
  const headOf = (size: number) => {
    const start = "HTTP/1.1 200 OK\r\n";
    return latin1(`${start}A: ${"b".repeat(size - start.length - 3 - 4)}\r\n\r\n`);
  };

  test("a head of the greatest size passes, a greater one is refused", () => {
    expect(headOf(RESPONSE_LIMITS.maxHeadBytes).length).toBe(RESPONSE_LIMITS.maxHeadBytes);
    for (const pieces of [(wire: Uint8Array) => [wire], everyByte]) {
      expect(run(responseHead, pieces(headOf(RESPONSE_LIMITS.maxHeadBytes))).finished).toBe(true);
      expect(run(responseHead, pieces(headOf(RESPONSE_LIMITS.maxHeadBytes + 2))).failure).toBe(
        "head_too_large",
      );
      expect(run(responseHead, pieces(headOf(100_000))).failure).toMatch("too_l");
    }
  });

  test("the body may come with the head, however much of it", () => {
    const wire = latin1(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(200_000)}`);
    for (const cut of [1, 5, 18]) {
      expect(run(responseHead, [wire.subarray(0, cut), wire.subarray(cut)])).toMatchObject({
        finished: true,
        used: 19,
      });
    }
  });
});
