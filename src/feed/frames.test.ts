/** Proves that messages survive every split of their bytes, and that what is no frame is an error and nothing else. */
import { describe, expect, test } from "bun:test";
import { encodeFrame, FrameError, FrameReader } from "./frames.ts";

const messages = [{ type: "ack", version: "1" }, {}, { text: "ä".repeat(300) }];
const bytes = Buffer.concat(messages.map(encodeFrame));

describe("FrameReader", () => {
  test("reads whole, and split at every byte", () => {
    expect(new FrameReader().read(bytes)).toEqual(messages);
    for (let at = 0; at <= bytes.length; at++) {
      const reader = new FrameReader();
      const got = [...reader.read(bytes.subarray(0, at)), ...reader.read(bytes.subarray(at))];
      expect(got).toEqual(messages);
    }
    const reader = new FrameReader();
    expect([...bytes].flatMap((byte) => reader.read(Buffer.from([byte])))).toEqual(messages);
  });

  test("holds back what is not whole", () => {
    for (let end = 0; end < encodeFrame(messages[0]!).length; end++) {
      expect(new FrameReader().read(bytes.subarray(0, end))).toEqual([]);
    }
  });

  test.each([
    ["too long", Buffer.from([0, 0, 1, 0])],
    ["not JSON", Buffer.from([0, 0, 0, 1, 0x7b])],
  ])("%s is an error", (_, wrong) => {
    expect(() => new FrameReader(255).read(wrong)).toThrow(FrameError);
  });
});
