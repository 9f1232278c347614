/** Proves who gets the next request: exact shares by weight, the fewest in flight, and what happens to endpoints that are out. */
import { describe, expect, test } from "bun:test";
import { EndpointStats } from "../ops/stats.ts";
import { Endpoint, type HealthSettings } from "./endpoints.ts";
import { type LoadBalancing, Pool } from "./pool.ts";

const usual: HealthSettings = { maxFails: 1, failTimeoutMs: 10_000 };

function endpoints(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, i) => new Endpoint(`unix:/${i}`, new EndpointStats()));
}

function poolOf(
  members: readonly Endpoint[],
  weights: readonly number[] = [],
  balancing: LoadBalancing = "RoundRobin",
  random = 0,
): Pool {
  const weighted = members.map((endpoint, i) => ({ endpoint, weight: weights[i] ?? 1 }));
  return new Pool(weighted, balancing, () => random);
}

/** The next picks, as indices. */
function picks(pool: Pool, members: readonly Endpoint[], count: number, nowMs = 0): number[] {
  return Array.from({ length: count }, () => members.indexOf(pool.pick([], usual, nowMs)!));
}

describe("round robin", () => {
  test("takes turns", () => {
    const all = endpoints(3);
    expect(picks(poolOf(all), all, 7)).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  test("begins where the random number says, so that processes do not move in step", () => {
    const all = endpoints(4);
    expect(picks(poolOf(all, [], "RoundRobin", 0.5), all, 2)).toEqual([2, 3]);
    expect(picks(poolOf(all, [], "RoundRobin", 0.999), all, 2)).toEqual([3, 0]);
  });

  test.each([[[5, 1, 1]], [[1, 2, 3, 4]], [[90, 10]], [[0.5, 0.25, 0.25]]])(
    "shares %j exactly over a cycle, and evenly within it",
    (weights) => {
      const all = endpoints(weights.length);
      const unit = Math.min(...weights.filter((weight) => weight % 1 !== 0), 1);
      const total = weights.reduce((sum, weight) => sum + weight, 0) / unit;
      const pool = poolOf(all, weights);
      for (let cycle = 0; cycle < 3; cycle++) {
        const turn = picks(pool, all, total);
        const counts = weights.map((_, i) => turn.filter((at) => at === i).length);
        expect(counts).toEqual(weights.map((weight) => weight / unit));
      }
    },
  );

  test("a heavy endpoint's turns are spread, as in NGINX", () => {
    const all = endpoints(3);
    expect(picks(poolOf(all, [5, 1, 1]), all, 7)).toEqual([0, 0, 1, 0, 2, 0, 0]);
  });
});

describe("least outstanding", () => {
  test("takes the fewest in flight, and in turn among equals", () => {
    const all = endpoints(3);
    const pool = poolOf(all, [], "LeastOutstanding");
    expect(picks(pool, all, 3)).toEqual([0, 1, 2]);
    all[0]!.begin(usual, 0);
    all[2]!.begin(usual, 0);
    expect(picks(pool, all, 2)).toEqual([1, 1]);
    all[1]!.begin(usual, 0);
    all[1]!.begin(usual, 0);
    all[0]!.end();
    expect(picks(pool, all, 2)).toEqual([0, 0]);
  });

  test("by weight: one that is twice as heavy holds twice as many", () => {
    const all = endpoints(2);
    const pool = poolOf(all, [2, 1], "LeastOutstanding");
    for (let i = 0; i < 30; i++) pool.pick([], usual, 0)!.begin(usual, 0);
    expect(all.map(({ inFlight }) => inFlight)).toEqual([20, 10]);
  });
});

describe.each(["RoundRobin", "LeastOutstanding"] as const)("%s and health", (balancing) => {
  test("passes over an endpoint that is out, until its time is over and one request has succeeded", () => {
    const all = endpoints(3);
    const pool = poolOf(all, [], balancing);
    all[1]!.failed(usual, 0);
    expect(new Set(picks(pool, all, 6, 9999))).toEqual(new Set([0, 2]));
    const probes = [];
    for (let i = 0; i < 6; i++) {
      const picked = pool.pick([], usual, 10_000)!;
      picked.begin(usual, 10_000);
      picked.end();
      probes.push(all.indexOf(picked));
    }
    expect(probes.filter((at) => at === 1)).toHaveLength(1);
    all[1]!.succeeded();
    expect(new Set(picks(pool, all, 3, 10_001))).toEqual(new Set([0, 1, 2]));
  });

  test("one endpoint is never out", () => {
    const [only] = endpoints(1);
    only!.failed(usual, 0);
    expect(poolOf([only!], [], balancing).pick([], usual, 1)).toBe(only!);
  });

  test("where all are out one is tried all the same, and no second", () => {
    const all = endpoints(2);
    for (const one of all) one.failed(usual, 0);
    const pool = poolOf(all, [], balancing);
    const first = pool.pick([], usual, 1)!;
    expect(all).toContain(first);
    expect(pool.pick([first], usual, 1)).toBeUndefined();
  });

  test("a second try goes to nobody who is out", () => {
    const all = endpoints(2);
    all[1]!.failed(usual, 0);
    const pool = poolOf(all, [], balancing);
    expect(pool.pick([], usual, 1)).toBe(all[0]!);
    expect(pool.pick([all[0]!], usual, 1)).toBeUndefined();
    expect(pool.pick([all[0]!], usual, 10_000)).toBe(all[1]!);
  });

  test("a healthy endpoint comes before those that are out", () => {
    const all = endpoints(3);
    all[0]!.failed(usual, 0);
    all[1]!.failed(usual, 0);
    expect(poolOf(all, [], balancing).pick([], usual, 1)).toBe(all[2]!);
  });

  test("a request does not come back to one that it has tried", () => {
    const all = endpoints(3);
    const pool = poolOf(all, [3, 2, 1], balancing);
    const tried: Endpoint[] = [];
    for (let i = 0; i < 3; i++) tried.push(pool.pick(tried, usual, 0)!);
    expect(new Set(tried)).toEqual(new Set(all));
    expect(pool.pick(tried, usual, 0)).toBeUndefined();
  });

  test("an empty pool has nobody", () => {
    const pool = poolOf([], [], balancing);
    expect(pool.pick([], usual, 0)).toBeUndefined();
    expect(pool.size).toBe(0);
  });
});

test("shares stay exact after an endpoint was out", () => {
  const all = endpoints(3);
  const pool = poolOf(all, [3, 2, 1]);
  all[0]!.failed(usual, 0);
  picks(pool, all, 9, 1);
  all[0]!.begin(usual, 10_000);
  all[0]!.succeeded();
  all[0]!.end();
  const turn = picks(pool, all, 60, 10_001);
  const counts = [0, 1, 2].map((i) => turn.filter((at) => at === i).length);
  for (const [i, want] of [30, 20, 10].entries()) expect(Math.abs(counts[i]! - want)).toBeLessThanOrEqual(1);
});

test("endpoints are listed in their order", () => {
  const all = endpoints(2);
  expect(poolOf(all).endpoints()).toEqual(all);
});
