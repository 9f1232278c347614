/** Proves that pauses grow from 0.5 to 30 s with jitter, heed Retry-After within a bound, and begin anew after success. */
import { describe, expect, test } from "bun:test";
import { Backoff, MAX_RETRY_AFTER_MS } from "./backoff.ts";

describe("Backoff", () => {
  test("grows to its bounds, between half and whole", () => {
    const least = new Backoff(() => 0);
    const most = new Backoff(() => 0.999_999);
    const pauses = Array.from({ length: 8 }, () => [least.afterFailureMs(), most.afterFailureMs()]);
    expect(pauses.map(([low]) => low)).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    expect(pauses.map(([, high]) => Math.round(high!))).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
    ]);
  });

  test("begins anew after success", () => {
    const backoff = new Backoff(() => 0);
    for (let i = 0; i < 5; i++) backoff.afterFailureMs();
    backoff.reset();
    expect(backoff.afterFailureMs()).toBe(500);
  });

  test("heeds Retry-After where it is longer, up to a bound", () => {
    const backoff = new Backoff(() => 0);
    expect(backoff.afterFailureMs(100)).toBe(500);
    expect(backoff.afterFailureMs(7000)).toBe(7000);
    expect(backoff.afterFailureMs(86_400_000)).toBe(MAX_RETRY_AFTER_MS);
  });

  test("lets the usual happen once without a pause", () => {
    const backoff = new Backoff(() => 0);
    expect([backoff.afterUsualMs(), backoff.afterUsualMs(), backoff.afterUsualMs()]).toEqual([0, 1000, 2000]);
    backoff.reset();
    expect(backoff.afterUsualMs()).toBe(0);
  });
});
