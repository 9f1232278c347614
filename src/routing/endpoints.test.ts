/** Proves what is remembered of endpoints: when one is out, how it comes back, and that its state outlives tables. */
import { describe, expect, test } from "bun:test";
import { EndpointStats } from "../ops/stats.ts";
import { Endpoint, EndpointRegistry, type HealthSettings } from "./endpoints.ts";

const usual: HealthSettings = { maxFails: 1, failTimeoutMs: 10_000 };

function endpoint(): Endpoint {
  return new Endpoint("10.0.0.1:29000", new EndpointStats());
}

describe("passive health", () => {
  test("one failure takes it out, for the fail timeout from then on", () => {
    const one = endpoint();
    expect(one.available(usual, 1000)).toBe(true);
    one.failed(usual, 1000);
    expect([1000, 10_999, 11_000].map((nowMs) => one.available(usual, nowMs))).toEqual([false, false, true]);
  });

  test("then one request is let through, and the others wait for its outcome", () => {
    const one = endpoint();
    one.failed(usual, 0);
    expect(one.available(usual, 10_000)).toBe(true);
    one.begin(usual, 10_000);
    expect(one.available(usual, 10_001)).toBe(false);
    one.succeeded();
    one.end();
    expect(one.available(usual, 10_002)).toBe(true);
  });

  test("a failed probe keeps it out for another fail timeout", () => {
    const one = endpoint();
    one.failed(usual, 0);
    one.begin(usual, 10_000);
    one.failed(usual, 10_500);
    one.end();
    expect(one.available(usual, 20_499)).toBe(false);
    expect(one.available(usual, 20_500)).toBe(true);
    expect(one.stats.ejections).toBe(1);
  });

  test("so many failures within the fail timeout are needed", () => {
    const settings = { maxFails: 3, failTimeoutMs: 1000 };
    const one = endpoint();
    one.failed(settings, 0);
    one.failed(settings, 500);
    expect(one.available(settings, 500)).toBe(true);
    one.failed(settings, 900);
    expect(one.available(settings, 900)).toBe(false);
    expect(one.stats).toMatchObject({ failures: 3, ejections: 1, ejected: true });
  });

  test("failures that are far apart do not add up", () => {
    const settings = { maxFails: 2, failTimeoutMs: 1000 };
    const one = endpoint();
    for (const nowMs of [0, 1000, 2000]) one.failed(settings, nowMs);
    expect(one.available(settings, 2000)).toBe(true);
    one.failed(settings, 2999);
    expect(one.available(settings, 2999)).toBe(false);
  });

  test("a success within the fail timeout proves nothing: failures that alternate with it add up", () => {
    const settings = { maxFails: 2, failTimeoutMs: 1000 };
    const one = endpoint();
    one.failed(settings, 0);
    one.begin(settings, 1);
    one.succeeded();
    one.failed(settings, 2);
    expect(one.available(settings, 3)).toBe(false);
  });

  test("a success of a request from before the failure does not bring it back", () => {
    const one = endpoint();
    one.begin(usual, 0);
    one.failed(usual, 1);
    one.succeeded();
    expect(one.available(usual, 2)).toBe(false);
  });

  test("a success after the fail timeout forgets the failures", () => {
    const settings = { maxFails: 2, failTimeoutMs: 1000 };
    const one = endpoint();
    one.failed(settings, 0);
    one.begin(settings, 1000);
    one.succeeded();
    one.failed(settings, 1001);
    expect(one.available(settings, 1)).toBe(true);
    one.failed(settings, 2);
    expect(one.stats.ejected).toBe(true);
    one.succeeded();
    expect(one.stats.ejected).toBe(false);
  });

  test("is told as out for as long as it is, and no longer", () => {
    const one = endpoint();
    const toldAt = (nowMs: number) => {
      one.refreshStats(nowMs);
      return one.stats.ejected;
    };
    one.failed(usual, 0);
    expect([toldAt(9999), toldAt(10_000)]).toEqual([true, false]);
    one.begin(usual, 10_000);
    one.failed(usual, 10_500);
    expect([toldAt(20_499), toldAt(20_500)]).toEqual([true, false]);
    expect(one.stats.ejections).toBe(1);
  });

  test("maxFails 0: never out", () => {
    const settings = { maxFails: 0, failTimeoutMs: 1000 };
    const one = endpoint();
    for (let i = 0; i < 5; i++) one.failed(settings, i);
    expect(one.available(settings, 5)).toBe(true);
    expect(one.stats).toMatchObject({ failures: 5, ejections: 0, ejected: false });
  });
});

test("requests in flight are counted here and in the statistics", () => {
  const one = endpoint();
  one.begin(usual, 0);
  one.begin(usual, 0);
  one.end();
  expect(one.inFlight).toBe(1);
  expect(one.stats).toMatchObject({ requests: 2, inFlight: 1 });
});

describe("the registry", () => {
  const forgotten: string[] = [];
  const registryOf = () =>
    new EndpointRegistry({
      endpoint: () => new EndpointStats(),
      forgetEndpoint: (address) => forgotten.push(address),
    });
  /** One pool of those endpoints for each list. */
  const pools = (...lists: Endpoint[][]) =>
    new Map(lists.map((list, i) => [String(i), { endpoints: () => list }]));
  const addresses = (registry: EndpointRegistry) => [...registry.all()].map(({ address }) => address);

  test("gives an address one state, whatever table asks", () => {
    const registry = registryOf();
    const one = registry.at("unix:/a");
    one.failed(usual, 0);
    registry.swap(pools(), pools([one]));
    expect(registry.at("unix:/a")).toBe(one);
    expect(registry.at("unix:/a").available(usual, 1)).toBe(false);
  });

  test("forgets what no table names once nothing is in flight there", () => {
    const registry = registryOf();
    const [idle, busy, used] = ["unix:/idle", "unix:/busy", "unix:/used"].map((at) => registry.at(at));
    // Two pools name the last one, and one of them stays.
    const before = pools([used!], [idle!, busy!, used!]);
    const after = new Map([...before].slice(0, 1));
    registry.swap(pools(), before);
    busy!.begin(usual, 0);
    registry.swap(before, after);
    expect(addresses(registry)).toEqual(["unix:/busy", "unix:/used"]);
    busy!.end();
    registry.swap(after, after);
    expect(addresses(registry)).toEqual(["unix:/used"]);
    expect(forgotten).toEqual(["unix:/idle", "unix:/busy"]);
  });

  test("a draining endpoint that comes back keeps its state", () => {
    const registry = registryOf();
    const one = registry.at("unix:/a");
    registry.swap(pools(), pools([one]));
    one.begin(usual, 0);
    registry.swap(pools([one]), pools());
    expect(registry.at("unix:/a")).toBe(one);
    registry.swap(pools(), pools([one]));
    one.end();
    registry.swap(pools(), pools());
    expect(registry.at("unix:/a")).toBe(one);
  });

  test("refuses a malformed address", () => {
    expect(() => registryOf().at("nowhere")).toThrow(RangeError);
  });
});
