/** Proves what becomes of bytes that a client does not take at once: order, bounds, the temporary file, files, rate. */
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stats } from "../ops/stats.ts";
import { Output } from "./output.ts";
import { RateLimit } from "./rate-limit.ts";
import { RecordingStream } from "./recording-stream.fixture.ts";

const tempDir = mkdtempSync(join(tmpdir(), "output-"));
afterAll(() => rmSync(tempDir, { recursive: true }));

function set(memoryBytes = 10, tempFileBytes = 1000) {
  const stream = new RecordingStream();
  const stats = new Stats();
  const output = new Output(stream, { memoryBytes, tempDir, tempFileBytes }, stats);
  const send = (text: string, spill = false, reused = false) => {
    const bytes = Buffer.from(`..${text}..`);
    output.send(bytes, 2, bytes.length - 2, reused, spill);
    if (reused) bytes.fill("!");
  };
  return { stream, stats, output, send };
}

/** Pumps with so much room at a time until all has left. */
function drain({ stream, output }: ReturnType<typeof set>, room: number): void {
  for (let i = 0; i < 100_000 && !output.idle; i++) {
    stream.room = room;
    output.pump();
  }
}

describe("what the kernel does not take", () => {
  test("waits in memory, in order, and is counted", () => {
    const all = set();
    const { stream, output, send } = all;
    stream.room = 2;
    send("abc");
    send("def", false, true);
    expect([output.idle, output.waitingBytes, output.full]).toEqual([false, 4, false]);
    send("ghijkl");
    expect(output.full).toBe(true);
    drain(all, 1);
    expect(stream.text).toBe("abcdefghijkl");
    expect([output.idle, output.full, output.waitingBytes]).toEqual([true, false, 0]);
    expect([output.takeSentBytes(), output.takeSentBytes()]).toEqual([12, 0]);
  });

  test("the bound on the file is told once", () => {
    const { stream, output, stats, send } = set(10, 20);
    stream.room = 0;
    send("0123456789abcdefghi", true);
    expect([output.full, stats.report().boundHits]).toEqual([false, { response_memory: 1 }]);
    for (let i = 0; i < 3; i++) send("x", true);
    expect([output.full, stats.report().boundHits]).toEqual([true, { response_memory: 1, response_file: 1 }]);
    output.close();
  });

  test("goes to a file beyond the bound, and what comes after it too", () => {
    const all = set();
    const { stream, stats, output, send } = all;
    stream.room = 1;
    send("abcde", true);
    expect(output.waitingBytes).toBe(4);
    send("0123456789", true);
    send("x", true);
    expect([output.waitingBytes, output.full]).toEqual([4, false]);
    expect(stats.report().boundHits).toEqual({ response_memory: 1 });
    drain(all, 3);
    expect(stream.text).toBe("abcde0123456789x");
    expect(output.idle).toBe(true);
  });

  test("is more than enough when the file has reached its bound", () => {
    const all = set(10, 100);
    all.stream.room = 0;
    all.send("a".repeat(99), true);
    expect(all.output.full).toBe(false);
    all.send("b", true);
    expect(all.output.full).toBe(true);
    drain(all, 7);
    expect(all.stream.text).toBe(`${"a".repeat(99)}b`);
    expect(all.output.full).toBe(false);
  });

  test("is more than memory holds where it may not go to a file", () => {
    const { stream, output, send } = set();
    stream.room = 0;
    send("a".repeat(50));
    expect([output.full, output.waitingBytes]).toEqual([true, 50]);
  });

  test("of a second response goes to a file of its own", () => {
    const all = set(1);
    for (const text of ["first response", "second one"]) {
      all.stream.room = 0;
      all.send(text, true);
      drain(all, 4);
    }
    expect(all.stream.text).toBe("first responsesecond one");
    expect(all.stats.report().boundHits).toEqual({ response_memory: 2 });
  });
});

describe("parts", () => {
  const path = join(tempDir, "file");
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
  writeFileSync(path, content);

  test.each([1_000_000, 70_000, 999])("of bytes and files leave in order, %d at a time", (room) => {
    const all = set();
    const fd = openSync(path, "r");
    all.stream.room = 0;
    all.send("head");
    all.output.sendParts([
      Buffer.from("--a--"),
      { fd, offset: 10, length: 200_000 },
      Buffer.alloc(0),
      Buffer.from("--b--"),
      { fd, offset: 299_999, length: 1 },
    ]);
    drain(all, room);
    const wanted = `head--a--${content.toString("latin1", 10, 200_010)}--b--${content.toString("latin1", 299_999)}`;
    expect(all.stream.text === wanted).toBe(true);
    closeSync(fd);
  });

  test("of a large file leave in turns, so that others have theirs", () => {
    const { output, stream } = set();
    const large = join(tempDir, "large");
    writeFileSync(large, Buffer.alloc(2_500_000));
    const fd = openSync(large, "r");
    output.sendParts([{ fd, offset: 0, length: 2_500_000 }]);
    const turns = [output.pump(), output.pump(), output.pump()];
    expect(turns).toEqual([false, false, true]);
    expect(stream.text.length).toBe(2_500_000);
    closeSync(fd);
  });

  test("of a file that has become shorter throw", () => {
    const { output } = set();
    const short = join(tempDir, "short");
    writeFileSync(short, "abcdef");
    const fd = openSync(short, "r");
    truncateSync(short, 3);
    output.sendParts([{ fd, offset: 0, length: 6 }]);
    expect(() => output.pump()).toThrow("shorter");
    closeSync(fd);
  });
});

describe("a limited response", () => {
  test("leaves as fast as the limit allows, from memory and from the file", () => {
    let nowMs = 0;
    const { output, stream, send } = set(4);
    output.rateLimit = new RateLimit(10, () => nowMs);
    expect(output.limited).toBe(true);
    send("0123456789abcdefghijklmnop", true);
    expect(stream.text).toBe("0123456789");
    output.pump();
    expect(stream.text).toBe("0123456789");
    nowMs = 500;
    output.pump();
    expect(stream.text).toBe("0123456789abcde");
    nowMs = 60_000;
    output.pump();
    expect(stream.text).toBe("0123456789abcdefghijklmnop");
    expect(output.idle).toBe(true);
  });
});

describe("a client that is gone", () => {
  test("gets nothing more, and leaves nothing waiting", () => {
    const { output, stream, send } = set();
    stream.room = 0;
    send("a".repeat(5), true);
    send("b".repeat(50), true);
    output.close();
    expect([output.idle, output.waitingBytes, output.full]).toEqual([true, 0, false]);
    send("more");
    stream.room = 100;
    output.pump();
    expect(stream.text).toBe("");
  });

  test("between a write and its close takes nothing, and that is no fault", () => {
    const { output, stream, send } = set();
    stream.room = -1;
    send("abc");
    expect(output.waitingBytes).toBe(3);
    expect(output.pump()).toBe(true);
  });
});
