/** Proves the path rules of the Kubernetes Ingress and the Gateway API: exact, then the longest prefix by whole elements. */
import { describe, expect, test } from "bun:test";
import { PathMatcher } from "./path-matcher.ts";

type Rule = readonly [type: "exact" | "prefix", path: string];

/** Which of the rules takes the path, as `type:path`. */
function matched(rules: readonly Rule[], path: string): string | undefined {
  const matcher = new PathMatcher<string>();
  for (const [type, value] of rules) matcher.add(type, value, `${type}:${value}`);
  return matcher.match(path);
}

/** The table of kubernetes.io/docs "Ingress: Examples"; a prefix comes here without its trailing slash. */
describe("the examples of the Ingress documentation", () => {
  const table: readonly (readonly [rules: readonly Rule[], path: string, match: boolean])[] = [
    [[["prefix", ""]], "/any/path", true],
    [[["exact", "/foo"]], "/foo", true],
    [[["exact", "/foo"]], "/bar", false],
    [[["exact", "/foo"]], "/foo/", false],
    [[["exact", "/foo/"]], "/foo", false],
    [[["prefix", "/foo"]], "/foo", true],
    [[["prefix", "/foo"]], "/foo/", true],
    [[["prefix", "/aaa/bb"]], "/aaa/bbb", false],
    [[["prefix", "/aaa/bbb"]], "/aaa/bbb", true],
    [[["prefix", "/aaa/bbb"]], "/aaa/bbb/", true],
    [[["prefix", "/aaa/bbb"]], "/aaa/bbb/ccc", true],
    [[["prefix", "/aaa/bbb"]], "/aaa/bbbxyz", false],
    [
      [
        ["prefix", ""],
        ["prefix", "/aaa"],
      ],
      "/aaa/ccc",
      true,
    ],
    [[["prefix", "/aaa"]], "/ccc", false],
  ];
  test.each(table)("%j and %s: %p", (rules, path, match) => {
    expect(matched(rules, path) !== undefined).toBe(match);
  });
});

describe("among several that match", () => {
  const rules: readonly Rule[] = [
    ["prefix", ""],
    ["prefix", "/a"],
    ["prefix", "/a/b/c"],
    ["exact", "/a"],
    ["exact", "/a/b/c/"],
  ];
  test.each([
    ["/", "prefix:"],
    ["/x/a", "prefix:"],
    ["/a", "exact:/a"],
    ["/a/", "prefix:/a"],
    // The prefix tree passes through /a/b, which nobody asked for.
    ["/a/b", "prefix:/a"],
    ["/a/b/", "prefix:/a"],
    ["/a/b/cc", "prefix:/a"],
    ["/a/b/c", "prefix:/a/b/c"],
    ["/a/b/c/", "exact:/a/b/c/"],
    ["/a/b/c/d/e", "prefix:/a/b/c"],
    ["/ab", "prefix:"],
  ])("%s goes to %s", (path, rule) => {
    expect(matched(rules, path)).toBe(rule);
  });

  test("the order in which they come does not count", () => {
    expect(matched([...rules].reverse(), "/a/b/c/d")).toBe("prefix:/a/b/c");
  });

  test("of equal ones the earlier stays", () => {
    const matcher = new PathMatcher<number>();
    matcher.add("exact", "/a", 1);
    matcher.add("exact", "/a", 2);
    matcher.add("prefix", "/b", 3);
    matcher.add("prefix", "/b", 4);
    expect([matcher.match("/a"), matcher.match("/b")]).toEqual([1, 3]);
  });
});

describe("corner cases", () => {
  test("an empty matcher matches nothing", () => {
    expect(matched([], "/")).toBeUndefined();
  });

  test("case counts, and names of object members are names like any other", () => {
    expect(matched([["prefix", "/Foo"]], "/foo")).toBeUndefined();
    expect(matched([["prefix", "/constructor"]], "/constructor/x")).toBe("prefix:/constructor");
    expect(matched([["prefix", "/a"]], "/__proto__")).toBeUndefined();
  });

  test("empty elements are elements", () => {
    expect(matched([["prefix", "/a//b"]], "/a//b/c")).toBe("prefix:/a//b");
    expect(matched([["prefix", "/a//b"]], "/a/b")).toBeUndefined();
  });

  test("a value of 0 or an empty text is a value", () => {
    const matcher = new PathMatcher<string | number>();
    matcher.add("prefix", "", 0);
    matcher.add("exact", "/a", "");
    expect([matcher.match("/b"), matcher.match("/a")]).toEqual([0, ""]);
  });
});
