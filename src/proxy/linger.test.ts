/** Proves the bounds on reading what nobody wants. */
import { expect, test } from "bun:test";
import { Linger } from "./linger.ts";

test("5 s from read to read, and 30 s in all", () => {
  const linger = new Linger();
  expect(linger.begin(1000)).toBe(6000);
  expect([linger.more(5999), linger.more(26_500)]).toEqual([10_999, 31_000]);
});
