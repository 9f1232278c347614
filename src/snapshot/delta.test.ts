/** Proves that a delta leads from any snapshot to any other, carries only what differs, and keeps the rest as it was. */
import { describe, expect, test } from "bun:test";
import { applyDelta, diffSnapshots } from "./delta.ts";
import { SNAPSHOT_FORMAT, type Snapshot } from "./snapshot.ts";
import { snapshotVersion } from "./version.ts";

/** Host name -> root of its files, upstream id -> address. */
function snapshot(hosts: Record<string, string>, upstreams: Record<string, string> = {}): Snapshot {
  const path = { type: "prefix", value: "" } as const;
  const content: Omit<Snapshot, "version"> = {
    format: SNAPSHOT_FORMAT,
    hosts: Object.entries(hosts).map(([hostname, root]) => {
      const action = { type: "static", root, stripPrefix: "", index: [], dotFiles: false } as const;
      return { hostname, rules: [{ id: "r", path, wildcardDepth: "any" as const, serverName: "", action }] };
    }),
    settings: [],
    upstreams: Object.entries(upstreams).map(([id, address]) => ({ id, endpoints: [{ address }] })),
  };
  return { version: snapshotVersion(content), ...content };
}

const a = snapshot({ "a.test": "/a", "b.test": "/b", "c.test": "/c" }, { "n/s:1": "unix:/1" });
const cases: Record<string, Snapshot> = {
  nothing: snapshot({}),
  "the same content": snapshot({ "a.test": "/a", "b.test": "/b", "c.test": "/c" }, { "n/s:1": "unix:/1" }),
  "one host less": snapshot({ "a.test": "/a", "c.test": "/c" }, { "n/s:1": "unix:/1" }),
  "one host changed": snapshot(
    { "a.test": "/a", "b.test": "/other", "c.test": "/c" },
    { "n/s:1": "unix:/1" },
  ),
  "one host more, in the middle": snapshot(
    { "a.test": "/a", "aa.test": "/aa", "b.test": "/b", "c.test": "/c" },
    { "n/s:1": "unix:/1" },
  ),
  "other endpoints": snapshot({ "a.test": "/a", "b.test": "/b", "c.test": "/c" }, { "n/s:1": "unix:/2" }),
};

describe("a delta", () => {
  test.each(Object.keys(cases))("leads to %s, and back", (name) => {
    const b = cases[name]!;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const result = applyDelta(from, diffSnapshots(from, to));
      expect(result).toEqual(to);
      expect(snapshotVersion(result)).toBe(to.version);
    }
  });

  test("carries only what differs", () => {
    const delta = diffSnapshots(a, cases["one host more, in the middle"]!);
    expect(delta.hosts.put.map(({ hostname }) => hostname)).toEqual(["aa.test"]);
    expect([delta.hosts.remove, delta.upstreams]).toEqual([[], { put: [], remove: [] }]);
    expect(diffSnapshots(a, cases["one host less"]!).hosts).toEqual({ put: [], remove: ["b.test"] });
  });

  test("leaves what did not change the very same", () => {
    const result = applyDelta(a, diffSnapshots(a, cases["other endpoints"]!));
    expect(result.hosts).toBe(a.hosts);
    expect(result.upstreams).not.toBe(a.upstreams);
  });

  test("is refused on another base", () => {
    const delta = diffSnapshots(a, cases["one host less"]!);
    expect(() => applyDelta(cases["one host changed"]!, delta)).toThrow("the delta is for version");
  });
});
