/** Random ways to cut an input, for fuzzing: to try every one, as the unit tests do, would leave time for few inputs. */

import { expect } from "bun:test";
import { everyByte, type Fixture, type Outcome, run } from "../incremental-reader.ts";
import type { Random } from "./random.ts";

/** The outcome of `input` whole, which some random splits and, when it is short, every byte by itself must share. */
export function expectSameHoweverSplit(fixture: Fixture, input: Uint8Array, random: Random): Outcome {
  const whole = run(fixture, [input]);
  const ways = [randomPieces(input, random), randomPieces(input, random)];
  if (input.length <= 512) ways.push(everyByte(input));
  for (const pieces of ways) {
    const outcome = run(fixture, pieces);
    if (!Bun.deepEquals(outcome, whole)) expect(outcome).toEqual(whole);
  }
  return whole;
}

/** One to four pieces that make up `input`, some of them empty at times. */
export function randomPieces(input: Uint8Array, random: Random): Uint8Array[] {
  const cuts = Array.from({ length: random.below(4) }, () => random.below(input.length + 1)).sort(
    (a, b) => a - b,
  );
  const ends = [...cuts, input.length];
  return ends.map((end, index) => input.subarray(index === 0 ? 0 : ends[index - 1], end));
}
