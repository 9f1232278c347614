/** Proves where addresses come from, and that an Ingress's status is written and cleared only where it is ours. */
import { describe, expect, test } from "bun:test";
import { clearedStatus, parseAddress, servedStatus, serviceAddresses } from "./load-balancer.ts";

function service(spec: object, ingress?: unknown) {
  return { metadata: { name: "gw", namespace: "gw" }, spec, status: { loadBalancer: { ingress } } };
}

const status = (...ingress: object[]) => ({ loadBalancer: { ingress } });

describe("serviceAddresses", () => {
  test("takes the load balancer's addresses and names, each once", () => {
    const ingress = [
      { ip: "192.0.2.1", ipMode: "VIP", ports: [{ port: 80, protocol: "TCP" }] },
      { hostname: "lb.example.com" },
      { ip: "192.0.2.1" },
      { ip: "2001:db8::1", hostname: "six.example.com" },
    ];
    expect(serviceAddresses(service({ type: "LoadBalancer", externalIPs: ["192.0.2.9"] }, ingress))).toEqual({
      addresses: [
        { ip: "192.0.2.1" },
        { hostname: "lb.example.com" },
        { ip: "2001:db8::1" },
        { hostname: "six.example.com" },
      ],
    });
  });

  test("else the external addresses", () => {
    const found = serviceAddresses(service({ type: "NodePort", externalIPs: ["192.0.2.9", "2001:DB8::2"] }));
    expect(found).toEqual({ addresses: [{ ip: "192.0.2.9" }, { ip: "2001:db8::2" }] });
  });

  test("else none, and says what to do", () => {
    const cases: [Parameters<typeof serviceAddresses>[0], RegExp][] = [
      [undefined, /create it/],
      [service({ type: "LoadBalancer" }), /waits/],
      [service({ type: "NodePort" }), /--publish-address/],
      [service({ type: "LoadBalancer" }, "odd"), /waits/],
    ];
    for (const [given, notice] of cases) {
      const found = serviceAddresses(given);
      expect(found.addresses).toEqual([]);
      expect(found.notice).toMatch(notice);
    }
  });

  test("takes a bounded number", () => {
    const ingress = Array.from({ length: 500 }, (_, i) => ({ hostname: `h${i}.example.com` }));
    expect(serviceAddresses(service({}, ingress)).addresses).toHaveLength(32);
  });
});

describe("parseAddress", () => {
  test("knows addresses from names, and both from anything else", () => {
    expect(parseAddress("192.0.2.1")).toEqual({ ip: "192.0.2.1" });
    expect(parseAddress("2001:DB8:0::1")).toEqual({ ip: "2001:db8::1" });
    expect(parseAddress("lb.example.com")).toEqual({ hostname: "lb.example.com" });
    for (const bad of ["", "a b", "*.example.com", "https://x", "x:80", "UPPER", "a".repeat(300)]) {
      expect(parseAddress(bad)).toBeUndefined();
    }
  });
});

describe("servedStatus", () => {
  const addresses = [{ ip: "192.0.2.1" }, { hostname: "lb.example.com" }];

  test("writes what is not there, and nothing where it is", () => {
    expect(servedStatus(undefined, addresses)).toEqual(status(...addresses) as never);
    expect(servedStatus({ loadBalancer: {} }, addresses)).toBeDefined();
    expect(servedStatus(status(...addresses), addresses)).toBeUndefined();
    expect(
      servedStatus(status({ ip: "192.0.2.1", ports: [] }, { hostname: "lb.example.com" }), addresses),
    ).toBe(undefined);
    expect(servedStatus(status(addresses[0]!), addresses)).toBeDefined();
  });

  test("empties it where there is no address", () => {
    expect(servedStatus(status(...addresses), [])).toEqual({ loadBalancer: { ingress: null } });
    expect(servedStatus({ loadBalancer: {} }, [])).toBeUndefined();
  });
});

describe("clearedStatus", () => {
  const ours = new Set(["192.0.2.1", "lb.example.com"]);

  test("clears ours, former ones too", () => {
    expect(clearedStatus(status({ hostname: "lb.example.com" }), ours)).toEqual({
      loadBalancer: { ingress: null },
    });
  });

  test("leaves what another has written", () => {
    expect(clearedStatus(status({ ip: "192.0.2.1" }, { ip: "198.51.100.1" }), ours)).toBeUndefined();
    expect(clearedStatus(status({ ip: "192.0.2.1", hostname: "other.example.com" }), ours)).toBeUndefined();
    expect(clearedStatus(status({}), ours)).toBeUndefined();
    expect(clearedStatus(undefined, ours)).toBeUndefined();
  });
});
