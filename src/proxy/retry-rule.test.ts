/** Proves which requests may be sent a second time, and which bound ends it. */
import { describe, expect, test } from "bun:test";
import { boundOnRetries, isRepeatable } from "./retry-rule.ts";

const retry = { onStatus: [], maxTries: 3, withinMs: 0, nonIdempotent: false };

describe("repeatable", () => {
  test.each([
    ["POST", false, false, true],
    ["POST", false, true, true],
    ["POST", true, false, false],
    ["PATCH", true, false, false],
    ["GET", true, false, true],
    ["PUT", true, true, false],
  ] as const)("%s, sent: %p, streamed: %p: %p", (method, sent, streamed, want) => {
    expect(isRepeatable({ method, sent, streamed }, retry)).toBe(want);
  });

  test("nonIdempotent lets any method through, but not a body that is gone", () => {
    const bold = { ...retry, nonIdempotent: true };
    expect(isRepeatable({ method: "POST", sent: true, streamed: false }, bold)).toBe(true);
    expect(isRepeatable({ method: "POST", sent: true, streamed: true }, bold)).toBe(false);
  });
});

test("bounds have names", () => {
  expect(boundOnRetries(retry, 2, 1e9)).toBeUndefined();
  expect(boundOnRetries(retry, 3, 0)).toBe("retry_tries");
  expect(boundOnRetries({ ...retry, withinMs: 100 }, 1, 99)).toBeUndefined();
  expect(boundOnRetries({ ...retry, withinMs: 100 }, 1, 100)).toBe("retry_time");
});
