/**
 * Proves that what the packet writer writes is what the reader reads, that the limits of the protocol and of the uWSGI behind it are
 * kept to the byte, and that one writer's packets have nothing of each other.
 */

import { describe, expect, test } from "bun:test";
import { decodePacket } from "./decoder.ts";
import { encodeKey, encodePair, maxBlockBytes, PacketWriter, UwsgiEncodeError } from "./encoder.ts";

const bufferSizeBytes = 4096;
const maxVars = 64;
const key = encodeKey;

function finish(writer: PacketWriter, bufferSize = bufferSizeBytes, vars = maxVars): Buffer {
  return writer.finish(0, 0, bufferSize, vars);
}

function readable(packet: Buffer): string[] {
  const decoded = decodePacket(packet);
  expect(decoded?.bytesUsed).toBe(packet.length);
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  return decoded!.vars.map(([name, value]) => `${text(name)}=${text(value)}`);
}

function begun(): PacketWriter {
  const writer = new PacketWriter();
  writer.begin();
  return writer;
}

function kindOf(act: () => unknown): string {
  try {
    act();
    return "no error";
  } catch (error) {
    if (error instanceof UwsgiEncodeError) return error.kind;
    throw error;
  }
}

describe("a packet", () => {
  test("byte for byte", () => {
    const writer = begun();
    writer.text(key("A"), "bc");
    writer.text(key("D"), "");
    expect([...writer.finish(5, 7, bufferSizeBytes, maxVars)]).toEqual([
      5, 12, 0, 7, 1, 0, 0x41, 2, 0, 0x62, 0x63, 1, 0, 0x44, 0, 0,
    ]);
  });

  test("modifiers up to 255, and no vars", () => {
    expect([...begun().finish(255, 254, bufferSizeBytes, maxVars)]).toEqual([255, 0, 0, 254]);
  });

  test("every way to write a var, in order", () => {
    const source = Buffer.from("GET /path x-real-ip: 10.0.0.1, 10.0.0.2");
    const writer = begun();
    writer.encoded(Buffer.concat([encodePair("HTTPS", "on"), encodePair("EMPTY", "")]), 2);
    writer.text(key("REQUEST_METHOD"), "GET");
    writer.span(key("PATH_INFO"), source, 4, 9);
    writer.span(key("NOTHING"), source, 4, 4);
    expect(writer.field(source, 10, 19, 19)).toBe(true);
    writer.append(source, 21, 29);
    writer.append(source, 29, 31);
    writer.append(source, 31, 39);
    writer.append(source, 0, 1);
    expect(readable(finish(writer))).toEqual([
      "HTTPS=on",
      "EMPTY=",
      "REQUEST_METHOD=GET",
      "PATH_INFO=/path",
      "NOTHING=",
      "HTTP_X_REAL_IP=10.0.0.1, 10.0.0.2G",
    ]);
  });

  test("field names become upper case with underscores, whatever their length", () => {
    const source = Buffer.from("aZ-09-accept-language-and-more");
    const writer = begun();
    for (let length = 1; length <= source.length; length++) writer.field(source, 0, length, 0);
    const whole = "HTTP_AZ_09_ACCEPT_LANGUAGE_AND_MORE";
    expect(readable(finish(writer))).toEqual(Array.from(source, (_, i) => `${whole.slice(0, 6 + i)}=`));
  });

  test("values are bytes, short and long alike", () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const writer = begun();
    for (const length of [0, 1, 11, 12, 13, 256]) {
      writer.span(key("S"), every, 256 - length, 256);
      writer.text(key("T"), every.toString("latin1", 256 - length));
    }
    const vars = readable(finish(writer));
    expect(vars).toEqual(
      [0, 1, 11, 12, 13, 256].flatMap((length) => {
        const value = every.toString("latin1", 256 - length);
        return [`S=${value}`, `T=${value}`];
      }),
    );
  });

  test("a packet is a copy: the writer's next request does not change it", () => {
    const writer = begun();
    writer.text(key("A"), "first");
    const first = finish(writer);
    const before = Buffer.from(first);
    writer.begin();
    writer.text(key("B"), "another");
    expect(readable(finish(writer))).toEqual(["B=another"]);
    expect(first.equals(before)).toBe(true);
  });
});

