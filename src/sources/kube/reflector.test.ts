/**
 * Proves over real HTTP, with the clock in hand, that a collection is followed through every fault: from the last version where the
 * server knows it, by a new list where it does not or where doubt is left, after pauses that grow and heed Retry-After.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { writeKubeconfig } from "../../../test/cluster/fake-api/kubeconfig.ts";
import { type FakeApi, startFakeApi } from "../../../test/cluster/fake-api/server.ts";
import { onStopAll, stopAll } from "../../../test/harness/cleanup.ts";
import { createKubeClient } from "../../kube/client.ts";
import type { Listing, Sink } from "./collection.ts";
import type { Pace } from "./pace.ts";
import { Reflector } from "./reflector.ts";

afterAll(stopAll);

let stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.reverse()) await stop();
  stops = [];
});

/** Pauses last until they are ended by hand, and are written down. */
class HandPace implements Pace {
  readonly pauses: number[] = [];
  nowMs = 0;
  #paused: (() => void) | undefined;
  #onPause = () => {};

  epochMs = () => this.nowMs;
  monotonicMs = () => this.nowMs;
  random = () => 0;

  delay(delayMs: number, signal: AbortSignal): Promise<void> {
    this.pauses.push(delayMs);
    return new Promise((resolve) => {
      this.#paused = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
      this.#onPause();
    });
  }

  /** Waits for a pause, ends it, and tells how long it would have been. */
  async pass(): Promise<number> {
    while (this.#paused === undefined) await new Promise<void>((resolve) => (this.#onPause = resolve));
    const end = this.#paused;
    this.#paused = undefined;
    end();
    return this.pauses.at(-1)!;
  }
}

/** Writes down what it is given. */
class Notes implements Sink {
  readonly lines: string[] = [];
  throwsAt: string | undefined;
  #wake = () => {};

  beginList(): Listing {
    let names: string[] = [];
    return {
      begin: () => (names = []),
      page: (items) => void names.push(...items.map(({ metadata }) => metadata.name)),
      commit: () => this.#note(`list ${names.join()}`),
    };
  }

  apply({ type, object }: Parameters<Sink["apply"]>[0]): void {
    if (object.metadata.name === this.throwsAt) throw new TypeError("a fault of ours");
    this.#note(`${type} ${object.metadata.name}`);
  }

  async until(count: number): Promise<readonly string[]> {
    while (this.lines.length < count) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.lines;
  }

  #note(line: string): void {
    this.lines.push(line);
    this.#wake();
  }
}

function service(name: string, port = 80) {
  const metadata = { name, namespace: "web" };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port }] } };
}

async function start(prepare: (api: FakeApi) => unknown = () => {}, maxHistory = 100) {
  const api = await startFakeApi({ maxHistory });
  stops.push(onStopAll(() => api.stop()));
  api.apply(service("a"));
  await prepare(api);
  const client = createKubeClient({
    kubeconfig: writeKubeconfig({ server: api.url }),
    limits: { pageSize: 2, maxSilenceMs: 10_000 },
  });
  stops.push(onStopAll(() => client.close()));
  const pace = new HandPace();
  const notes = new Notes();
  const reflector = new Reflector({ api: client, path: "/api/v1/services", query: {}, sink: notes, pace });
  stops.push(onStopAll(() => reflector.stop()));
  reflector.start();
  return { api, pace, notes, reflector };
}

/** A watch is open that was not there before. */
async function watchOf(api: FakeApi, count = 1) {
  await api.until(() => api.logged({ verb: "watch", where: ({ status }) => status === 200 }).length >= count);
  await api.until(() => api.watches().length === 1);
  return api.watches()[0]!;
}

function verbs(api: FakeApi): string {
  return api.requests.map(({ verb, status }) => `${verb} ${status}`).join(", ");
}

describe("following", () => {
  test("begins with a list, and goes on with events from its version", async () => {
    const { api, notes, reflector } = await start();
    await reflector.synced;
    const watch = await watchOf(api);
    expect(watch.request.query["resourceVersion"]).toBe(String(api.store.version));
    api.apply(service("b"));
    api.apply(service("b", 81));
    api.remove(service("a"));
    expect(await notes.until(4)).toEqual(["list a", "ADDED b", "MODIFIED b", "DELETED a"]);
    expect(reflector.state).toEqual({ synced: true, relists: 0, lastEventEpochMs: 0 });
  });

  test("misses nothing between list and watch", async () => {
    const gate = Promise.withResolvers<void>();
    const { api, notes, reflector } = await start((api) =>
      api.fault({ verb: "watch" }, { type: "wait", until: gate.promise }),
    );
    await reflector.synced;
    api.apply(service("b"));
    gate.resolve();
    expect(await notes.until(2)).toEqual(["list a", "ADDED b"]);
  });
});

