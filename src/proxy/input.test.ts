/** Proves that what a client sends ahead is kept whole, and that beyond a bound it waits in the kernel. */
import { describe, expect, test } from "bun:test";
import { Input } from "./input.ts";
import { RecordingStream } from "./recording-stream.fixture.ts";

function set() {
  const stream = new RecordingStream();
  return { stream, input: new Input(stream) };
}

describe("bytes", () => {
  test("that are not used stay before those that come later", () => {
    const { input } = set();
    input.push(Buffer.from("abc"));
    input.at = 2;
    input.push(Buffer.from("def"));
    expect(input.bytes!.toString("latin1", input.at)).toBe("cdef");
  });

  test("are gone after clear", () => {
    const { input } = set();
    expect(input.empty).toBe(true);
    input.push(Buffer.from("abc"));
    expect(input.empty).toBe(false);
    input.clear();
    expect(input.empty).toBe(true);
  });
});

describe("the stream", () => {
  test("is paused once while too much waits, and resumed once", () => {
    const { input, stream } = set();
    input.push(Buffer.alloc(1_000_000));
    input.regulate();
    input.regulate();
    expect(stream.calls).toEqual(["pause"]);
    input.at = 1_000_000 - 5;
    input.regulate();
    expect(stream.calls).toEqual(["pause", "resume"]);
  });

  test("is resumed when all was thrown away", () => {
    const { input, stream } = set();
    input.push(Buffer.alloc(1_000_000));
    input.regulate();
    input.clear();
    input.regulate();
    expect(stream.calls).toEqual(["pause", "resume"]);
  });

  test("is left alone where nothing waits", () => {
    const { input, stream } = set();
    input.regulate();
    expect(stream.calls).toEqual([]);
  });
});
