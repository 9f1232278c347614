/** Proves how a snapshot becomes a table: rules with their targets, pools shared and split by weight, state kept over swaps. */
import { describe, expect, test } from "bun:test";
import { EndpointStats, RouteStats } from "../ops/stats.ts";
import {
  type ForwardSettings,
  type Rule,
  SNAPSHOT_FORMAT,
  type Snapshot,
  type WeightedBackend,
} from "../snapshot/snapshot.ts";
import { type Endpoint, EndpointRegistry } from "./endpoints.ts";
import { type CompileContext, compileTable, type ForwardTarget, type RoutingTable } from "./table.ts";

const settings = {
  id: "s",
  uwsgi: { documentRoot: "", scriptName: "", params: [] },
  loadBalancing: "RoundRobin",
  maxFails: 1,
  failTimeoutMs: 10_000,
} as unknown as ForwardSettings;

function forwardRule(path: string, backends: readonly WeightedBackend[], extra: Partial<Rule> = {}): Rule {
  return {
    id: `rule ${path}`,
    path: { type: "prefix", value: path },
    wildcardDepth: "any",
    serverName: "",
    action: { type: "forward", settings: "s", backends },
    ...extra,
  };
}

function snapshotOf(rules: readonly Rule[], upstreams: readonly (readonly string[])[]): Snapshot {
  return {
    format: SNAPSHOT_FORMAT,
    version: "1",
    hosts: [{ hostname: "h", rules }],
    settings: [settings],
    upstreams: upstreams.map((addresses, i) => ({
      id: `upstream ${i}`,
      endpoints: addresses.map((address) => ({ address })),
    })),
  };
}

function contextOf(): CompileContext {
  return {
    endpoints: new EndpointRegistry({ endpoint: () => new EndpointStats(), forgetEndpoint() {} }),
    routeStats: () => new RouteStats(),
    random: () => 0,
  };
}

function forwardAt(table: RoutingTable, path: string): ForwardTarget {
  const target = table.match("h", path)!.target;
  if (target.type !== "forward") throw new Error("not a forward target");
  return target;
}

function endpointsOf(table: RoutingTable): Endpoint[] {
  return [...new Set([...table.pools.values()].flatMap((pool) => pool.endpoints()))];
}

/** How many of so many picks each address gets. */
function shares({ pool }: ForwardTarget, count: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { address } = pool.pick([], settings, 0)!;
    counts[address] = (counts[address] ?? 0) + 1;
  }
  return counts;
}

describe("hosts that share a pool", () => {
  test("all go to the new endpoints, whichever is compiled first", () => {
    const { hosts, ...rest } = snapshotOf(
      [forwardRule("", [{ upstream: "upstream 0", weight: 1 }])],
      [["unix:/old"]],
    );
    const before = { ...rest, hosts: [...hosts, { ...hosts[0]!, hostname: "i" }] };
    const after = { ...before, upstreams: [{ id: "upstream 0", endpoints: [{ address: "unix:/new" }] }] };
    const context = contextOf();
    const table = compileTable(after, context, compileTable(before, context));
    for (const host of ["h", "i"]) {
      const target = table.match(host, "/")!.target as ForwardTarget;
      expect(target.pool.endpoints().map(({ address }) => address)).toEqual(["unix:/new"]);
    }
  });
});

describe("backends", () => {
  test("share by weight, whatever the number of endpoints behind each", () => {
    const backends = [
      { upstream: "upstream 0", weight: 3 },
      { upstream: "upstream 1", weight: 1 },
    ];
    const table = compileTable(
      snapshotOf([forwardRule("", backends)], [["unix:/a", "unix:/b", "unix:/c"], ["unix:/d"]]),
      contextOf(),
    );
    expect(shares(forwardAt(table, "/"), 400)).toEqual({
      "unix:/a": 100,
      "unix:/b": 100,
      "unix:/c": 100,
      "unix:/d": 100,
    });
  });

  test("an endpoint behind two of them has both shares and one state", () => {
    const backends = [
      { upstream: "upstream 0", weight: 1 },
      { upstream: "upstream 1", weight: 1 },
    ];
    const table = compileTable(
      snapshotOf([forwardRule("", backends)], [["unix:/a", "unix:/b"], ["unix:/b"]]),
      contextOf(),
    );
    expect(forwardAt(table, "/").pool.size).toBe(2);
    expect(shares(forwardAt(table, "/"), 4)).toEqual({ "unix:/a": 1, "unix:/b": 3 });
  });

  test("one without weight, or without endpoints, takes no traffic", () => {
    const backends = [
      { upstream: "upstream 0", weight: 0 },
      { upstream: "upstream 1", weight: 5 },
      { upstream: "upstream 2", weight: 1 },
    ];
    const table = compileTable(
      snapshotOf([forwardRule("", backends)], [["unix:/a"], [], ["unix:/c"]]),
      contextOf(),
    );
    expect(shares(forwardAt(table, "/"), 3)).toEqual({ "unix:/c": 3 });
    expect(endpointsOf(table).map(({ address }) => address)).toEqual(["unix:/c"]);
  });

  test("none at all leave an empty pool", () => {
    expect(forwardAt(compileTable(snapshotOf([forwardRule("", [])], []), contextOf()), "/").pool.size).toBe(
      0,
    );
  });

  test("rules with the same backends and settings take turns together", () => {
    const backends = [{ upstream: "upstream 0", weight: 1 }];
    const table = compileTable(
      snapshotOf(
        [
          forwardRule("/a", backends),
          forwardRule("/b", backends),
          forwardRule("/c", [{ upstream: "upstream 0", weight: 2 }]),
        ],
        [["unix:/a", "unix:/b"]],
      ),
      contextOf(),
    );
    expect(forwardAt(table, "/a").pool).toBe(forwardAt(table, "/b").pool);
    expect(forwardAt(table, "/a").pool).not.toBe(forwardAt(table, "/c").pool);
  });
});