describe("the server's end of a watch", () => {
  test("leads at once to the next, from the last event or bookmark", async () => {
    const { api, notes, pace } = await start();
    const first = await watchOf(api);
    api.apply(service("b"));
    await notes.until(2);
    first.end();
    const second = await watchOf(api, 2);
    expect(second.request.query["resourceVersion"]).toBe(String(api.store.version));
    // Other kinds move the version on; only a bookmark tells this watch.
    api.apply({ apiVersion: "v1", kind: "Secret", metadata: { name: "s", namespace: "web" } });
    second.bookmark();
    second.end();
    const third = await watchOf(api, 3);
    expect(third.request.query["resourceVersion"]).toBe(String(api.store.version));
    expect([pace.pauses, notes.lines]).toEqual([[], ["list a", "ADDED b"]]);
  });

  test("is slowed down where it comes again and again, with nothing said", async () => {
    const { api, pace } = await start();
    for (const pause of [0, 1_000, 2_000]) {
      const count = api.logged({ verb: "watch" }).length;
      (await watchOf(api, Math.max(1, count))).end();
      if (pause > 0) expect(await pace.pass()).toBe(pause);
      await watchOf(api, Math.max(1, count) + 1);
    }
  });

  test("is no haste after a watch that lasted", async () => {
    const { api, pace } = await start();
    for (const count of [1, 2, 3]) {
      const watch = await watchOf(api, count);
      pace.nowMs += 300_000;
      watch.end();
    }
    await watchOf(api, 4);
    expect(pace.pauses).toEqual([]);
  });
});

describe("a version that is too old", () => {
  for (const goneAs of ["event", "status"] as const) {
    test(`leads at once to a new list (410 as ${goneAs})`, async () => {
      const { api, notes, pace, reflector } = await start((api) => (api.goneAs = goneAs));
      const watch = await watchOf(api);
      watch.silence();
      api.remove(service("a"));
      api.apply(service("b"));
      api.compact();
      watch.end();
      expect(await notes.until(2)).toEqual(["list a", "list b"]);
      await watchOf(api, goneAs === "event" ? 3 : 2);
      expect(pace.pauses).toEqual([]);
      expect(reflector.state).toMatchObject({ synced: true, relists: 1 });
      expect(reflector.state.lastError).toBeUndefined();
    });
  }

  test("again and again is slowed down", async () => {
    const { notes, pace } = await start((api) =>
      api.fault({ verb: "watch" }, { type: "status", status: 410, reason: "Expired" }, 3),
    );
    expect([await pace.pass(), await pace.pass()]).toEqual([1_000, 2_000]);
    expect((await notes.until(4)).length).toBe(4);
  });
});

describe("a fault of a watch", () => {
  test("that is a cut connection is followed by a watch from the last version, after a pause", async () => {
    const { api, notes, pace, reflector } = await start();
    const watch = await watchOf(api);
    watch.silence();
    api.apply(service("b"));
    watch.cut();
    expect(await pace.pass()).toBe(500);
    expect(await notes.until(2)).toEqual(["list a", "ADDED b"]);
    expect(reflector.state.relists).toBe(0);
  });

  for (const [name, text] of [
    ["garbage", "garbage\n"],
    ["half a line", '{"type":"ADDED",'],
  ] as const) {
    test(`that is ${name} is followed by a list, after a pause`, async () => {
      const { api, notes, pace, reflector } = await start();
      const watch = await watchOf(api);
      watch.write(text);
      watch.end();
      expect(await pace.pass()).toBe(500);
      expect(await notes.until(2)).toEqual(["list a", "list a"]);
      expect(reflector.state.relists).toBe(1);
    });
  }

  test("that is ours is followed by a list too, and reported", async () => {
    const { api, notes, pace, reflector } = await start();
    await watchOf(api);
    notes.throwsAt = "b";
    api.apply(service("b"));
    expect(await pace.pass()).toBe(500);
    expect(reflector.state.lastError).toMatchObject({ status: 0, message: "a fault of ours" });
    expect(await notes.until(2)).toEqual(["list a", "list a,b"]);
  });

  test("that is an ERROR event of another code keeps the version", async () => {
    const { api, pace } = await start();
    const watch = await watchOf(api);
    const object = { kind: "Status", code: 500, reason: "InternalError", message: "no leader" };
    watch.write(`${JSON.stringify({ type: "ERROR", object })}\n`);
    expect(await pace.pass()).toBe(500);
    await watchOf(api, 2);
    expect(verbs(api)).toBe("list 200, watch 200, watch 200");
  });

  for (const status of [429, 500, 503, 403, 401]) {
    test(`that is ${status} keeps the version, grows, and heeds Retry-After`, async () => {
      const fault = { type: "status", status, reason: "No" } as const;
      const { api, pace, reflector } = await start((api) => {
        api.fault({ verb: "watch" }, fault, 2);
        api.fault({ verb: "watch" }, { ...fault, retryAfter: "45" });
      });
      expect(await pace.pass()).toBe(500);
      expect(reflector.state.lastError).toMatchObject({ status });
      expect([await pace.pass(), await pace.pass()]).toEqual([1_000, 45_000]);
      await watchOf(api);
      expect(verbs(api)).toBe(`list 200, ${`watch ${status}, `.repeat(3)}watch 200`);
      // An open watch, though silent, is following.
      while (reflector.state.lastError !== undefined) await new Promise((resolve) => setImmediate(resolve));
    });
  }

  test("that is 404, as when its CRD goes, leads to a list", async () => {
    const { api, notes, pace } = await start((api) =>
      api.fault({ verb: "watch" }, { type: "status", status: 404, reason: "NotFound" }),
    );
    await pace.pass();
    expect(await notes.until(2)).toEqual(["list a", "list a"]);
    await watchOf(api);
  });
});