describe("limits", () => {
  /** A writer whose block holds `bytes` bytes, in one var. */
  const blockOf = (bytes: number) => {
    const writer = begun();
    writer.text(key("K"), "v".repeat(bytes - 5));
    return writer;
  };

  test("uWSGI's --buffer-size: a block of exactly that passes, one more byte is refused and the option is named", () => {
    expect(finish(blockOf(4096)).length).toBe(4100);
    expect(kindOf(() => finish(blockOf(4097)))).toBe("uwsgi_buffer_size_exceeded");
    expect(() => finish(blockOf(4097))).toThrow("--buffer-size");
  });

  test("uWSGI's --max-vars: twice as many pairs pass, one more is refused and the option is named", () => {
    const withPairs = (count: number) => {
      const writer = begun();
      for (let i = 0; i < count; i++) writer.text(key("K"), "");
      return writer;
    };
    expect(readable(finish(withPairs(128)))).toHaveLength(128);
    expect(kindOf(() => finish(withPairs(129)))).toBe("uwsgi_max_vars_exceeded");
    expect(() => finish(withPairs(129))).toThrow("--max-vars");
  });

  test("every way to write a var counts as one", () => {
    const writer = begun();
    writer.encoded(Buffer.concat([encodePair("A", ""), encodePair("B", "")]), 2);
    writer.text(key("C"), "");
    writer.span(key("D"), Buffer.alloc(0), 0, 0);
    writer.field(Buffer.from("E"), 0, 1, 0);
    expect(kindOf(() => finish(writer, bufferSizeBytes, 2))).toBe("uwsgi_max_vars_exceeded");
    expect(readable(finish(writer, bufferSizeBytes, 3))).toHaveLength(5);
  });

  test("the protocol: a block of 65535 bytes passes, one more byte is refused whatever the backend takes", () => {
    const packet = finish(blockOf(maxBlockBytes), 1_000_000);
    expect(packet.length).toBe(4 + maxBlockBytes);
    expect([packet[1], packet[2]]).toEqual([255, 255]);
    expect(readable(packet)[0]!.length).toBe(maxBlockBytes - 3);
    expect(kindOf(() => finish(blockOf(maxBlockBytes + 1), 1_000_000))).toBe("uwsgi_block_too_large");
  });

  test("what comes after the var that did not fit is not written, and the next packet starts anew", () => {
    const large = Buffer.alloc(70_000, "x");
    const ways: ((writer: PacketWriter) => void)[] = [
      (writer) => writer.text(key("K"), large.toString()),
      (writer) => writer.span(key("K"), large, 0, large.length),
      (writer) => writer.encoded(large, 1),
      (writer) => expect(writer.field(Buffer.from("k"), 0, 1, 70_000)).toBe(false),
      (writer) => expect(writer.field(large, 0, 66_000, 0)).toBe(false),
    ];
    for (const write of ways) {
      const writer = begun();
      write(writer);
      writer.text(key("A"), "b");
      expect(writer.field(Buffer.from("k"), 0, 1, 1)).toBe(false);
      expect(kindOf(() => finish(writer, 1_000_000, 1000))).toBe("uwsgi_block_too_large");
      writer.begin();
      writer.text(key("A"), "b");
      expect(readable(finish(writer))).toEqual(["A=b"]);
    }
  });

  test("an empty key is refused, since uWSGI refuses it", () => {
    expect(() => encodeKey("")).toThrow(RangeError);
    expect(() => encodePair("", "x")).toThrow(RangeError);
  });
});
