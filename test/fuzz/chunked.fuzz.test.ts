/** Fuzzes the chunked decoder: bytes parse or fail as a protocol error, alike however they are split; what is encoded comes back. */

import { expect, test } from "bun:test";
import { writeChunkHeader } from "../../src/http1/chunked.ts";
import { chunkedBody } from "../chunked-view.ts";
import { everyByte, join, latin1, run } from "../incremental-reader.ts";
import { fuzz, fuzzCases, fuzzTimeoutMs } from "./fuzz.ts";
import type { Random } from "./random.ts";
import { expectSameHoweverSplit, randomPieces } from "./splits.ts";

test(
  "mutated bodies",
  () => {
    fuzz("chunked", (input, random) => {
      const whole = expectSameHoweverSplit(chunkedBody, input, random);
      if (whole.finished) expect(whole.used).toBeLessThanOrEqual(input.length);
      else if (whole.failure === null) expect(whole.used).toBe(input.length);
    });
  },
  fuzzTimeoutMs,
);

test(
  "decode(encode(body)) is the body",
  () => {
    fuzzCases(
      "chunked",
      randomChunks,
      (chunks, random) => {
        const wire = encode(chunks);
        const expected = {
          finished: true,
          used: wire.length,
          failure: null,
          seen: Buffer.from(join(chunks)).toString("latin1"),
        };
        expect(run(chunkedBody, randomPieces(wire, random))).toEqual(expected);
        if (wire.length < 2000) expect(run(chunkedBody, everyByte(wire))).toEqual(expected);
      },
      (chunks) => `chunks of ${chunks.map((chunk) => chunk.length).join(", ")} bytes`,
    );
  },
  fuzzTimeoutMs,
);

function randomChunks(random: Random): Uint8Array[] {
  return Array.from({ length: random.below(6) }, () => {
    const length = 1 + random.below(random.pick([4, 20, 300, 70_000]));
    return new Uint8Array(length).fill(random.below(256));
  });
}

function encode(chunks: readonly Uint8Array[]): Uint8Array {
  const pieces = chunks.flatMap((chunk) => [sizeLine(chunk.length), chunk, latin1("\r\n")]);
  return join([...pieces, latin1("0\r\n\r\n")]);
}

function sizeLine(length: number): Uint8Array {
  const line = new Uint8Array(16);
  return line.subarray(0, writeChunkHeader(line, 0, length));
}