describe("a list that fails", () => {
  for (const [name, prepare, status] of [
    ["500", (api: FakeApi) => api.fault({ verb: "list" }, { type: "status", status: 500 }, 2), 500],
    ["403", (api: FakeApi) => api.fault({ verb: "list" }, { type: "status", status: 403 }, 2), 403],
    ["a cut connection", (api: FakeApi) => api.fault({ verb: "list" }, { type: "cut" }, 2), 0],
    ["garbage", (api: FakeApi) => api.fault({ verb: "list" }, { type: "text", text: "garbage" }, 2), 0],
  ] as const) {
    test(`by ${name} is no list: nothing is synced before one succeeds`, async () => {
      const { notes, pace, reflector } = await start(prepare);
      await reflector.answered;
      expect(reflector.state).toMatchObject({ synced: false, relists: 0, lastError: { status } });
      expect([await pace.pass(), await pace.pass()]).toEqual([500, 1_000]);
      await reflector.synced;
      expect(reflector.state.synced).toBe(true);
      expect(reflector.state.lastError).toBeUndefined();
      expect(notes.lines).toEqual(["list a"]);
    });
  }

  test("on its second page leaves nothing of its first", async () => {
    const { notes, pace, reflector } = await start((api) => {
      for (const name of ["b", "c"]) api.apply(service(name));
      const where = ({ query }: { query: Readonly<Record<string, string>> }) =>
        query["continue"] !== undefined;
      api.fault({ verb: "list", where }, { type: "status", status: 500 });
    });
    await reflector.answered;
    expect([notes.lines, reflector.state.synced]).toEqual([[], false]);
    await pace.pass();
    expect(await notes.until(1)).toEqual(["list a,b,c"]);
  });

  test("for a kind that is not installed yet is tried until it is", async () => {
    const { api, notes, pace, reflector } = await start((api) => api.uninstall("services"));
    expect(await pace.pass()).toBe(500);
    expect(reflector.state).toMatchObject({ synced: false, lastError: { status: 404 } });
    await api.until(() => api.logged({ where: ({ status }) => status === 404 }).length === 2);
    api.install("services");
    expect(await pace.pass()).toBe(1_000);
    expect(await notes.until(1)).toEqual(["list a"]);
  });

  test("after a first that succeeded leaves what that said in force", async () => {
    const { api, notes, pace, reflector } = await start();
    const watch = await watchOf(api);
    watch.silence();
    api.remove(service("a"));
    api.compact();
    api.fault({ verb: "list" }, { type: "status", status: 503, retryAfter: "3" });
    watch.end();
    expect(await pace.pass()).toBe(3_000);
    expect(reflector.state).toMatchObject({ synced: true, relists: 0, lastError: { status: 503 } });
    expect(await notes.until(2)).toEqual(["list a", "list "]);
    expect(reflector.state).toMatchObject({ synced: true, relists: 1 });
  });
});

describe("a server that is away", () => {
  test("is found again, and what it did meanwhile is caught up with", async () => {
    const { api, notes, pace, reflector } = await start();
    await watchOf(api);
    await api.refuse();
    const pauses = [await pace.pass(), await pace.pass(), await pace.pass()];
    expect(pauses).toEqual([500, 1_000, 2_000]);
    expect(reflector.state).toMatchObject({ synced: true, lastError: { status: 0 } });
    api.apply(service("b"));
    while (pace.pauses.length < 4) await new Promise((resolve) => setImmediate(resolve));
    await api.accept();
    await pace.pass();
    expect(await notes.until(2)).toEqual(["list a", "ADDED b"]);
    expect(reflector.state.lastError).toBeUndefined();
  });
});

describe("stop", () => {
  test("ends a watch, a list that hangs, and a pause", async () => {
    const watching = await start();
    await watchOf(watching.api);
    await watching.reflector.stop();
    await watching.api.until(() => watching.api.watches().length === 0);

    const listing = await start((api) => api.fault({}, { type: "hang" }));
    await listing.api.until(() => listing.api.requests.length === 1);
    await listing.reflector.stop();

    const pausing = await start((api) => api.fault({}, { type: "status", status: 500 }));
    await pausing.reflector.answered;
    await pausing.reflector.stop();
    for (const { api } of [listing, pausing]) expect(api.requests.length).toBe(1);
    expect(listing.reflector.state).toEqual({ synced: false, relists: 0 });
  });
});
