/** Proves that a held body comes back whole and in order, to every reader, from memory and from a file. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BodyBuffer, type BodyReader } from "./body-buffer.ts";

const tempDir = mkdtempSync(join(tmpdir(), "body-buffer-"));
afterAll(() => rmSync(tempDir, { recursive: true }));

/** Pieces of so many bytes, no two alike. */
function piecesOf(sizes: readonly number[]): Buffer[] {
  return sizes.map((size, i) => Buffer.alloc(size, `${i}:`));
}

function held(pieces: readonly Buffer[], memoryBytes: number): BodyBuffer {
  const body = new BodyBuffer({ memoryBytes, tempDir });
  for (const piece of pieces) body.append(Buffer.concat([Buffer.from("x"), piece]), 1, piece.length + 1);
  body.seal();
  return body;
}

function readAll(reader: BodyReader): Buffer {
  const parts: Buffer[] = [];
  for (let piece = reader.next(); piece !== undefined; piece = reader.next()) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

const shapes: readonly (readonly [name: string, sizes: readonly number[]])[] = [
  ["nothing", []],
  ["one byte", [1]],
  ["one large piece", [300_000]],
  ["thousands of tiny pieces", Array.from({ length: 5000 }, (_, i) => (i % 37) + 1)],
  ["small and large in turn", [10, 70_000, 1, 4096, 4097, 2, 65_536, 3]],
];

describe.each(shapes)("%s", (_, sizes) => {
  const pieces = piecesOf(sizes);
  const whole = Buffer.concat(pieces);

  test.each([0, 1, 5000, 100_000, 1_000_000])("with %d bytes of memory", (memoryBytes) => {
    const body = held(pieces, memoryBytes);
    expect(body.length).toBe(whole.length);
    expect(body.inFile).toBe(whole.length > memoryBytes);
    const first = body.reader();
    first.next();
    // A retry reads from the start, wherever the try before stopped.
    expect(readAll(body.reader()).equals(whole)).toBe(true);
    expect(readAll(body.reader()).equals(whole)).toBe(true);
    body.close();
  });
});

describe("one small piece goes along with the packet", () => {
  test("when it is in memory and no larger than asked", () => {
    const body = held(piecesOf([100]), 1000);
    expect(body.single(100)).toEqual(piecesOf([100])[0]!);
    expect(body.single(99)).toBeUndefined();
  });

  test("not from a file", () => {
    const body = held(piecesOf([100]), 10);
    expect(body.single(1000)).toBeUndefined();
    body.close();
  });
});

test("a folder that is not there is told to who appends", () => {
  const body = new BodyBuffer({ memoryBytes: 0, tempDir: join(tempDir, "absent") });
  expect(() => {
    body.append(Buffer.from("a"), 0, 1);
    body.seal();
  }).toThrow("ENOENT");
  body.close();
});

test("closing leaves nothing in the folder, and twice is once", () => {
  const body = held(piecesOf([100]), 10);
  body.close();
  body.close();
  expect(readdirSync(tempDir)).toEqual([]);
});
