/**
 * Proves the folder as a whole: verdicts, proxies and addresses in, statuses and events out, and untouched where nothing changed or nothing
 * is ours. Time and the API server are simulated.
 */
import { describe, expect, test } from "bun:test";
import { field } from "./observed.ts";
import { objectPath } from "./paths.ts";
import {
  ADDRESS,
  INVALID,
  ingress,
  MISSING,
  OK,
  proxyAt,
  ref,
  route,
  SERVICE,
  SERVING,
  setUp,
  verdict,
} from "./status.fixture.ts";
import { NO_PROXY_GRACE_MS, RECHECK_MS, RETELL_MS } from "./status-keeper.ts";

describe("status", () => {
  test("of what serves: conditions on the route, the address on the Ingress", async () => {
    const { time, start, conditions, balancer, events, writes, statusOf } = setUp();
    const a = start();
    a.update({ verdicts: [verdict(route), verdict(ingress)], version: "v1" });
    a.proxies(proxyAt("v1"));
    await time.advance(1000);
    expect(conditions()).toEqual(SERVING);
    expect(field(statusOf(route), "observedGeneration")).toBe(1);
    expect(balancer()).toEqual([ADDRESS]);
    expect(events()).toEqual([]);
    expect(writes()).toBe(2);
    expect(a.report()).toMatchObject({ isLeader: true, writer: { written: 2, failures: 0 }, queueLength: 0 });
    expect(a.log).toEqual(["leader now: writing statuses"]);
    await a.close();
    expect(time.timersRunning).toBe(0);
  });

  test("is not written again by new tables, endpoint churn, rechecks or a controller that starts anew", async () => {
    const { time, start, writes } = setUp();
    const a = start();
    for (let i = 1; i <= 50; i++) {
      a.update({ verdicts: [verdict(route), verdict(ingress)], version: `v${i}` });
      a.proxies(proxyAt(`v${i - 1}`));
      await time.advance(90);
      a.proxies(proxyAt(`v${i}`));
      await time.advance(90);
    }
    await time.advance(1000);
    const before = writes();
    expect(before).toBeLessThanOrEqual(3);
    await time.advance(2 * RECHECK_MS);
    await a.close();
    const b = start("b");
    b.update({ verdicts: [verdict(route), verdict(ingress)], version: "v50" });
    b.proxies([]);
    await time.advance(NO_PROXY_GRACE_MS / 2);
    expect(b.report().isLeader).toBe(true);
    b.proxies(proxyAt("v50"));
    await time.advance(2 * RECHECK_MS);
    expect(writes()).toBe(before);
    await b.close();
  });

  test("follows a change through the proxies", async () => {
    const { time, start, add, conditions, statusOf } = setUp();
    const a = start();
    a.update({ verdicts: [verdict(route)], version: "v1" });
    a.proxies(proxyAt("v1"));
    await time.advance(1000);
    add(route, { generation: 2, status: statusOf(route) });
    a.update({ verdicts: [verdict(route, OK, 2)], version: "v2" });
    await time.advance(1000);
    expect(conditions()[2]).toBe("Programmed=Unknown/Pending");
    a.proxies([{ name: "p", ackedVersion: "v1", nacked: { version: "v2", reason: "too big" } }]);
    await time.advance(1000);
    expect(conditions()[2]).toBe("Programmed=False/Rejected");
    a.proxies(proxyAt("v2"));
    await time.advance(1000);
    expect(conditions()).toEqual(SERVING);
    a.proxies([]);
    await time.advance(NO_PROXY_GRACE_MS - 2000);
    a.update({ verdicts: [verdict(route, OK, 2)], version: "v2" });
    await time.advance(1000);
    expect(conditions()).toEqual(SERVING);
    await time.advance(2000);
    expect(conditions()[2]).toBe("Programmed=Unknown/NoProxy");
    a.proxies(proxyAt("v2"));
    await time.advance(1000);
    expect(conditions()).toEqual(SERVING);
    await a.close();
  });

  test("tells of a table that could not be published, and forgets it when the change is taken back", async () => {
    const { time, start, add, conditions, statusOf } = setUp();
    const a = start();
    a.update({ verdicts: [verdict(route)], version: "v1" });
    a.proxies(proxyAt("v1"));
    await time.advance(1000);
    add(route, { generation: 2, status: statusOf(route) });
    a.update({ verdicts: [verdict(route, OK, 2)], version: "v1", failure: "refused" });
    await time.advance(1000);
    expect(conditions()[2]).toBe("Programmed=False/Rejected");
    add(route, { generation: 3, status: statusOf(route) });
    a.update({ verdicts: [verdict(route, OK, 3)], version: "v1" });
    await time.advance(1000);
    expect(conditions()).toEqual(SERVING);
    await a.close();
  });

  test("tells problems in events, what is mended too, and again what lasts", async () => {
    const { time, api, start, add, events, conditions, statusOf } = setUp();
    const a = start();
    a.update({ verdicts: [verdict(route, MISSING), verdict(ingress)], version: "v1" });
    a.proxies(proxyAt("v1"));
    await time.advance(1000);
    expect(events()).toEqual(["app Warning BackendNotFound"]);
    expect(conditions()[1]).toBe("ResolvedRefs=False/BackendNotFound");
    add(ingress, { generation: 2, status: statusOf(ingress) });
    const young = ref("Ingress", "young");
    add(young);
    const verdicts = [verdict(route), verdict(ingress, INVALID, 2), verdict(young)];
    a.update({ verdicts, version: "v2" });
    await time.advance(1000);
    expect(events().toSorted()).toEqual([
      "app Normal ResolvedRefs",
      "app Warning BackendNotFound",
      "site Warning Invalid",
      "young Normal Accepted",
    ]);
    const path = api.paths("/api/v1/").find((each) => each.includes("/site."))!;
    expect(api.peek(path)!.message).toBe("spec.rules is required. Correct the fields named here.");
    await time.advance(RETELL_MS);
    expect(api.peek(path)!.count as number).toBeGreaterThan(1);
    expect(events()).toHaveLength(4);
    await a.close();
  });

  test("mends what another has done to it", async () => {
    const { time, start, add, conditions, balancer } = setUp();
    const a = start();
    a.update({ verdicts: [verdict(route), verdict(ingress)], version: "v1" });
    a.proxies(proxyAt("v1"));
    await time.advance(1000);
    add(route);
    add(ingress);
    await time.advance(RECHECK_MS);
    expect(conditions()).toEqual(SERVING);
    expect(balancer()).toEqual([ADDRESS]);
    await a.close();
  });
});

