/** Fuzzes uwsgi packets: bytes parse, wait for more or fail as a uwsgi error; what the writer writes comes back, or fails by its limits. */

import { expect, test } from "bun:test";
import { decodePacket, UwsgiError, type UwsgiPacket } from "../../src/uwsgi/decoder.ts";
import { encodeKey, encodePair, PacketWriter, UwsgiEncodeError } from "../../src/uwsgi/encoder.ts";
import { fuzz, fuzzCases, fuzzTimeoutMs } from "./fuzz.ts";
import type { Random } from "./random.ts";

test(
  "mutated packets",
  () => {
    fuzz("uwsgi-packet", (input, random) => {
      const packet = orRefused(() => decodePacket(input));
      if (packet === undefined || packet === "refused") return;
      expect(packet.bytesUsed).toBeLessThanOrEqual(input.length);
      expect([...rewrite(packet)]).toEqual([...input.subarray(0, packet.bytesUsed)]);
      const cut = random.below(packet.bytesUsed);
      expect(decodePacket(input.subarray(0, cut))).toBeUndefined();
    });
  },
  fuzzTimeoutMs,
);

type Pair = readonly [name: string, value: string];

test(
  "decode(encode(vars)) is the vars",
  () => {
    const writer = new PacketWriter();
    fuzzCases(
      "uwsgi-packet",
      randomPairs,
      (pairs, random) => {
        writer.begin();
        for (const [name, value] of pairs) write(writer, name, value, random);
        const size = pairs.reduce((sum, [name, value]) => sum + 4 + name.length + value.length, 0);
        const limit = random.pick([4096, 65_535]);
        if (size > limit || pairs.length > 128) {
          expect(() => writer.finish(0, 0, limit, 64)).toThrow(UwsgiEncodeError);
        } else {
          const packet = writer.finish(1, 2, limit, 64);
          expect(decodePacket(packet)).toMatchObject({
            modifier1: 1,
            modifier2: 2,
            bytesUsed: packet.length,
          });
          expect(decodePacket(packet)!.vars.map(([name, value]) => [latin1(name), latin1(value)])).toEqual(
            pairs.map(([name, value]) => [name, value]),
          );
        }
      },
      (pairs) => `vars of ${pairs.map(([name, value]) => `${name.length}+${value.length}`).join(", ")} bytes`,
    );
  },
  fuzzTimeoutMs,
);

function randomPairs(random: Random): Pair[] {
  const longest = random.pick([8, 8, 8, 60, 60, 300, 5000, 66_000]);
  return Array.from({ length: random.below(random.pick([4, 20, 20, 140])) }, () => {
    const name = `HTTP_${"N".repeat(1 + random.below(30))}`;
    return [name, String.fromCharCode(random.below(256)).repeat(random.below(longest))] as const;
  });
}

/** Writes one var in one of the ways that there are. */
function write(writer: PacketWriter, name: string, value: string, random: Random): void {
  const source = Buffer.from(`${name}${value}`, "latin1");
  const way = random.below(4);
  if (way === 0 || value.length > 65_535) {
    writer.text(encodeKey(name), value);
  } else if (way === 1) {
    writer.span(encodeKey(name), source, name.length, source.length);
  } else if (way === 2) {
    writer.encoded(encodePair(name, value), 1);
  } else if (writer.field(source, "HTTP_".length, name.length, value.length)) {
    writer.append(source, name.length, source.length);
  }
}

function rewrite(packet: UwsgiPacket): Buffer {
  const writer = new PacketWriter();
  writer.begin();
  for (const [name, value] of packet.vars) {
    const key = Buffer.concat([Buffer.of(name.length & 0xff, name.length >> 8), name]);
    writer.span(key, Buffer.from(value), 0, value.length);
  }
  return writer.finish(packet.modifier1, packet.modifier2, 65_535, 65_535);
}

function orRefused(act: () => UwsgiPacket | undefined): UwsgiPacket | undefined | "refused" {
  try {
    return act();
  } catch (error) {
    if (error instanceof UwsgiError) return "refused";
    throw error;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
