/** Proves that what waits for a socket leaves in order and whole, however little the socket takes at a time. */
import { describe, expect, test } from "bun:test";
import { ByteQueue } from "./byte-queue.ts";
import { RecordingStream } from "./recording-stream.fixture.ts";

function push(queue: ByteQueue, text: string, reused = false): Buffer {
  const bytes = Buffer.from(`<<${text}>>`);
  queue.push(bytes, 2, bytes.length - 2, reused);
  return bytes;
}

describe("order", () => {
  const large = "L".repeat(5000);
  test.each([1, 2, 3, 700, 1024, 1025, 20_000])("holds when %d bytes are taken at a time", (room) => {
    const queue = new ByteQueue();
    const stream = new RecordingStream();
    const pieces = ["a", "bc", large, "d", "e".repeat(1024), "f".repeat(1025), "g", large, "h"];
    let pushed = "";
    for (const [i, piece] of pieces.entries()) {
      push(queue, piece, i % 2 === 0);
      pushed += piece;
      stream.room = room;
      queue.writeTo(stream);
      expect(queue.length).toBe(pushed.length - stream.text.length);
    }
    for (let i = 0; i < 20_000 && queue.length > 0; i++) {
      stream.room = room;
      expect(queue.writeTo(stream)).toBe(true);
    }
    expect(stream.text).toBe(pushed);
    expect(queue.length).toBe(0);
  });

  test("holds for thousands of tiny pieces, which cost few writes", () => {
    const queue = new ByteQueue();
    const stream = new RecordingStream();
    let pushed = "";
    for (let i = 0; i < 10_000; i++) {
      push(queue, `${i},`);
      pushed += `${i},`;
    }
    queue.writeTo(stream);
    expect(stream.text).toBe(pushed);
    expect(stream.writes.length).toBeLessThan(20);
  });
});

describe("a piece", () => {
  test("is kept as a view, or as a copy where its buffer is used again", () => {
    for (const reused of [false, true]) {
      const queue = new ByteQueue();
      const stream = new RecordingStream();
      const bytes = push(queue, "abc", reused);
      bytes.write("XYZ", 2);
      queue.writeTo(stream);
      expect(stream.text).toBe(reused ? "abc" : "XYZ");
    }
  });

  test("of nothing is nothing", () => {
    const queue = new ByteQueue();
    push(queue, "");
    expect(queue.length).toBe(0);
    expect(queue.writeTo(new RecordingStream())).toBe(false);
  });
});

describe("a write", () => {
  test("stops at the bound", () => {
    const queue = new ByteQueue();
    const stream = new RecordingStream();
    push(queue, "abcd");
    push(queue, "efgh");
    expect(queue.writeTo(stream, 6)).toBe(true);
    expect(stream.text).toBe("abcdef");
    expect(queue.writeTo(stream, 0)).toBe(false);
    expect(queue.length).toBe(2);
  });

  test("to a stream that is full or gone takes nothing", () => {
    const queue = new ByteQueue();
    push(queue, "abc");
    for (const room of [0, -1]) {
      const stream = new RecordingStream();
      stream.room = room;
      expect(queue.writeTo(stream)).toBe(false);
      expect(queue.length).toBe(3);
    }
  });
});

test("clear drops what waits; the queue can be used again", () => {
  const queue = new ByteQueue();
  const stream = new RecordingStream();
  push(queue, "a");
  push(queue, "b");
  queue.clear();
  expect(queue.length).toBe(0);
  push(queue, "c");
  queue.writeTo(stream);
  expect(stream.text).toBe("c");
});
