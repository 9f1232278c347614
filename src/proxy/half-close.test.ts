/** Proves what a client's FIN is taken for: a half-close along with its requests, a question, or the end. */
import { describe, expect, test } from "bun:test";
import { HalfClose } from "./half-close.ts";

function after(finAtMs: number, lastByteAtMs: number, inputWaits = false): HalfClose {
  const halfClose = new HalfClose();
  halfClose.ended(finAtMs, lastByteAtMs, inputWaits);
  return halfClose;
}

describe("FIN", () => {
  test("along with the request: the client waits for its answer", () => {
    expect(after(1000, 1000).verdict(1000, false, 11)).toBe("wait");
    expect(after(1099, 1000).verdict(1099, false, 10)).toBe("wait");
  });

  test("while requests that came before it wait: the same, however long they do", () => {
    expect(after(9000, 1000, true).verdict(9000, false, 11)).toBe("wait");
  });

  test("later: the client is asked where it can be, and else waited for", () => {
    expect(after(1100, 1000).verdict(1100, false, 11)).toBe("ask");
    expect(after(1100, 1000).verdict(1100, false, 10)).toBe("wait");
  });

  test("once a response has begun, its own bytes ask", () => {
    expect(after(1100, 1000).verdict(1100, true, 11)).toBe("wait");
    expect(after(1100, 1000).verdict(1100, true, 10)).toBe("wait");
  });
});

describe("a client that waits", () => {
  test("is asked once, after two seconds", () => {
    const halfClose = after(1000, 1000);
    halfClose.verdict(1000, false, 11);
    expect(halfClose.due(2999)).toBe(false);
    expect(halfClose.due(3000)).toBe(true);
    expect(halfClose.due(9000)).toBe(false);
  });

  test("is not asked when nothing was heard, or the request is over", () => {
    const halfClose = new HalfClose();
    expect(halfClose.due(1e9)).toBe(false);
    halfClose.ended(0, 0, false);
    halfClose.verdict(0, false, 11);
    halfClose.reset();
    expect(halfClose.due(1e9)).toBe(false);
  });
});
