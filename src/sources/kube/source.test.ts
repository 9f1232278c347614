/**
 * Proves over real HTTP that the set of objects follows an API server: first state, changes, deletions that a gap hid, bad objects,
 * scopes; that what did not change stays the same value and is not told; and that nothing is left after `stop`.
 * How one collection gets through faults is in `reflector.test.ts`.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { ingress, route, secret, service, slice } from "../../../test/cluster/fake-api/objects.ts";
import { startCluster } from "../../../test/cluster/followed-cluster.ts";
import { stopAll } from "../../../test/harness/cleanup.ts";

afterEach(stopAll);

describe("the first state", () => {
  test("holds every kind, and only slices that belong to a Service", async () => {
    const c = await startCluster();
    for (const raw of [
      service("app"),
      slice("app-1", "app"),
      slice("stray", undefined),
      route("r"),
      ingress("i"),
    ]) {
      c.api.apply(raw);
    }
    c.api.apply(secret("unnamed"));
    await c.follow().source.synced;
    expect(c.names).toEqual([
      "EndpointSlice web/app-1",
      "Ingress web/i",
      "IngressClass /uwsgi",
      "Service web/app",
      "UwsgiRoute web/r",
    ]);
    expect(c.source.objects.invalid).toEqual([]);
    expect(c.changes).toEqual([]);
    expect(c.api.logged({ plural: "secrets" })).toEqual([]);
    expect(c.source.isSynced).toBe(true);
  });

  test("is not there while one list fails, and comes once it succeeds", async () => {
    const c = await startCluster();
    c.api.fault({ plural: "services" }, { type: "status", status: 500 });
    const delays: number[] = [];
    const resume = Promise.withResolvers<void>();
    const pace = {
      epochMs: () => 5,
      monotonicMs: () => 0,
      random: () => 0,
      delay: async (delayMs: number) => {
        delays.push(delayMs);
        await resume.promise;
      },
    };
    c.follow({ pace });
    let isSynced = false;
    const synced = c.source.synced.then(() => (isSynced = true));
    await c.watching(4);
    await c.api.until(() => c.source.state.kinds.some(({ lastError }) => lastError !== undefined));
    expect([isSynced, c.source.isSynced, c.source.state.synced]).toEqual([false, false, false]);
    const state = c.source.state.kinds.find(({ kind }) => kind === "Service")!;
    expect(state).toMatchObject({ synced: false, lastError: { status: 500, atEpochMs: 5 } });
    expect(delays).toEqual([500]);
    resume.resolve();
    await synced;
    await c.watching(5);
    expect(c.source.state.kinds.every(({ synced, lastError }) => synced && lastError === undefined)).toBe(
      true,
    );
  });
});

describe("changes", () => {
  test("of a Service, a slice and a route are told by kind", async () => {
    const c = await startCluster();
    c.api.apply(service("app"));
    await c.follow().source.synced;
    expect(await c.change(() => c.api.apply(service("app", 81)))).toEqual({
      kinds: new Set(["Service"]),
      services: new Set(),
      isEndpointsOnly: false,
    });
    expect(c.get("Service", "app")?.ports).toEqual([{ name: "", port: 81 }]);
    expect(await c.change(() => c.api.apply(slice("app-1", "app")))).toEqual({
      kinds: new Set(["EndpointSlice"]),
      services: new Set(["web/app"]),
      isEndpointsOnly: true,
    });
    // A slice that moves concerns both.
    const moved = await c.change(() => c.api.apply(slice("app-1", "other")));
    expect(moved.services).toEqual(new Set(["web/app", "web/other"]));
    const gone = await c.change(() => c.api.remove(slice("app-1", "other")));
    expect(gone).toMatchObject({ services: new Set(["web/other"]), isEndpointsOnly: true });
    expect(c.get("EndpointSlice", "app-1")).toBeUndefined();
  });

  test("are told together where they come together", async () => {
    const c = await startCluster();
    await c.follow().source.synced;
    await c.watching();
    const watch = c.api.watches({ plural: "services" })[0]!;
    const line = (name: string, version: string) => {
      const { metadata, ...rest } = service(name);
      const object = { ...rest, metadata: { ...metadata, uid: name, resourceVersion: version } };
      return `${JSON.stringify({ type: "ADDED", object })}\n`;
    };
    await c.change(() => watch.write(line("a", "2000") + line("b", "2001")));
    expect(c.changes.length).toBe(1);
    expect([c.get("Service", "a")?.name, c.get("Service", "b")?.name]).toEqual(["a", "b"]);
  });

  test("of what is not read are not told, and leave the objects the same values", async () => {
    const c = await startCluster();
    const all = [
      service("app"),
      slice("app-1", "app"),
      route("r"),
      ingress("i", {}, { "uwsgi-gateway.io/timeout": "5s" }),
    ];
    for (const raw of all) c.api.apply(raw);
    await c.follow().source.synced;
    await c.watching();
    const before = c.source.objects;
    const noise = { labels: { noise: "1", "kubernetes.io/service-name": "app" } };
    for (const raw of [service("app"), slice("app-1", "app"), route("r")]) {
      c.api.apply({ ...raw, metadata: { ...raw.metadata, ...noise } });
    }
    c.api.apply(ingress("i", {}, { "uwsgi-gateway.io/timeout": "5s", "example.com/noise": "1" }));
    c.api.store.patch(c.api.target("/apis/networking.k8s.io/v1/namespaces/web/ingresses/i/status"), {
      status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } },
    });
    // The next change is the first that is told.
    const last = await c.change(() => c.api.apply(service("last")));
    expect(c.changes).toEqual([last]);
    expect(last.kinds).toEqual(new Set(["Service"]));
    const after = c.source.objects.objects;
    for (const sourced of before.objects) expect(after).toContain(sourced);
    expect(c.source.objects).toBe(c.source.objects);
  });

  test("of an Ingress's annotations are told, though its generation stays", async () => {
    const c = await startCluster();
    c.api.apply(ingress("i"));
    await c.follow().source.synced;
    const change = await c.change(() =>
      c.api.apply(ingress("i", {}, { "uwsgi-gateway.io/read-timeout": "5s" })),
    );
    expect(change.kinds).toEqual(new Set(["Ingress"]));
    const { invalid } = c.source.objects;
    expect([c.get("Ingress", "i")?.forwarding.readTimeoutMs, invalid]).toEqual([5_000, []]);
    await c.change(() => c.api.apply(ingress("i", {}, { "kubernetes.io/ingress.class": "other" })));
    expect(c.get("Ingress", "i")).toMatchObject({ className: "other", generation: 1 });
  });

  test("that a gap hid are noticed by the next list, and the rest keeps its identity", async () => {
    const c = await startCluster();
    for (const name of ["kept", "changed", "deleted", "recreated"]) c.api.apply(service(name));
    await c.follow().source.synced;
    await c.watching();
    const [kept, recreated] = [c.get("Service", "kept"), c.get("Service", "recreated")];
    const silent = c.api.watches({ plural: "services" })[0]!;
    silent.silence();
    c.api.remove(service("deleted"));
    c.api.remove(service("recreated"));
    c.api.apply(service("recreated"));
    c.api.apply(service("changed", 81));
    c.api.apply(service("new"));
    c.api.compact();
    const change = await c.change(() => silent.end());
    expect(change.kinds).toEqual(new Set(["Service"]));
    expect(c.names.filter((name) => name.startsWith("Service"))).toEqual(
      ["changed", "kept", "new", "recreated"].map((name) => `Service web/${name}`),
    );
    expect(c.get("Service", "kept")).toBe(kept!);
    expect(c.get("Service", "recreated")).not.toBe(recreated!);
    expect(c.get("Service", "changed")?.ports[0]?.port).toBe(81);
    expect(c.source.state.kinds.find(({ kind }) => kind === "Service")?.relists).toBe(1);
  });
});

describe("a bad object", () => {
  test("keeps its last good state, and is reported with its generation", async () => {
    const c = await startCluster();
    c.api.apply(route("r"));
    await c.follow().source.synced;
    const good = c.get("UwsgiRoute", "r");
    await c.change(() => c.api.apply(route("r", { rules: [] })));
    expect(c.get("UwsgiRoute", "r")).toBe(good!);
    expect(c.source.objects.invalid).toMatchObject([
      { ref: { kind: "UwsgiRoute", namespace: "web", name: "r" }, className: "uwsgi", generation: 2 },
    ]);
    expect(c.source.state.kinds.find(({ kind }) => kind === "UwsgiRoute")).toMatchObject({
      objects: 1,
      invalid: 1,
    });
    await c.change(() => c.api.apply(route("r")));
    expect(c.source.objects.invalid).toEqual([]);
    expect(c.get("UwsgiRoute", "r")?.generation).toBe(3);
  });

  test("that is well-formed and refused here is treated alike", async () => {
    const c = await startCluster();
    c.api.apply(route("r"));
    await c.follow().source.synced;
    const good = c.get("UwsgiRoute", "r");
    await c.change(() => c.api.apply(route("r", { rules: [{ backendRefs: [{ socket: "127.0.0.1:1" }] }] })));
    expect(c.get("UwsgiRoute", "r")).toBe(good!);
    expect(c.source.objects.invalid[0]?.problems[0]?.field).toBe("spec.rules[0].backendRefs[0].socket");
  });

  test("is gone once deleted, and one of its name inherits nothing", async () => {
    const c = await startCluster();
    c.api.apply(route("r"));
    await c.follow().source.synced;
    await c.change(() => c.api.apply(route("r", { rules: [] })));
    await c.change(() => c.api.remove(route("r")));
    expect([c.get("UwsgiRoute", "r"), c.source.objects.invalid]).toEqual([undefined, []]);
    await c.change(() => c.api.apply(route("r", { rules: [] })));
    expect(c.get("UwsgiRoute", "r")).toBeUndefined();
    expect(c.source.objects.invalid.length).toBe(1);
  });

  test("that is a slice is no mere change of endpoints", async () => {
    const c = await startCluster();
    c.api.apply(slice("app-1", "app"));
    await c.follow().source.synced;
    const bad = slice("app-1", "app", "10.0.0.1", { addressType: "FQDN" });
    expect((await c.change(() => c.api.apply(bad))).isEndpointsOnly).toBe(false);
  });
});

describe("the state of a route", () => {
  test("follows its status, which is not told", async () => {
    const c = await startCluster();
    c.api.apply(route("r"));
    await c.follow().source.synced;
    const ref = { kind: "UwsgiRoute", namespace: "web", name: "r" } as const;
    const created = c.source.routeState(ref)!;
    expect(created).toMatchObject({ generation: 1, status: undefined });
    expect(created.uid).toHaveLength(36);
    const conditions = [{ type: "Accepted", status: "True" }];
    const path = "/apis/uwsgi-gateway.io/v1alpha1/namespaces/web/uwsgiroutes/r/status";
    const { metadata } = c.api.store.patch(c.api.target(path), { status: { conditions } });
    await c.change(() => c.api.apply(route("other")));
    const { uid } = created;
    const { resourceVersion } = metadata;
    expect(c.source.routeState(ref)).toEqual({ uid, generation: 1, resourceVersion, status: { conditions } });
    expect(c.changes.length).toBe(1);
    await c.change(() => c.api.remove(route("r")));
    expect(c.source.routeState(ref)).toBeUndefined();
    expect(c.source.routeState({ kind: "Service", namespace: "web", name: "app" })).toBeUndefined();
  });
});

describe("a list of namespaces", () => {
  test("is all that is asked for, but for IngressClasses", async () => {
    const c = await startCluster();
    for (const namespace of ["web", "shop", "other"]) c.api.apply(service("app", 80, namespace));
    await c.follow({ namespaces: ["web", "shop", "web"] }).source.synced;
    expect(c.names).toEqual(["IngressClass /uwsgi", "Service shop/app", "Service web/app"]);
    await c.watching(9);
    const asked = new Set(c.api.requests.map(({ plural, namespace }) => `${plural} ${namespace}`));
    expect([...asked].filter((each) => each.endsWith(" "))).toEqual(["ingressclasses "]);
    expect([...asked].filter((each) => each.endsWith(" other"))).toEqual([]);
    c.api.apply(service("app", 81, "other"));
    await c.change(() => c.api.apply(service("app", 82, "shop")));
    expect(c.names).toEqual(["IngressClass /uwsgi", "Service shop/app", "Service web/app"]);
    expect(c.source.state.kinds.find(({ kind }) => kind === "Service")).toMatchObject({
      reflectors: 2,
      objects: 2,
    });
  });
});

describe("stop", () => {
  test("leaves no watch, no connection and no call behind", async () => {
    const c = await startCluster();
    for (const raw of [route("r", { tls: { secretName: "cert" } }), secret("cert")]) c.api.apply(raw);
    await c.follow().source.synced;
    await c.watching(6);
    await c.source.stop();
    await c.api.until(() => c.api.watches().length === 0);
    const asked = c.api.requests.length;
    const told = c.changes.length;
    c.api.apply(service("late"));
    c.api.apply(route("late"));
    await new Promise((resolve) => setImmediate(resolve));
    expect([c.api.requests.length, c.changes.length]).toEqual([asked, told]);
  });

  test("ends a list that hangs and a pause that is long", async () => {
    const c = await startCluster();
    c.api.fault({ plural: "services" }, { type: "hang" });
    c.api.fault({ plural: "ingresses" }, { type: "status", status: 503, retryAfter: "100" });
    c.follow();
    await c.api.until(() => c.api.logged({ where: ({ status }) => status === 503 }).length === 1);
    await c.watching(3);
    await c.source.stop();
    expect(c.source.isSynced).toBe(false);
  });
});
