/**
 * Proves the chunked decoder against RFC 9112 section 7.1, however the bytes are split, and that everything another parser might
 * read differently (bare LF, blanks, signs, folds) is refused.
 */

import { describe, expect, test } from "bun:test";
import { chunkedBody } from "../../test/chunked-view.ts";
import {
  expectIncompleteAtEveryOffset,
  expectTrailingBytesLeft,
  latin1,
  run,
  runEveryWay,
} from "../../test/incremental-reader.ts";
import { ChunkedDecoder, maxChunkExtensionBytes, maxTrailerBytes, writeChunkHeader } from "./chunked.ts";
import { ProtocolError } from "./protocol-error.ts";

const failureOf = (wire: string) => runEveryWay(chunkedBody, latin1(wire)).failure;

describe("a whole body", () => {
  const bodies: [name: string, wire: string, body: string][] = [
    ["nothing but the last chunk", "0\r\n\r\n", ""],
    ["one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"],
    ["several chunks", "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", "hello world"],
    [
      "upper and lower case digits",
      "A\r\n0123456789\r\na\r\nabcdefghij\r\n0\r\n\r\n",
      "0123456789abcdefghij",
    ],
    ["leading zeros", "0000000000005\r\nhello\r\n0000\r\n\r\n", "hello"],
    ["data that looks like framing", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n"],
    ["data with every awkward byte", "5\r\n\0\r\n\xff\x7f\r\n0\r\n\r\n", "\0\r\n\xff\x7f"],
    ["a bare extension", "5;x\r\nhello\r\n0;y\r\n\r\n", "hello"],
    ["an extension with a quoted value", '5;a="b;c \xe9";d=e\r\nhello\r\n0\r\n\r\n', "hello"],
    ["trailers, dropped", "5\r\nhello\r\n0\r\nDigest: x=\r\nEmpty:\r\nX:\t a \xe9\r\n\r\n", "hello"],
  ];
  for (const [name, wire, body] of bodies) {
    test(`${name}: at every split, with bytes of the next request behind it`, () => {
      expect(expectTrailingBytesLeft(chunkedBody, latin1(wire)).seen).toBe(body);
    });
    test(`${name}: the end of the connection at any offset is seen as incomplete`, () => {
      expectIncompleteAtEveryOffset(chunkedBody, latin1(wire));
    });
  }

  test("two bodies in a row through one decoder", () => {
    const decoder = new ChunkedDecoder();
    const spans: number[][] = [];
    const sink = { bodyBytes: (_: Uint8Array, from: number, to: number) => void spans.push([from, to]) };
    const wire = latin1("3\r\nabc\r\n0\r\n\r\n2\r\nde\r\n0\r\n\r\n");
    const first = decoder.decode(wire, 0, wire.length, sink);
    expect(decoder.done).toBe(true);
    expect(decoder.decode(wire, first, wire.length, sink)).toBe(first);
    decoder.reset();
    expect(decoder.done).toBe(false);
    expect(decoder.decode(wire, first, wire.length, sink)).toBe(wire.length);
    expect(spans).toEqual([
      [3, 6],
      [16, 18],
    ]);
  });

  test("body bytes are spans of the caller's buffer, within the bounds given", () => {
    const decoder = new ChunkedDecoder();
    const wire = latin1("XX5\r\nhelloXX");
    const seen: [Uint8Array, number, number][] = [];
    const sink = { bodyBytes: (...span: [Uint8Array, number, number]) => void seen.push(span) };
    expect(decoder.decode(wire, 2, 8, sink)).toBe(8);
    expect(decoder.decode(wire, 8, 8, sink)).toBe(8);
    expect(seen).toEqual([[wire, 5, 8]]);
    expect(seen[0]![0]).toBe(wire);
  });
});

describe("refused", () => {
  const bad: [name: string, wire: string][] = [
    ["a size line ended by a bare LF", "5\nhello\r\n0\r\n\r\n"],
    ["a chunk ended by a bare LF", "5\r\nhello\n0\r\n\r\n"],
    ["a last chunk ended by a bare LF", "0\n\r\n"],
    ["a bare CR after a size", "5\rhello"],
    ["CR CR LF after a size", "5\r\r\nhello"],
    ["a bare CR after data", "5\r\nhello\r0\r\n\r\n"],
    ["data longer than its size", "5\r\nhello!\r\n0\r\n\r\n"],
    ["data shorter than its size", "5\r\nhell\r\n0\r\n\r\n"],
    ["no size", "\r\nhello\r\n0\r\n\r\n"],
    ["an extension without a size", ";x\r\n"],
    ["a leading blank", " 5\r\nhello\r\n"],
    ["a trailing blank", "5 \r\nhello\r\n"],
    ["a blank before an extension", "5 ;x\r\nhello\r\n"],
    ["a tab after the size", "5\t\r\nhello\r\n"],
    ["a plus sign", "+5\r\nhello\r\n"],
    ["a minus sign", "-5\r\nhello\r\n"],
    ["a 0x prefix", "0x5\r\nhello\r\n"],
    ["a digit separator", "1_0\r\n"],
    ["a byte that is no digit", "5g\r\nhello\r\n"],
    ["a full-width digit", "\xef\xbc\x95\r\nhello\r\n"],
    ["NUL in the size", "5\0\r\nhello\r\n"],
    ["NUL in an extension", "5;a\0\r\nhello\r\n"],
    ["a bare LF in an extension", "5;a\n\r\nhello\r\n"],
    ["a bare CR in an extension", "5;a\rb\r\nhello\r\n"],
    ["a bare LF that ends an extension", "5;a\nhello\r\n0\r\n\r\n"],
    ["a bare CR where the body should end", "0\r\n\rX"],
  ];
  for (const [name, wire] of bad) {
    test(name, () => expect(failureOf(wire)).toBe("bad_chunk"));
  }

  const badTrailers: [name: string, trailer: string, kind: string][] = [
    ["a fold", "A: b\r\n c\r\n", "obs_fold"],
    ["a blank first line", "\tA: b\r\n", "obs_fold"],
    ["a blank before the colon", "A : b\r\n", "bad_field_name"],
    ["no colon", "A\r\n", "bad_field_name"],
    ["no name", ": b\r\n", "bad_field_name"],
    ["a bare LF in place of the last CRLF", "\nA: b\r\n", "bad_field_name"],
    ["a bare LF", "A: b\n\r\n", "bad_field_value"],
    ["a bare CR", "A: b\rc\r\n", "bad_field_value"],
    ["NUL", "A: \0\r\n", "bad_field_value"],
  ];
  for (const [name, trailer, kind] of badTrailers) {
    test(`trailers with ${name}`, () => expect(failureOf(`0\r\n${trailer}\r\n`)).toBe(kind));
  }

  test("a decoder that failed goes on failing", () => {
    const decoder = new ChunkedDecoder();
    const sink = { bodyBytes: () => {} };
    expect(() => decoder.decode(latin1("5 \r\n"), 0, 4, sink)).toThrow(ProtocolError);
    expect(() => decoder.decode(latin1("0\r\n\r\n"), 0, 5, sink)).toThrow(ProtocolError);
    expect(decoder.done).toBe(false);
    decoder.reset();
    expect(decoder.decode(latin1("0\r\n\r\n"), 0, 5, sink)).toBe(5);
  });
});

describe("bounds", () => {
  test("13 digits are counted exactly, a 14th is refused, even a zero", () => {
    expect(run(chunkedBody, [latin1("fffffffffffff\r\nxyz")])).toMatchObject({
      seen: "xyz",
      finished: false,
      failure: null,
    });
    expect(failureOf("10000000000000\r\n")).toBe("bad_chunk");
    expect(failureOf("00000000000005\r\n")).toBe("bad_chunk");
    expect(failureOf(`${"f".repeat(40)}\r\n`)).toBe("bad_chunk");
  });

  test("sizes that would wrap in 32 bits do not", () => {
    const { seen, finished } = run(chunkedBody, [latin1("100000000\r\n0\r\n\r\n")]);
    expect({ seen, finished }).toEqual({ seen: "0\r\n\r\n", finished: false });
    expect(run(chunkedBody, [latin1("100000005\r\nhello\r\n0\r\n\r\n")]).finished).toBe(false);
  });

  test("an extension of the longest length passes, one more byte is refused, in each chunk anew", () => {
    const longest = `;${"x".repeat(maxChunkExtensionBytes - 1)}`;
    const wire = `1${longest}\r\na\r\n1${longest}\r\nb\r\n0${longest}\r\n\r\n`;
    expect(run(chunkedBody, [latin1(wire)])).toMatchObject({ seen: "ab", finished: true });
    expect(failureOf(`1${longest}x\r\na\r\n`)).toBe("bad_chunk");
  });

  test("trailers of the greatest size pass, one more byte is refused", () => {
    const lines = `A: ${"x".repeat(1019)}\r\n`.repeat(7);
    const last = `B: ${"x".repeat(maxTrailerBytes - lines.length - 7)}\r\n`;
    expect(lines.length + last.length + 2).toBe(maxTrailerBytes);
    expect(run(chunkedBody, [latin1(`0\r\n${lines}${last}\r\n`)]).finished).toBe(true);
    expect(run(chunkedBody, [latin1(`0\r\n${lines}x${last}\r\n`)]).failure).toBe("trailer_too_large");
  });
});

describe("writeChunkHeader", () => {
  for (const length of [1, 9, 10, 15, 16, 255, 256, 65535, 2 ** 31, 2 ** 32 + 5, Number.MAX_SAFE_INTEGER]) {
    test(`${length} as hexadecimal and CRLF, in place`, () => {
      const target = new Uint8Array(20).fill(0x2e);
      const end = writeChunkHeader(target, 2, length);
      expect(Buffer.from(target).toString("latin1")).toBe(`..${length.toString(16)}\r\n`.padEnd(20, "."));
      expect(end).toBe(2 + length.toString(16).length + 2);
    });
  }
});
