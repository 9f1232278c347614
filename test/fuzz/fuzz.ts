/**
 * Runs a property on mutated inputs until a count or a time is reached. `FUZZ_SEED` (printed with every run) replays one, since each
 * input depends on the seed and its number only; `FUZZ_EXECUTIONS` and `FUZZ_TIME_MS` bound it.
 */

import { escaped, readCorpus } from "./corpus.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? crypto.getRandomValues(new Uint32Array(1))[0]) >>> 0;
const maxExecutions = Number(process.env["FUZZ_EXECUTIONS"] ?? 20_000);
const maxTimeMs = Number(process.env["FUZZ_TIME_MS"] ?? 3_000);

/** For `test`: what it takes at most, set-up and the last execution included. */
export const fuzzTimeoutMs: number = maxTimeMs + 10_000;

/** Throws when the property throws, naming the seed, the input's number and the input in the notation of the corpus. */
export function fuzz(subject: string, property: (input: Uint8Array, random: Random) => void): void {
  fuzzCases(subject, (random, corpus) => mutate(corpus, random), property, escaped);
}

/** The same for inputs that `make` builds in place of a mutation; `show` writes one for the message. */
export function fuzzCases<Input>(
  subject: string,
  make: (random: Random, corpus: readonly Uint8Array[]) => Input,
  property: (input: Input, random: Random) => void,
  show: (input: Input) => string,
): void {
  const corpus = readCorpus(subject);
  const end = performance.now() + maxTimeMs;
  let execution = 0;
  for (; execution < maxExecutions && performance.now() < end; execution++) {
    const random = new Random(seed ^ Math.imul(execution + 1, 0x85ebca6b));
    const input = make(random, corpus);
    try {
      property(input, random);
    } catch (error) {
      const where = `FUZZ_SEED=${seed}, execution ${execution}`;
      throw new Error(`${subject}: ${where}: ${(error as Error).message}\n${show(input)}`, { cause: error });
    }
  }
  console.log(`fuzz ${subject}: ${execution} executions, FUZZ_SEED=${seed}`);
}
