/** Proves which host entry serves a request: exact, longest wildcard, any; and that rules are ranked by host before path. */
import { describe, expect, test } from "bun:test";
import type { HostEntry, Rule } from "../snapshot/snapshot.ts";
import { compileHost, HostMatcher } from "./host-matcher.ts";

/** Host and path of a rule, and how deep its wildcard reaches. */
type Given = readonly [
  hostname: string,
  path: string,
  depth?: Rule["wildcardDepth"],
  type?: "exact" | "prefix",
];

function matcherOf(given: readonly Given[]): HostMatcher<string> {
  const byHost = new Map<string, Rule[]>();
  for (const [hostname, value, wildcardDepth = "any", type = "prefix"] of given) {
    const rule = { id: `${hostname}${value}`, path: { type, value }, wildcardDepth } as Rule;
    byHost.set(hostname, [...(byHost.get(hostname) ?? []), rule]);
  }
  const matcher = new HostMatcher<string>();
  for (const [hostname, rules] of byHost) {
    const entry: HostEntry = { hostname, rules };
    matcher.add(
      hostname,
      compileHost(entry, ({ id }) => id),
    );
  }
  return matcher;
}

describe("precedence", () => {
  const matcher = matcherOf([
    ["", ""],
    ["*.example.com", ""],
    ["*.eu.example.com", ""],
    ["shop.eu.example.com", ""],
  ]);
  test.each([
    ["shop.eu.example.com", "shop.eu.example.com"],
    ["blog.eu.example.com", "*.eu.example.com"],
    ["a.b.eu.example.com", "*.eu.example.com"],
    ["eu.example.com", "*.example.com"],
    ["example.com", ""],
    ["notexample.com", ""],
    ["com", ""],
    ["", ""],
    [".example.com", ""],
  ])("%s is served by %p", (host, entry) => {
    expect(matcher.match(host, "/")).toBe(entry);
  });
});

describe("a request that names no host", () => {
  test.each([
    [["b.test", "a.test", "*.a.test"], "a.test"],
    [["*.b.test", "*.a.test"], "*.a.test"],
    [["*.a.test", "z.test"], "z.test"],
    [["a.test", ""], ""],
    [[], undefined],
  ] as const)("among %j is for %p", (hosts, want) => {
    expect(matcherOf(hosts.map((host) => [host, ""])).matchUnnamed("/")).toBe(want);
  });

  test("goes to the first name where the rules for any host have nothing for its path", () => {
    const matcher = matcherOf([
      ["a.test", ""],
      ["", "/any"],
    ]);
    expect([matcher.matchUnnamed("/any"), matcher.matchUnnamed("/")]).toEqual(["/any", "a.test"]);
  });
});

describe("how many labels a wildcard stands for", () => {
  const matcher = matcherOf([
    ["*.one.test", "", "one"],
    ["*.any.test", "", "any"],
    ["*.both.test", "/one", "one"],
    ["*.both.test", "/any", "any"],
  ]);
  test.each([
    ["a.one.test", "/", "*.one.test"],
    ["a.b.one.test", "/", undefined],
    ["one.test", "/", undefined],
    ["a.any.test", "/", "*.any.test"],
    ["a.b.c.any.test", "/", "*.any.test"],
    ["any.test", "/", undefined],
    ["a.both.test", "/one", "*.both.test/one"],
    ["a.b.both.test", "/one", undefined],
    ["a.b.both.test", "/any", "*.both.test/any"],
  ] as const)("%s%s", (host, path, rule) => {
    expect(matcher.match(host, path)).toBe(rule as string);
  });

  test("a nearer wildcard that stands for one label leaves deeper hosts to a wider one", () => {
    const nested = matcherOf([
      ["*.a.test", "", "one"],
      ["*.test", "", "any"],
    ]);
    expect(nested.match("x.a.test", "/")).toBe("*.a.test");
    expect(nested.match("x.y.a.test", "/")).toBe("*.test");
  });
});

describe("a host without a rule for the path", () => {
  const matcher = matcherOf([
    ["shop.example.com", "/cart"],
    ["*.example.com", "/static"],
    ["*.com", "/health"],
    ["", ""],
  ]);
  test.each([
    ["/cart/1", "shop.example.com/cart"],
    ["/static/a.css", "*.example.com/static"],
    ["/health", "*.com/health"],
    ["/other", ""],
  ])("leaves %s to %p", (path, rule) => {
    expect(matcher.match("shop.example.com", path)).toBe(rule);
  });

  test("the host counts before the path: a prefix there beats an exact path elsewhere", () => {
    const ranked = matcherOf([
      ["a.test", "", "any", "prefix"],
      ["*.test", "/x", "any", "exact"],
      ["", "/x", "any", "exact"],
    ]);
    expect(ranked.match("a.test", "/x")).toBe("a.test");
    expect(ranked.match("b.test", "/x")).toBe("*.test/x");
  });

  test("nothing matches where there is no catch-all", () => {
    const lone = matcherOf([["a.test", "/x"]]);
    expect(lone.match("a.test", "/y")).toBeUndefined();
    expect(lone.match("b.test", "/x")).toBeUndefined();
  });
});

test("a path beyond ASCII matches the bytes on the wire, one character each", () => {
  const matcher = matcherOf([["h", "/caf\u00e9", "any", "exact"]]);
  expect(matcher.match("h", Buffer.from("/caf\u00e9").toString("latin1"))).toBe("h/caf\u00e9");
  expect(matcher.match("h", "/caf\u00e9")).toBeUndefined();
});

test("names of object members are hosts like any other", () => {
  expect(matcherOf([["h", ""]]).match("constructor", "/")).toBeUndefined();
});
