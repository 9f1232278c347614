/**
 * Proves how statuses are written: the newest only, nothing when unchanged, at a bounded rate, over conflicts, after failures, and
 * not a request more once another leads. Time and the API server are simulated.
 */
import { describe, expect, test } from "bun:test";
import { KubeError } from "../kube/api.ts";
import { type Call, MemoryApi } from "./memory-api.fixture.ts";
import { field, type Observed, observe } from "./observed.ts";
import { objectPath, type StatusRef } from "./paths.ts";
import { SimulatedTime } from "./simulated-time.fixture.ts";
import { StatusWriter, WRITER_LIMITS, type WriterLimits } from "./writer.ts";

const ref = (name: string): StatusRef => ({ kind: "UwsgiRoute", namespace: "web", name });

/** Statuses are `{ text }` here: `want` sets what each object is to have. */
function setUp(limits: Partial<WriterLimits> = {}) {
  const time = new SimulatedTime();
  const api = new MemoryApi();
  const wanted = new Map<string, string>();
  const frozen = new Map<string, Observed>();
  const errors: unknown[] = [];
  const done: string[] = [];
  const state = { leads: true };
  const writer = new StatusWriter({
    api,
    routeState: (each) => {
      const object = api.peek(objectPath(each));
      return frozen.get(each.name) ?? (object && observe(object));
    },
    desired: ({ name }, { status }) => {
      const text = wanted.get(name);
      return text === undefined || field(status, "text") === text ? undefined : { text };
    },
    onDone: ({ name }) => done.push(name),
    isLeader: () => state.leads,
    onError: (_, error) => errors.push(error),
    timers: time,
    random: () => 0.5,
    limits: { ...WRITER_LIMITS, ...limits },
  });
  writer.start();
  const add = (name: string) =>
    api.put(objectPath(ref(name)), {
      metadata: { name, namespace: "web", uid: name, generation: 1 },
      spec: {},
    });
  const want = (name: string, text: string) => {
    wanted.set(name, text);
    writer.enqueue(ref(name));
  };
  const textOf = (name: string) => field(api.peek(objectPath(ref(name)))?.status, "text");
  /** What the watch shows stays as it is now. */
  const freeze = (name: string) => frozen.set(name, observe(api.peek(objectPath(ref(name)))!));
  const thaw = (name: string) => frozen.delete(name);
  return { time, api, writer, state, errors, done, add, want, textOf, freeze, thaw };
}

const patches = (api: MemoryApi) => api.calls.filter(({ verb }) => verb === "patch");