describe("the address of an Ingress", () => {
  test("follows the published Service, and nothing is touched before that is known", async () => {
    const { time, start, add, balancer, statusOf } = setUp();
    add(ingress, { status: { loadBalancer: { ingress: [{ ip: "192.0.2.99" }] } } });
    const a = start("a", SERVICE);
    a.update({ verdicts: [verdict(ingress)], version: "v1" });
    await time.advance(1000);
    expect(balancer()).toEqual([{ ip: "192.0.2.99" }]);
    const service = (address: object) => ({
      metadata: { name: "gw" },
      spec: { type: "LoadBalancer" },
      status: { loadBalancer: { ingress: [address] } },
    });
    a.publishedService(service(ADDRESS));
    await time.advance(1000);
    expect(balancer()).toEqual([ADDRESS]);
    a.publishedService(service({ hostname: "lb.example.com" }));
    await time.advance(1000);
    expect(balancer()).toEqual([{ hostname: "lb.example.com" }]);
    a.publishedService(undefined);
    a.publishedService(undefined);
    await time.advance(1000);
    expect(statusOf(ingress)).toEqual({ loadBalancer: {} });
    expect(a.log.filter((line) => line === "no address for the Ingresses")).toHaveLength(1);
    await a.close();
  });

  test("is left alone where nothing is to be published", async () => {
    const { time, start, statusOf } = setUp();
    const a = start("a", { type: "nothing" });
    a.update({ verdicts: [verdict(ingress)], version: "v1" });
    await time.advance(1000);
    expect(statusOf(ingress)).toBeUndefined();
    await a.close();
  });

  test("is taken from one that is not served any more, and kept by one whose last good state serves", async () => {
    const { time, start, add, balancer, statusOf } = setUp();
    const a = start();
    a.update({ verdicts: [verdict(ingress)], version: "v1" });
    await time.advance(1000);
    add(ingress, { generation: 2, status: statusOf(ingress) });
    a.update({ verdicts: [verdict(ingress, [INVALID[0]!, OK[1]!], 2)], version: "v1" });
    await time.advance(1000);
    expect(balancer()).toEqual([ADDRESS]);
    a.update({ verdicts: [verdict(ingress, INVALID, 2)], version: "v2" });
    await time.advance(1000);
    expect(balancer()).toBeUndefined();
    await a.close();
  });

  test("is not written by a verdict on another state of it, which may have been of another class", async () => {
    const { time, start, add, balancer } = setUp();
    add(ingress, { generation: 2 });
    const a = start();
    a.update({ verdicts: [verdict(ingress)], version: "v1" });
    await time.advance(1000);
    expect(balancer()).toBeUndefined();
    await a.close();
  });
});

