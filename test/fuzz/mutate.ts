/** Makes new inputs from those of a corpus: small damage, mostly, so that it gets past the first byte that a reader looks at. */

import { latin1 } from "../incremental-reader.ts";
import type { Random } from "./random.ts";

/** Bytes at which readers branch. */
const awkward = latin1('\0\t\n\r !"%+,-./09:;=?@AFGZ[\\_afgz\x7f\x80\xa0\xff');

/** Pieces at which parsers have disagreed. */
const fragments = [
  "\r\n",
  "\n",
  "\r",
  "\r\n\r\n",
  "\n\n",
  "\r\n ",
  "\r\n\t",
  "\0",
  " ",
  ":",
  "0\r\n\r\n",
  "\r\nContent-Length: 5",
  "\r\nContent-Length: 5, 5",
  "\r\nTransfer-Encoding: chunked",
  "\r\nTransfer-Encoding:\x0bchunked",
  "\r\nTransfer-Encoding: gzip, chunked",
  "\r\nHost: b",
  "\r\nConnection: close, upgrade",
  "\r\nExpect: 100-continue",
  " HTTP/1.1",
  " HTTP/1.0",
  "HTTP/9.9",
  "http://h/",
  "%00",
  "%2e%2e/",
  "//",
  "/../",
  "4294967296",
  "9007199254740993",
  "FFFFFFFFFFFFFFFFF",
].map(latin1);

const maxInputBytes = 80_000;

/** A corpus entry with one to eight mutations. */
export function mutate(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let input = random.pick(corpus);
  for (let left = 1 + random.below(1 + random.below(8)); left > 0; left--) {
    input = random.pick(mutations)(input, random, corpus).subarray(0, maxInputBytes);
  }
  return input.slice();
}

/** Mostly short, since long inputs take the time of many. */
const stretchLengths = [2, 2, 2, 14, 14, 14, 64, 64, 64, 300, 300, 300, 8192, 33_000, 66_000];

type Mutation = (input: Uint8Array, random: Random, corpus: readonly Uint8Array[]) => Uint8Array;

const mutations: readonly Mutation[] = [
  function replaceByte(input, random) {
    return replaced(input, at(input, random), 1, Uint8Array.of(someByte(random)));
  },
  function flipBit(input, random) {
    const copy = input.slice();
    if (copy.length > 0) copy[random.below(copy.length)]! ^= 1 << random.below(8);
    return copy;
  },
  function insertByte(input, random) {
    return replaced(input, at(input, random), 0, Uint8Array.of(someByte(random)));
  },
  function insertFragment(input, random) {
    return replaced(input, at(input, random), 0, random.pick(fragments));
  },
  function removeSpan(input, random) {
    return replaced(input, at(input, random), 1 + random.below(8), new Uint8Array());
  },
  function repeatSpan(input, random) {
    const from = at(input, random);
    const span = input.subarray(from, from + 1 + random.below(64));
    return replaced(input, from, 0, span);
  },
  function stretchByte(input, random) {
    const length = random.pick(stretchLengths);
    const from = at(input, random);
    return replaced(input, from, 0, new Uint8Array(length).fill(input[from] ?? 0x61));
  },
  function repeatLine(input, random) {
    const line = input.subarray(input.lastIndexOf(0x0a, at(input, random)) + 1);
    const span = line.subarray(0, line.indexOf(0x0a) + 1);
    const copies = Array.from({ length: random.pick([1, 1, 1, 1, 2, 2, 2, 1100]) }, () => span);
    return replaced(input, input.length - line.length, 0, Buffer.concat(copies));
  },
  function spliceAnother(input, random, corpus) {
    const other = random.pick(corpus);
    return replaced(input, at(input, random), input.length, other.subarray(at(other, random)));
  },
  function truncate(input, random) {
    return input.subarray(0, at(input, random));
  },
];

function at(input: Uint8Array, random: Random): number {
  return random.below(input.length + 1);
}

function someByte(random: Random): number {
  return random.below(2) === 0 ? random.pick([...awkward]) : random.below(256);
}

function replaced(input: Uint8Array, from: number, length: number, by: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([input.subarray(0, from), by, input.subarray(from + length)]));
}
