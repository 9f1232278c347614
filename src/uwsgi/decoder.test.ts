/** Proves that the packet reader reads what uWSGI reads, refuses what uWSGI refuses, and asks for more exactly while bytes are missing. */

import { describe, expect, test } from "bun:test";
import { decodePacket, UwsgiError } from "./decoder.ts";

const bytes = (...values: number[]) => Uint8Array.from(values);
const text = (value: Uint8Array) => Buffer.from(value).toString("latin1");
const readable = (packet: Uint8Array) =>
  decodePacket(packet)?.vars.map(([key, value]) => [text(key), text(value)]);

/** modifiers 5 and 7; A=bc, D= (empty). */
const packet = bytes(5, 12, 0, 7, 1, 0, 0x41, 2, 0, 0x62, 0x63, 1, 0, 0x44, 0, 0);

describe("a whole packet", () => {
  test("modifiers, vars in order, an empty value", () => {
    expect(decodePacket(packet)).toMatchObject({ modifier1: 5, modifier2: 7, bytesUsed: 16 });
    expect(readable(packet)).toEqual([
      ["A", "bc"],
      ["D", ""],
    ]);
  });

  test("without vars", () => {
    expect(decodePacket(bytes(0, 0, 0, 0))).toEqual({ modifier1: 0, modifier2: 0, vars: [], bytesUsed: 4 });
  });

  test("bytes of a body behind it are left alone", () => {
    const withBody = new Uint8Array([...packet, 1, 2, 3]);
    expect(decodePacket(withBody)?.bytesUsed).toBe(packet.length);
  });

  test("lengths are little-endian and unsigned, up to the largest block", () => {
    const value = 65535 - 5;
    const large = new Uint8Array(4 + 65535);
    large.set([255, 255, 255, 255, 1, 0, 0x4b, value & 255, value >> 8]);
    const read = decodePacket(large);
    expect(read).toMatchObject({ modifier1: 255, modifier2: 255, bytesUsed: 65539 });
    expect(read?.vars[0]?.[1].length).toBe(value);
  });

  test("any byte may stand in a value", () => {
    expect(readable(bytes(0, 8, 0, 0, 1, 0, 0x41, 3, 0, 0, 0x0a, 0xff))).toEqual([["A", "\0\n\xff"]]);
  });
});

describe("a packet cut off", () => {
  test("at any offset asks for more", () => {
    for (let length = 0; length < packet.length; length++) {
      expect(decodePacket(packet.subarray(0, length))).toBeUndefined();
    }
  });
});

describe("refused", () => {
  const bad: [name: string, packet: Uint8Array][] = [
    ["an empty key", bytes(0, 5, 0, 0, 0, 0, 1, 0, 0x41)],
    ["half a key length", bytes(0, 1, 0, 0, 1)],
    ["a key beyond the block", bytes(0, 3, 0, 0, 2, 0, 0x41)],
    ["a key without a value", bytes(0, 3, 0, 0, 1, 0, 0x41)],
    ["half a value length", bytes(0, 4, 0, 0, 1, 0, 0x41, 1)],
    ["a value beyond the block", bytes(0, 6, 0, 0, 1, 0, 0x41, 2, 0, 0x42)],
    ["a value that runs into the body", bytes(0, 6, 0, 0, 1, 0, 0x41, 2, 0, 0x42, 0x43)],
    ["the largest key length", bytes(0, 2, 0, 0, 255, 255)],
  ];
  for (const [name, packet] of bad) {
    test(name, () => expect(() => decodePacket(packet)).toThrow(UwsgiError));
  }
});
