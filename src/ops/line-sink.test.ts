// Proves: lines leave by size, by time and at exit; writers that share a pipe never mix their lines; a reader that
// stalls costs lines, which are counted, and neither time nor memory.
import { afterAll, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineSink, openLineTarget } from "./line-sink.ts";

const dir = mkdtempSync(join(tmpdir(), "line-sink-"));
afterAll(() => rmSync(dir, { recursive: true }));

function pipe(name: string): { reader: number; writer: number } {
  const path = join(dir, name);
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

function drainPipe(reader: number): string {
  const buffer = Buffer.alloc(1 << 20);
  let text = "";
  try {
    for (let n = 0; (n = readSync(reader, buffer, 0, buffer.length, null)) > 0; )
      text += buffer.toString("latin1", 0, n);
  } catch {
    // Empty for now.
  }
  return text;
}

describe("LineSink", () => {
  test("a file: at once on flush, in order, with nothing lost", () => {
    const path = join(dir, "file");
    const sink = new LineSink(openLineTarget(openSync(path, "w")), () => expect.unreachable());
    const lines = Array.from({ length: 2000 }, (_, n) => `${n} ${"x".repeat(n % 300)}\n`);
    for (const line of lines) sink.write(line);
    sink.flushSync();
    expect(readFileSync(path, "latin1")).toBe(lines.join(""));
  });

  test("by size without being asked, by time otherwise", async () => {
    const path = join(dir, "timed");
    const sink = new LineSink(openLineTarget(openSync(path, "w")), () => expect.unreachable());
    for (let n = 0; n < 41; n++) sink.write(`${"x".repeat(1023)}\n`);
    expect(readFileSync(path).length).toBe(32 * 1024);
    const begun = performance.now();
    while (readFileSync(path).length < 41 * 1024) {
      expect(performance.now() - begun).toBeLessThan(1000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  test("a target that only takes blocking writes", async () => {
    const path = join(dir, "background");
    const sink = new LineSink({ fd: openSync(path, "w"), immediate: false }, () => expect.unreachable());
    const lines = Array.from({ length: 1000 }, (_, n) => `${n}${"y".repeat(100)}\n`);
    for (const line of lines) sink.write(line);
    sink.flush();
    const begun = performance.now();
    while (readFileSync(path).length < lines.join("").length) {
      expect(performance.now() - begun).toBeLessThan(1000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(readFileSync(path, "latin1")).toBe(lines.join(""));
  });

  test("blocking writes at exit: what is under way is not written twice", () => {
    const path = join(dir, "exit");
    const sink = new LineSink({ fd: openSync(path, "w"), immediate: false }, () => expect.unreachable());
    const lines = Array.from({ length: 100 }, (_, n) => `${n}${"z".repeat(100)}\n`);
    for (const line of lines) sink.write(line);
    sink.flush();
    sink.flushSync();
    expect(readFileSync(path, "latin1")).toBe(lines.join(""));
  });

  test("a stalled pipe: bounded, counted, and whole lines once it is read again", () => {
    const { reader, writer } = pipe("stalled");
    let dropped = 0;
    const target = openLineTarget(writer);
    expect(target.immediate).toBe(true);
    const sink = new LineSink(target, (lines) => (dropped += lines));
    const begun = performance.now();
    for (let n = 0; n < 60_000; n++) sink.write(`${String(n).padStart(99, "0")}\n`);
    expect(performance.now() - begun).toBeLessThan(500);
    expect(dropped).toBeGreaterThan(10_000);
    let text = "";
    for (let part = drainPipe(reader); part !== ""; part = drainPipe(reader)) {
      text += part;
      sink.flush();
    }
    const lines = text.trimEnd().split("\n");
    expect(lines.length).toBe(60_000 - dropped);
    expect(lines.every((line, n) => line === String(n).padStart(99, "0"))).toBe(true);
    closeSync(reader);
  });

  test("a reader that is gone for good: lines are counted as dropped, nothing throws", () => {
    const { reader, writer } = pipe("gone");
    let dropped = 0;
    const sink = new LineSink(openLineTarget(writer), (lines) => (dropped += lines));
    closeSync(reader);
    sink.write("one\n");
    sink.write("two\n");
    sink.flush();
    expect(dropped).toBe(2);
  });

  test("four processes on one pipe with a slow reader: every line is whole", async () => {
    const program = `
      const { openStdoutSink } = await import(${JSON.stringify(join(import.meta.dir, "line-sink.ts"))});
      const sink = openStdoutSink(() => process.exit(9));
      const mark = process.argv.at(-1);
      for (let n = 0; n < 3000; n++) sink.write(mark.repeat(50 + (n * 37) % 400) + "\\n");`;
    const path = join(dir, "shared");
    execFileSync("mkfifo", [path]);
    const reader = spawn("cat", [path], { stdio: ["ignore", "pipe", "inherit"] });
    const writer = openSync(path, constants.O_RDWR);
    let text = "";
    reader.stdout.on("data", (part: Buffer) => {
      text += part.toString("latin1");
      reader.stdout.pause();
      setTimeout(() => reader.stdout.resume(), 1);
    });
    const ended = new Promise((resolve) => reader.stdout.on("end", resolve));
    const children = ["a", "b", "c", "d"].map((mark) =>
      spawn(process.execPath, ["-e", program, mark], { stdio: ["ignore", writer, "inherit"] }),
    );
    const codes = await Promise.all(children.map((child) => new Promise((done) => child.on("exit", done))));
    closeSync(writer);
    await ended;
    expect(codes).toEqual([0, 0, 0, 0]);
    const lines = text.trimEnd().split("\n");
    expect(lines.length).toBe(12_000);
    expect(lines.filter((line) => !/^(a+|b+|c+|d+)$/.test(line))).toEqual([]);
  }, 15_000);

  test("what is pending goes out at exit, also after an uncaught error", async () => {
    for (const end of ["process.exit(3)", "throw new Error('on purpose')", "await 0"]) {
      const program = `
        const { openStdoutSink } = await import(${JSON.stringify(join(import.meta.dir, "line-sink.ts"))});
        openStdoutSink(() => {}).write("last words\\n");
        ${end};`;
      const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "ignore"] });
      let text = "";
      child.stdout.on("data", (part) => (text += part));
      await new Promise((done) => child.on("close", done));
      expect(text).toBe("last words\n");
    }
  });
});