describe("StatusWriter", () => {
  test("writes the status only, held to the version that it was made for", async () => {
    const { time, api, add, want, textOf, writer, done } = setUp();
    const { metadata } = add("a");
    want("a", "1");
    await time.advance(10);
    expect(textOf("a")).toBe("1");
    expect(patches(api)).toEqual([
      {
        verb: "patch",
        path: "/apis/uwsgi-gateway.io/v1alpha1/namespaces/web/uwsgiroutes/a",
        body: { metadata: { resourceVersion: metadata.resourceVersion }, status: { text: "1" } },
      },
    ]);
    expect(writer.counts).toMatchObject({ written: 1, unchanged: 0, conflicts: 0, failures: 0 });
    expect(done).toEqual(["a"]);
  });

  test("writes nothing where nothing is to be changed", async () => {
    const { time, api, add, want, writer } = setUp();
    add("a");
    want("a", "1");
    await time.advance(10);
    want("a", "1");
    await time.advance(10);
    expect(patches(api)).toHaveLength(1);
    expect(writer.counts).toMatchObject({ written: 1, unchanged: 1 });
  });

  test("knows its own write before the watch shows it, and what others write after it", async () => {
    const { time, api, add, want, freeze, thaw, textOf, writer } = setUp();
    add("a");
    freeze("a");
    want("a", "1");
    await time.advance(10);
    want("a", "1");
    await time.advance(10);
    expect(api.calls).toHaveLength(1);
    want("a", "2");
    await time.advance(10);
    expect([textOf("a"), api.calls.length, writer.counts.conflicts]).toEqual(["2", 2, 0]);
    thaw("a");
    const path = objectPath(ref("a"));
    api.put(path, { ...api.peek(path)!, status: { text: "defaced" } });
    want("a", "2");
    await time.advance(10);
    expect(textOf("a")).toBe("2");
  });

  test("lets the newest win: what changes while it waits or is being written is written once more", async () => {
    const { time, api, add, want, textOf } = setUp();
    add("a");
    want("a", "1");
    want("a", "2");
    api.before = () => time.after(100);
    await time.advance(50);
    for (const text of ["3", "4", "5"]) want("a", text);
    await time.advance(1000);
    expect(textOf("a")).toBe("5");
    expect(patches(api).map(({ body }) => field(field(body, "status"), "text"))).toEqual(["2", "5"]);
  });

  test("reads again and decides anew after a conflict", async () => {
    const { time, api, add, want, freeze, textOf, writer } = setUp();
    add("a");
    freeze("a");
    const path = objectPath(ref("a"));
    api.put(path, { ...api.peek(path)!, status: { text: "other", more: true } });
    want("a", "1");
    await time.advance(10);
    expect(api.calls.map(({ verb }) => verb)).toEqual(["patch", "get", "patch"]);
    expect(textOf("a")).toBe("1");
    expect(api.peek(path)!.status).toEqual({ text: "1", more: true });
    expect(writer.counts).toMatchObject({ written: 1, conflicts: 1, failures: 0 });
  });

  test("writes nothing after a conflict where another has written the same", async () => {
    const { time, api, add, want, freeze, writer } = setUp();
    add("a");
    freeze("a");
    const path = objectPath(ref("a"));
    api.put(path, { ...api.peek(path)!, status: { text: "1" } });
    want("a", "1");
    await time.advance(10);
    expect(api.calls.map(({ verb }) => verb)).toEqual(["patch", "get"]);
    expect(writer.counts).toMatchObject({ written: 0, unchanged: 1, conflicts: 1 });
  });

  test("does not fight for ever with another who keeps writing, and comes back later", async () => {
    const { time, api, add, want, textOf, writer } = setUp();
    add("a");
    let fights = true;
    const path = objectPath(ref("a"));
    api.before = ({ verb }) => {
      if (verb === "patch" && fights) api.put(path, { ...api.peek(path)!, status: { text: "other" } });
    };
    want("a", "1");
    await time.advance(100);
    expect(patches(api)).toHaveLength(5);
    expect(writer.counts).toMatchObject({ conflicts: 5, failures: 1 });
    expect(writer.queueLength).toBe(1);
    fights = false;
    await time.advance(1000);
    expect(textOf("a")).toBe("1");
    expect(writer.queueLength).toBe(0);
  });

  test("drops an object that is gone, or that is another one of the same name", async () => {
    const { time, api, add, want, freeze, writer, done, textOf } = setUp();
    add("a");
    freeze("a");
    api.remove(objectPath(ref("a")));
    want("a", "1");
    want("never-was", "1");
    await time.advance(10);
    add("b");
    freeze("b");
    api.put(objectPath(ref("b")), { metadata: { name: "b", namespace: "web", uid: "second" } });
    want("b", "1");
    await time.advance(60_000);
    expect(writer.counts).toMatchObject({ gone: 3, written: 0, failures: 0 });
    expect(done.toSorted()).toEqual(["a", "b", "never-was"]);
    expect(textOf("b")).toBeUndefined();
  });

  test("tries again after any failure, later and later", async () => {
    for (const status of [0, 403, 422, 429, 500, 503]) {
      const { time, api, add, want, textOf, errors } = setUp();
      add("a");
      const atMs: number[] = [];
      api.before = () => {
        atMs.push(time.monotonicMs());
        if (atMs.length <= 4) throw new KubeError(status, "", "no");
      };
      want("a", "1");
      await time.advance(30_000);
      expect([textOf("a"), errors.length]).toEqual(["1", 4]);
      const gaps = atMs.slice(1).map((each, i) => Math.round(each - atMs[i]!));
      expect(gaps).toEqual([375, 750, 1500, 3000]);
    }
  });

  test("waits as long as Retry-After asks, with all objects", async () => {
    const { time, api, add, want, textOf } = setUp({ maxConcurrent: 1 });
    let fail = true;
    api.before = () => {
      if (fail) throw new KubeError(429, "TooManyRequests", "slow down", 20_000);
    };
    for (const name of ["a", "b", "c"]) {
      add(name);
      want(name, "1");
    }
    await time.advance(20_000);
    expect(api.calls).toHaveLength(1);
    fail = false;
    await time.advance(2000);
    expect(["a", "b", "c"].map(textOf)).toEqual(["1", "1", "1"]);
  });

  test("one object that always fails does not keep the others waiting", async () => {
    const { time, api, add, want, textOf } = setUp();
    api.before = ({ path }) => {
      if (path.endsWith("/bad")) throw new KubeError(403, "Forbidden", "not there");
    };
    for (const name of ["bad", "a", "b"]) {
      add(name);
      want(name, "1");
    }
    await time.advance(100);
    expect(["a", "b"].map(textOf)).toEqual(["1", "1"]);
    await time.advance(600_000);
    // Up to a minute apart.
    expect(api.calls.filter(({ path }) => path.endsWith("/bad")).length).toBeLessThan(25);
  });

  test("a burst leaves at a bounded rate and concurrency, and whole", async () => {
    const { time, api, add, want, textOf, writer } = setUp({ requestsPerSecond: 50, burstRequests: 100 });
    let running = 0;
    let most = 0;
    const startedAtMs: number[] = [];
    api.before = async () => {
      startedAtMs.push(time.monotonicMs());
      most = Math.max(most, ++running);
      await time.after(5);
    };
    api.after = () => {
      running--;
    };
    const names = Array.from({ length: 600 }, (_, i) => `r${i}`);
    for (const name of names) add(name);
    for (const name of names) want(name, "1");
    await time.advance(1);
    expect(writer.queueLength).toBeGreaterThan(500);
    await time.advance(12_000);
    expect(names.filter((name) => textOf(name) !== "1")).toEqual([]);
    expect(writer.queueLength).toBe(0);
    expect(most).toBe(4);
    for (const fromMs of [0, 2000, 5000]) {
      const inSecond = startedAtMs.filter((each) => each >= fromMs && each < fromMs + 1000).length;
      expect(inSecond).toBeLessThanOrEqual(fromMs === 0 ? 151 : 51);
    }
  });

  test("conflicts count against the rate", async () => {
    const { time, api, add, want } = setUp({ requestsPerSecond: 10, burstRequests: 10 });
    const fight = ({ verb, path }: Call) => {
      if (verb === "patch") api.put(path, { ...api.peek(path)!, status: { text: "other" } });
    };
    api.before = fight;
    for (let i = 0; i < 50; i++) {
      add(`r${i}`);
      want(`r${i}`, "1");
    }
    await time.advance(20_000);
    // One object's tries may overdraw; the others wait for that.
    expect(api.calls.length).toBeLessThanOrEqual(10 + 20 * 10 + 4 * 10);
  });

  test("stops at once when another leads: requests are given up, and what waits is forgotten", async () => {
    const { time, api, add, want, textOf, writer, errors } = setUp({ maxConcurrent: 2 });
    api.before = () => time.after(100);
    for (let i = 0; i < 10; i++) {
      add(`r${i}`);
      want(`r${i}`, "1");
    }
    await time.advance(50);
    expect(api.calls).toHaveLength(2);
    writer.stop();
    await time.advance(600_000);
    expect(api.calls).toHaveLength(2);
    expect(errors).toEqual([]);
    expect(writer.queueLength).toBe(0);
    expect(writer.counts.written).toBe(0);
    want("r5", "1");
    await time.advance(1000);
    expect(api.calls).toHaveLength(2);
    writer.start();
    want("r5", "2");
    await time.advance(1000);
    expect(textOf("r5")).toBe("2");
    await writer.close();
    expect(time.timersRunning).toBe(0);
  });

  test("writes nothing in the time between the deadline and the word that it has passed", async () => {
    const { time, api, add, want, freeze, textOf, state } = setUp();
    add("a");
    freeze("a");
    const path = objectPath(ref("a"));
    api.put(path, { ...api.peek(path)!, status: { text: "other" } });
    api.before = ({ verb }) => {
      // Midway between the conflict and the second try.
      if (verb === "get") state.leads = false;
    };
    want("a", "1");
    add("b");
    await time.advance(100);
    want("b", "1");
    await time.advance(10_000);
    expect(api.calls.map(({ verb }) => verb)).toEqual(["patch", "get"]);
    // The renewal came after all.
    api.before = () => {};
    state.leads = true;
    await time.advance(10_000);
    expect(["a", "b"].map(textOf)).toEqual(["1", "1"]);
  });

  test("closes while a request is under way, and leaves no timer", async () => {
    const { time, api, add, want, writer } = setUp();
    api.before = () => new Promise(() => {});
    add("a");
    want("a", "1");
    await time.advance(10);
    await writer.close();
    expect(time.timersRunning).toBe(0);
  });
});