describe("an object that leaves our classes", () => {
  test("gets back what is ours, and keeps what others have written", async () => {
    const { time, start, add, api, conditions, balancer, statusOf, events } = setUp();
    const contested = ref("Ingress", "contested");
    add(contested);
    const a = start();
    a.update({ verdicts: [route, ingress, contested].map((each) => verdict(each)), version: "v1" });
    a.proxies(proxyAt("v1"));
    await time.advance(1000);
    for (const each of [route, ingress]) add(each, { generation: 2, status: statusOf(each) });
    const theirs = { loadBalancer: { ingress: [{ ip: "198.51.100.7" }] } };
    add(contested, { generation: 2, status: theirs });
    a.update({ verdicts: [], version: "v2" });
    await time.advance(1000);
    expect(conditions()).toEqual([]);
    expect(balancer()).toBeUndefined();
    expect(statusOf(contested)).toEqual(theirs);
    expect(events()).toEqual([]);
    // From here on it is not looked at.
    add(ingress, { generation: 2, status: { loadBalancer: { ingress: [ADDRESS] } } });
    const calls = api.calls.filter(({ path }) => !path.includes("/leases/")).length;
    a.update({ verdicts: [], version: "v3" });
    await time.advance(2 * RECHECK_MS);
    expect(api.calls.filter(({ path }) => !path.includes("/leases/"))).toHaveLength(calls);
    await a.close();
  });

  test("or is another of the same name by now, is not written into", async () => {
    const { time, start, statusOf, events } = setUp();
    const a = start();
    const verdicts = [route, ingress].map((of) => ({ ...verdict(of, MISSING), uid: "uid-before" }));
    a.update({ verdicts, version: "v1" });
    await time.advance(1000);
    expect([statusOf(route), statusOf(ingress)]).toEqual([undefined, undefined]);
    a.update({ verdicts: verdicts.map((each) => ({ ...each, uid: `uid-${each.ref.name}` })), version: "v1" });
    await time.advance(1000);
    expect(statusOf(route)).toBeDefined();
    expect(statusOf(ingress)).toBeDefined();
    // One each of the first, which nobody sees, and of the second.
    expect(events().filter((each) => each.endsWith("Warning BackendNotFound"))).toHaveLength(4);
    await a.close();
  });

  test("or is deleted, costs no request", async () => {
    const { time, start, api, writes } = setUp();
    const a = start();
    a.update({ verdicts: [verdict(route)], version: "v1" });
    await time.advance(1000);
    const before = writes();
    api.remove(objectPath(route));
    a.update({ verdicts: [], version: "v2" });
    await time.advance(RECHECK_MS);
    expect(writes()).toBe(before);
    expect(a.report().writer.gone).toBe(0);
    await a.close();
  });
});
