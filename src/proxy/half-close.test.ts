/** Proves what a client's FIN is taken for: a half-close along with its requests, or the end. */
import { describe, expect, test } from "bun:test";
import { hasLeft } from "./half-close.ts";

const left = (nowMs: number, lastByteAtMs: number, options = {}) =>
  hasLeft({ nowMs, lastByteAtMs, inputWaits: false, contentType: undefined, ...options });

describe("FIN", () => {
  test("along with the request: the client waits for its answer", () => {
    expect(left(1000, 1000)).toBe(false);
    expect(left(1099, 1000)).toBe(false);
  });

  test("while requests that came before it wait: the same, however long they do", () => {
    expect(left(9000, 1000, { inputWaits: true })).toBe(false);
  });

  test("later: the client has left", () => {
    expect(left(1100, 1000)).toBe(true);
  });

  test("during events: the client has left, whatever waits", () => {
    expect(left(1000, 1000, { contentType: "text/event-stream", inputWaits: true })).toBe(true);
  });
});

test.each([
  ["text/event-stream", true],
  ["Text/Event-Stream ; charset=utf-8", true],
  ["text/event-streams", false],
  ["text/html", false],
  [undefined, false],
] as const)("at once, with %p on its way: the client has left: %p", (contentType, want) => {
  expect(left(1000, 1000, { contentType })).toBe(want);
});
