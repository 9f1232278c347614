/** Proves that lines come out whole and in order wherever their bytes are cut, and that a line's length is bounded. */
import { describe, expect, test } from "bun:test";
import { LineLengthError, LineReader } from "./line-reader.ts";

const TEXT = '{"a":1}\n\n{"b":"é€😀"}\nrest';
const LINES = ['{"a":1}', '{"b":"é€😀"}'];

function read(chunks: readonly Uint8Array[], maxLineBytes = 100): { lines: string[]; restBytes: number } {
  const lines: string[] = [];
  const reader = new LineReader(maxLineBytes, (line) => lines.push(line));
  for (const chunk of chunks) reader.push(chunk);
  return { lines, restBytes: reader.restBytes };
}

describe("LineReader", () => {
  const bytes = Buffer.from(TEXT);

  test("reads whole input", () => {
    expect(read([bytes])).toEqual({ lines: LINES, restBytes: 4 });
  });

  test("reads input cut in two at every byte", () => {
    for (let at = 0; at <= bytes.length; at++) {
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toEqual({ lines: LINES, restBytes: 4 });
    }
  });

  test("reads input byte by byte", () => {
    const single = [...bytes].map((byte) => Uint8Array.of(byte));
    expect(read(single)).toEqual({ lines: LINES, restBytes: 4 });
  });

  test("refuses a line over its bound, in one chunk and in many", () => {
    const line = Buffer.from(`${"x".repeat(11)}\n`);
    expect(() => read([line], 10)).toThrow(LineLengthError);
    expect(() => read([line.subarray(0, 6), line.subarray(6, 11)], 10)).toThrow(LineLengthError);
    expect(read([line], 11).lines).toEqual(["x".repeat(11)]);
  });

  test("lets what its listener throws through", () => {
    const reader = new LineReader(10, () => {
      throw new TypeError("no");
    });
    expect(() => reader.push(Buffer.from("a\n"))).toThrow(TypeError);
  });
});
