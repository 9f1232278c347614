/** Proves that every field of a host entry counts, and that what is equal comes back as the value that was there before. */
import { describe, expect, test } from "bun:test";
import { sameWhereEqual } from "./host-equality.ts";
import type { HostEntry, Rule } from "./snapshot.ts";

const forward: Rule = {
  id: "r",
  path: { type: "prefix", value: "/a" },
  wildcardDepth: "any",
  serverName: "a.test",
  action: { type: "forward", settings: "s", backends: [{ upstream: "u", weight: 1 }] },
};
const files: Rule = {
  ...forward,
  action: { type: "static", root: "/srv", stripPrefix: "", index: ["index.html"], dotFiles: false },
};
const hostOf = (rule: Rule, hostname = "a.test"): HostEntry => ({ hostname, rules: [rule] });
const copy = <T>(value: T): T => structuredClone(value);

/** Every way to change one leaf of a value. */
function variants<T>(value: T): T[] {
  if (typeof value === "string") return [`${value}x` as T];
  if (typeof value === "number") return [(value + 1) as T];
  if (typeof value === "boolean") return [!value as T];
  if (Array.isArray(value)) {
    const changed = value.flatMap((each, i) => variants(each).map((other) => value.with(i, other) as T));
    return [...changed, value.slice(1) as T];
  }
  return Object.entries(value as object).flatMap(([key, each]) =>
    variants(each).map((other) => ({ ...value, [key]: other })),
  );
}

describe("sameWhereEqual", () => {
  test.each([
    ["forward", hostOf(forward)],
    ["static", hostOf(files)],
  ])("a %s rule: equal is the same, and any other leaf is not", (_, host) => {
    const before = [host];
    expect(sameWhereEqual([copy(host)], before)).toBe(before);
    const others = variants(host);
    expect(others.length).toBeGreaterThan(8);
    for (const other of others) expect(sameWhereEqual([other], before)[0]).toBe(other);
  });

  test("among others, that come and go", () => {
    const [a, b, c] = ["a.test", "b.test", "c.test"].map((name) => hostOf(forward, name));
    const result = sameWhereEqual([copy(a!), hostOf(files, "b.test"), copy(c!)], [a!, b!, c!]);
    expect(result[0]).toBe(a!);
    expect(result[1]).toEqual(hostOf(files, "b.test"));
    expect(result[2]).toBe(c!);
    expect(sameWhereEqual([copy(c!)], [a!, c!])[0]).toBe(c!);
    expect(sameWhereEqual([copy(a!), copy(b!)], [b!])).toEqual([a!, b!]);
  });
});