describe("a swap", () => {
  test("keeps what is known of an address, and drops what is gone", () => {
    const context = contextOf();
    const rule = [forwardRule("", [{ upstream: "upstream 0", weight: 1 }])];
    const before = compileTable(snapshotOf(rule, [["unix:/a", "unix:/b"]]), context);
    context.endpoints.swap(new Map(), before.pools);
    const kept = context.endpoints.at("unix:/a");
    kept.failed(settings, 0);
    kept.begin({ maxFails: 1, failTimeoutMs: 10_000 }, 0);
    const after = compileTable(snapshotOf(rule, [["unix:/a", "unix:/c"]]), context);
    context.endpoints.swap(before.pools, after.pools);
    expect(endpointsOf(after)).toContain(kept);
    expect(kept.available(settings, 1)).toBe(false);
    expect([...context.endpoints.all()].map(({ address }) => address)).toEqual(["unix:/a", "unix:/c"]);
    // A request that began with the table before goes on with it.
    expect(forwardAt(before, "/").pool.endpoints()).toHaveLength(2);
  });
});

describe("after a small change", () => {
  const toFirst = forwardRule("", [{ upstream: "upstream 0", weight: 1 }]);
  const toSecond = forwardRule("/b", [{ upstream: "upstream 1", weight: 1 }]);
  const first = { hostname: "a", rules: [toFirst] };
  const second = { hostname: "b", rules: [toSecond] };
  const snapshot = {
    ...snapshotOf([], [["unix:/a"], ["unix:/b"]]),
    hosts: [first, second],
  };

  test("what the same objects stand for is compiled once, and keeps its turns", () => {
    const context = contextOf();
    const before = compileTable(snapshot, context);
    const changed = { hostname: "b", rules: [{ ...toSecond, id: "other" }] };
    const after = compileTable({ ...snapshot, hosts: [first, changed] }, context, before);
    expect(after.match("a", "/")).toBe(before.match("a", "/")!);
    expect(after.match("b", "/b")?.id).toBe("other");
    const [old, now] = [before, after].map((table) => table.match("b", "/b")!.target as ForwardTarget);
    expect(now!.pool).toBe(old!.pool);
    expect(endpointsOf(after).map(({ address }) => address)).toEqual(["unix:/a", "unix:/b"]);
  });

  test("other endpoints of an upstream reach the rules that use it, and no others", () => {
    const context = contextOf();
    const before = compileTable(snapshot, context);
    const upstreams = [snapshot.upstreams[0]!, { id: "upstream 1", endpoints: [{ address: "unix:/c" }] }];
    const after = compileTable({ ...snapshot, upstreams }, context, before);
    expect(after.match("a", "/")).toBe(before.match("a", "/")!);
    const { pool } = after.match("b", "/b")!.target as ForwardTarget;
    expect(pool.endpoints().map(({ address }) => address)).toEqual(["unix:/c"]);
    expect(endpointsOf(after).map(({ address }) => address)).toEqual(["unix:/a", "unix:/c"]);
  });

  test("a pool that nobody uses any more is gone", () => {
    const context = contextOf();
    const before = compileTable(snapshot, context);
    const after = compileTable({ ...snapshot, hosts: [first] }, context, before);
    expect(endpointsOf(after).map(({ address }) => address)).toEqual(["unix:/a"]);
    expect(after.match("b", "/b")).toBeUndefined();
  });
});

describe("targets", () => {
  test("of files", () => {
    const action = { type: "static", root: "/srv", stripPrefix: "", index: [], dotFiles: false } as const;
    const table = compileTable(snapshotOf([forwardRule("/s", [], { action })], []), contextOf());
    expect(table.match("h", "/s/x")).toMatchObject({ id: "rule /s", target: { type: "static", action } });
    expect(table.match("h", "/t")).toBeUndefined();
  });

  test("with a server name, encoded beforehand", () => {
    const rules = [forwardRule("/a", [], { serverName: "example.com" }), forwardRule("/b", [])];
    const table = compileTable(snapshotOf(rules, []), contextOf());
    expect(forwardAt(table, "/a").serverName).toBe("example.com");
    expect(forwardAt(table, "/a").serverNameVar?.toString()).toContain("example.com");
    expect(forwardAt(table, "/b").serverName).toBeUndefined();
    expect(forwardAt(table, "/b").serverNameVar).toBeUndefined();
  });

  test("count on the statistics of their own rule", () => {
    const asked: string[] = [];
    const routeStats = (id: string) => {
      asked.push(id);
      return new RouteStats();
    };
    compileTable(snapshotOf([forwardRule("/a", []), forwardRule("/b", [])], []), {
      ...contextOf(),
      routeStats,
    });
    expect(asked).toEqual(["rule /a", "rule /b"]);
  });
});

describe("a snapshot that cannot be served throws", () => {
  test.each([
    ["an unknown format", { ...snapshotOf([], []), format: 1 as typeof SNAPSHOT_FORMAT }],
    [
      "an upstream that is not there",
      snapshotOf([forwardRule("", [{ upstream: "upstream 1", weight: 1 }])], [["unix:/a"]]),
    ],
    [
      "settings that are not there",
      snapshotOf(
        [forwardRule("", [], { action: { type: "forward", settings: "missing", backends: [] } })],
        [],
      ),
    ],
    [
      "an address that is none",
      snapshotOf([forwardRule("", [{ upstream: "upstream 0", weight: 1 }])], [["10.0.0.1"]]),
    ],
  ])("%s", (_, snapshot) => {
    expect(() => compileTable(snapshot, contextOf())).toThrow();
  });
});
