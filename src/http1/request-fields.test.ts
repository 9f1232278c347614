/**
 * Proves which field lines of a request are refused, and that nothing in them makes two readers see two different messages (RFC 9112
 * sections 5 and 6): every known way to smuggle is a case here.
 */

import { describe, expect, test } from "bun:test";
import { expectTrailingBytesLeft, latin1, run, runEveryWay } from "../../test/incremental-reader.ts";
import { type RequestHeadView, requestHead } from "../../test/request-head-view.ts";

const head = (...lines: string[]) => latin1(`${lines.join("\r\n")}\r\n\r\n`);
const withField = (...lines: string[]) => head("POST / HTTP/1.1", "Host: h", ...lines);
const seen = (wire: Uint8Array) => expectTrailingBytesLeft(requestHead, wire).seen as RequestHeadView;
const failureOf = (wire: Uint8Array) => runEveryWay(requestHead, wire).failure;

describe("field lines refused", () => {
  const bad: [name: string, line: string, kind: string][] = [
    ["a space before the colon", "A : b", "bad_field_name"],
    ["a tab before the colon", "A\t: b", "bad_field_name"],
    ["a space before the colon of Content-Length", "Content-Length : 3", "bad_field_name"],
    ["a space before the colon of Transfer-Encoding", "Transfer-Encoding : chunked", "bad_field_name"],
    ["a space in the name", "A b: c", "bad_field_name"],
    ["no colon", "Ab", "bad_field_name"],
    ["no name", ": b", "bad_field_name"],
    ["NUL in the name", "A\0: b", "bad_field_name"],
    ["a bare CR in the name", "A\rB: c", "bad_field_name"],
    ["DEL in the name", "A\x7f: b", "bad_field_name"],
    ["a control character in the name", "A\x0b: b", "bad_field_name"],
    ["a line of one CR", "\r", "bad_field_name"],
    ["obs-fold with a space", "A: b\r\n c", "obs_fold"],
    ["obs-fold with a tab", "A: b\r\n\tc", "obs_fold"],
    ["obs-fold after a bare LF", "A: b\n c", "obs_fold"],
    ["a line of one space", " ", "obs_fold"],
    ["NUL in the value", "A: b\0c", "bad_field_value"],
    ["a bare CR in the value", "A: b\rc", "bad_field_value"],
    ["a bare CR at the start of the value", "A:\rb", "bad_field_value"],
    ["a bare CR at the end of the value", "A: b\r", "bad_field_value"],
    ["a bare CR that hides a line", "A: b\rTransfer-Encoding: chunked", "bad_field_value"],
    ["DEL in the value", "A: b\x7f", "bad_field_value"],
    ["a vertical tab in the value", "A: \x0bb", "bad_field_value"],
  ];
  for (const [name, line, kind] of bad) {
    test(name, () => expect(failureOf(withField(line))).toBe(kind));
  }

  test("a fold before the first field", () => {
    expect(failureOf(head("GET / HTTP/1.1", " Host: h"))).toBe("obs_fold");
  });

  const single = [
    ["Host", "h"],
    ["Content-Length", "3"],
    ["Transfer-Encoding", "chunked"],
    ["Authorization", "Basic eDp5"],
    ["Expect", "100-continue"],
    ["If-Match", "*"],
    ["If-None-Match", "*"],
    ["If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"],
    ["If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"],
    ["If-Range", '"x"'],
    ["Content-Range", "bytes 0-1/2"],
  ] as const;
  for (const [name, value] of single) {
    test(`a second ${name}, the same or another, whatever the case and whatever stands between`, () => {
      const between = Array.from({ length: 40 }, (_, i) => `X-${i}: ${i}`);
      const line = `${name}: ${value}`;
      expect(failureOf(head("PUT / HTTP/1.1", line, line))).toBe("duplicate_field");
      expect(failureOf(head("PUT / HTTP/1.1", line, ...between, `${name.toUpperCase()}: 0`))).toBe(
        "duplicate_field",
      );
      expect(failureOf(head("PUT / HTTP/1.1", ...between, `${name.toLowerCase()}:${value}`, `${line}`))).toBe(
        "duplicate_field",
      );
    });
  }
});

describe("repeated fields", () => {
  test("lines of one name are chained in their order, whatever the case", () => {
    const wire = withField("A: 1", "B: 1", "a: 2", "C: 1", "A: 3", "b: 2", "A: 4");
    expect(seen(wire).chains).toEqual(["Host: h", "A: 1, 2, 3, 4", "B: 1, 2", "C: 1"]);
  });

  test("names that differ in one byte, or by length, are not chained", () => {
    const names = Array.from({ length: 300 }, (_, i) => `X-${i.toString(36)}`);
    const wire = head("GET / HTTP/1.1", ...names.map((name) => `${name}: 1`), "X_1: 2", "X-1-: 2");
    expect((run(requestHead, [wire]).seen as RequestHeadView).chains).toHaveLength(302);
  });

  test("known fields that may repeat: the first line is the one noted", () => {
    const wire = withField(
      "Connection: a",
      "Connection: b",
      "Upgrade: c",
      "Upgrade: d",
      "Cookie: e",
      "Cookie: f",
    );
    expect(seen(wire)).toMatchObject({ connection: "a", upgrade: "c" });
  });
});

