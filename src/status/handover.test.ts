/** Proves that of several controllers one writes, and that the next goes on where it stopped. Time and the API server are simulated. */
import { describe, expect, test } from "bun:test";
import { MISSING, proxyAt, ref, route, SERVING, setUp, verdict } from "./status.fixture.ts";

describe("two controllers", () => {
  test("one writes; the other goes on where it stops, midway in a burst", async () => {
    const { time, api, start, add, conditions } = setUp();
    const routes = Array.from({ length: 400 }, (_, i) => ref("UwsgiRoute", `r${i}`));
    for (const each of routes) add(each);
    const [a, b] = [start("a"), start("b")];
    for (const each of [a, b]) {
      each.update({ verdicts: routes.map((of) => verdict(of)), version: "v1" });
      each.proxies(proxyAt("v1"));
    }
    await time.advance(2000);
    const [leader, other] = a.report().isLeader ? [a, b] : [b, a];
    expect(other.report().writer.written).toBe(0);
    const half = leader.report().writer.written;
    expect(half).toBeGreaterThan(100);
    expect(half).toBeLessThan(400);
    const closed = leader.close();
    expect(leader.report().isLeader).toBe(false);
    await closed;
    await time.advance(15_000);
    expect(leader.report().writer.written).toBe(half);
    expect(other.report()).toMatchObject({ isLeader: true, queueLength: 0 });
    expect(routes.filter((each) => conditions(each).join() !== SERVING.join())).toEqual([]);
    // Each was written once, by whichever.
    const patched = api.calls.filter(({ verb, path }) => verb === "patch" && path.includes("/uwsgiroutes/"));
    expect(patched.length).toBeLessThanOrEqual(404);
    await other.close();
    expect(time.timersRunning).toBe(0);
  });

  test("a leader that cannot renew stops writing before another begins", async () => {
    const { time, api, start, conditions } = setUp();
    const a = start("a");
    a.update({ verdicts: [verdict(route)], version: "v1" });
    a.proxies(proxyAt("v1"));
    await time.advance(1000);
    api.before = ({ path }) => {
      if (path.includes("/leases/")) throw new Error("unreachable");
    };
    await time.advance(11_000);
    expect(a.report().isLeader).toBe(false);
    const calls = api.calls.filter(({ path }) => !path.includes("/leases/")).length;
    a.update({ verdicts: [verdict(route, MISSING)], version: "v2" });
    await time.advance(5000);
    expect(api.calls.filter(({ path }) => !path.includes("/leases/"))).toHaveLength(calls);
    api.before = () => {};
    await time.advance(5000);
    expect(a.report().isLeader).toBe(true);
    expect(conditions()[1]).toBe("ResolvedRefs=False/BackendNotFound");
    expect(a.log).toEqual([
      "leader now: writing statuses",
      "lease not renewed",
      "leader no more",
      "leader now: writing statuses",
    ]);
    await a.close();
  });
});
