/** Proves when a client that takes nothing is given up: measured between two successful writes, and only while something waits. */
import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { Stats } from "../ops/stats.ts";
import { Output } from "./output.ts";
import { RecordingStream } from "./recording-stream.fixture.ts";
import { SendDeadline } from "./send-deadline.ts";

function set() {
  const stream = new RecordingStream();
  const bounds = { memoryBytes: 1000, tempDir: tmpdir(), tempFileBytes: 1000 };
  const output = new Output(stream, bounds, new Stats());
  const send = (text: string) => output.send(Buffer.from(text), 0, text.length, false, false);
  return { stream, output, send, deadline: new SendDeadline(output, 1000) };
}

describe("a client that takes nothing", () => {
  test("is told of once, the time after it was first seen waiting", () => {
    const { stream, send, deadline } = set();
    stream.room = 0;
    send("abc");
    expect([0, 999, 1000, 1001].map((nowMs) => deadline.passed(nowMs))).toEqual([false, false, true, false]);
  });

  test("has its time anew with each byte that it takes", () => {
    const { stream, output, send, deadline } = set();
    stream.room = 1;
    send("abc");
    expect(deadline.passed(0)).toBe(false);
    expect(deadline.passed(900)).toBe(false);
    stream.room = 1;
    output.pump();
    expect(deadline.passed(950)).toBe(false);
    expect(deadline.passed(1949)).toBe(false);
    expect(deadline.passed(1950)).toBe(true);
  });

  test("has no deadline once it has everything", () => {
    const { stream, output, send, deadline } = set();
    stream.room = 0;
    send("abc");
    expect(deadline.passed(0)).toBe(false);
    stream.room = 10;
    output.pump();
    expect(deadline.passed(5000)).toBe(false);
    stream.room = 0;
    send("def");
    expect(deadline.passed(9000)).toBe(false);
    expect(deadline.passed(9999)).toBe(false);
    expect(deadline.passed(10_000)).toBe(true);
  });
});