describe("framing", () => {
  const lengths: [text: string, value: number][] = [
    ["0", 0],
    ["3", 3],
    ["0003", 3],
    ["4294967296", 2 ** 32],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, value] of lengths) {
    test(`Content-Length ${text}`, () =>
      expect(seen(withField(`Content-Length: ${text}`)).contentLength).toBe(value));
  }

  const badLengths = [
    ["+3", "a plus sign"],
    ["-3", "a minus sign"],
    ["", "nothing"],
    ["3 3", "a space"],
    ["3, 3", "a list, even of equals"],
    ["3,4", "a list"],
    ["0x3", "hexadecimal"],
    ["3.0", "a fraction"],
    ["3e1", "an exponent"],
    ["1_000", "a separator"],
    ["\xb2", "a Latin-1 digit"],
    ["\xd9\xa3", "an Arabic digit"],
    ["9007199254740992", "2^53"],
    ["18446744073709551616", "2^64"],
    ["18446744073709551619", "2^64 + 3"],
    ["9".repeat(400), "400 digits"],
    ["3;a", "a parameter"],
    ['"3"', "quotes"],
  ] as const;
  for (const [value, name] of badLengths) {
    test(`refused: Content-Length of ${name}`, () => {
      expect(failureOf(withField(`Content-Length: ${value}`))).toBe("bad_content_length");
    });
  }

  test("Transfer-Encoding: chunked, whatever the case", () => {
    expect(seen(withField("Transfer-Encoding: chunked")).transferEncoding).toBe("chunked");
    expect(seen(withField("tRANSFER-eNCODING:\t ChUnKeD\t")).transferEncoding).toBe("ChUnKeD");
  });

  test("refused: Content-Length with Transfer-Encoding, in either order, whatever the length", () => {
    const coding = "Transfer-Encoding: chunked";
    expect(failureOf(withField("Content-Length: 3", coding))).toBe("length_with_transfer_encoding");
    expect(failureOf(withField(coding, "Content-Length: 3"))).toBe("length_with_transfer_encoding");
    expect(failureOf(withField(coding, "Content-Length: 0"))).toBe("length_with_transfer_encoding");
    expect(failureOf(withField("Transfer-Encoding: identity", "Content-Length: 3"))).toBe(
      "length_with_transfer_encoding",
    );
  });

  test("refused: Transfer-Encoding on 1.0", () => {
    expect(failureOf(head("POST / HTTP/1.0", "Transfer-Encoding: chunked"))).toBe("bad_transfer_encoding");
  });

  const otherCodings = [
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked,",
    ",chunked",
    "gzip",
    "identity",
    "",
    "xchunked",
    "chunkedx",
    "chunked;q=1",
    '"chunked"',
    "chunked chunked",
    "chun ked",
    "chunked\xa0",
    "\xc2\xa0chunked",
  ];
  for (const coding of otherCodings) {
    test(`refused: Transfer-Encoding ${JSON.stringify(coding)}`, () => {
      expect(failureOf(withField(`Transfer-Encoding: ${coding}`))).toBe("unsupported_transfer_encoding");
    });
  }

  const looksLike = [
    "Transfer_Encoding",
    "Transfer-Encoding\xa0",
    "Content_Length",
    "Transfer.Encoding",
    "\xa0Content-Length",
  ];
  for (const name of looksLike) {
    test(`${JSON.stringify(name)} does not frame, and is marked as unusable`, () => {
      const { transferEncoding, contentLength, unusable } = seen(withField(`${name}: chunked`));
      expect({ transferEncoding, contentLength, unusable }).toEqual({
        transferEncoding: null,
        contentLength: -1,
        unusable: [name],
      });
    });
  }

  test("Expect, Upgrade, Connection and Content-Type are noted", () => {
    const wire = withField(
      "Expect: 100-continue",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Content-Type: text/plain",
    );
    expect(seen(wire)).toMatchObject({
      expect: "100-continue",
      upgrade: "websocket",
      connection: "Upgrade",
      contentType: "text/plain",
    });
  });

  test("conditional and range fields are noted", () => {
    for (const line of [
      "If-Match: *",
      "If-None-Match: *",
      "If-Modified-Since: x",
      "If-Range: x",
      "Range: bytes=0-1",
    ]) {
      expect(seen(withField(line)).conditional).toBe(true);
    }
    expect(seen(withField("If: x", "X-Range: 1")).conditional).toBe(false);
  });
});
