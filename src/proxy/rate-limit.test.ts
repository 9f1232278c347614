/** Proves how fast a limited response may leave: a second's worth at once, then so much per second. */
import { expect, test } from "bun:test";
import { RateLimit } from "./rate-limit.ts";

test("a second's worth may leave at once, then as time passes", () => {
  let nowMs = 5000;
  const limit = new RateLimit(1000, () => nowMs);
  expect(limit.allowance()).toBe(1000);
  limit.took(1000);
  expect(limit.allowance()).toBe(0);
  nowMs += 250;
  expect(limit.allowance()).toBe(250);
  limit.took(100);
  nowMs += 1000;
  expect(limit.allowance()).toBe(1150);
});

test("more than was allowed is paid back first", () => {
  let nowMs = 0;
  const limit = new RateLimit(10, () => nowMs);
  limit.took(30);
  expect(limit.allowance()).toBe(0);
  nowMs = 2000;
  expect(limit.allowance()).toBe(0);
  nowMs = 2100;
  expect(limit.allowance()).toBe(1);
});

test("bytes come whole, and none is lost between", () => {
  let nowMs = 0;
  const limit = new RateLimit(3, () => nowMs);
  let sent = 0;
  for (; nowMs <= 10_000; nowMs += 50) {
    const allowed = limit.allowance();
    expect(Number.isInteger(allowed)).toBe(true);
    limit.took(allowed);
    sent += allowed;
  }
  expect(sent).toBe(33);
});
