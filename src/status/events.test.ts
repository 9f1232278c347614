/**
 * Proves how events are sent: as `kubectl describe` shows them, the same text once and then counted, also across leaders, at a bounded
 * rate, and only by the leader. Time and the API server are simulated.
 */
import { describe, expect, test } from "bun:test";
import { KubeError } from "../kube/api.ts";
import type { EventSubject } from "./event-object.ts";
import { EventRecorder, MAX_QUEUED_EVENTS, SUPPRESS_MS } from "./events.ts";
import { MemoryApi } from "./memory-api.fixture.ts";
import type { Note } from "./notes.ts";
import { SimulatedTime } from "./simulated-time.fixture.ts";

const EVENTS = "/api/v1/namespaces/web/events/";
const bad: Note = { type: "Warning", reason: "BackendNotFound", message: "no Service web/x" };

function subject(name = "app", uid = "uid-1"): EventSubject {
  return { ref: { kind: "Ingress", namespace: "web", name }, uid };
}

function recorder(time: SimulatedTime, api: MemoryApi, state = { leads: true }) {
  const errors: unknown[] = [];
  const events = new EventRecorder({
    api,
    instance: "gw-0",
    isLeader: () => state.leads,
    onError: (_, error) => errors.push(error),
    timers: time,
    random: () => 0.5,
    epochMs: () => Date.UTC(2030, 0, 1) + time.monotonicMs(),
  });
  events.start();
  return { events, errors };
}

function setUp() {
  const time = new SimulatedTime();
  const api = new MemoryApi();
  const state = { leads: true };
  return { time, api, state, ...recorder(time, api, state) };
}

function all(api: MemoryApi) {
  return api.paths(EVENTS).map((path) => api.peek(path)!);
}

describe("EventRecorder", () => {
  test("sends an event on the object", async () => {
    const { time, api, events } = setUp();
    events.record(subject(), bad);
    await time.advance(10);
    const [event, ...more] = all(api);
    expect(more).toEqual([]);
    expect(event).toMatchObject({
      apiVersion: "v1",
      kind: "Event",
      metadata: { namespace: "web" },
      involvedObject: {
        apiVersion: "networking.k8s.io/v1",
        kind: "Ingress",
        namespace: "web",
        name: "app",
        uid: "uid-1",
      },
      type: "Warning",
      reason: "BackendNotFound",
      message: "no Service web/x",
      count: 1,
      firstTimestamp: "2030-01-01T00:00:00Z",
      lastTimestamp: "2030-01-01T00:00:00Z",
      source: { component: "uwsgi-gateway" },
      reportingComponent: "uwsgi-gateway",
      reportingInstance: "gw-0",
    });
    expect(event!.metadata.name).toMatch(/^app\.[0-9a-f]{16}$/);
  });

  test("bounds what is sent, names too", async () => {
    const { time, api, events } = setUp();
    events.record(subject(`${"n".repeat(235)}-${"m".repeat(10)}`), { ...bad, message: "😀".repeat(5000) });
    await time.advance(10);
    const [event] = all(api);
    expect((event!.message as string).length).toBeLessThanOrEqual(1024);
    expect((event!.message as string).isWellFormed()).toBe(true);
    expect(event!.metadata.name.length).toBeLessThanOrEqual(253);
    expect(event!.metadata.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  });

  test("does not repeat the same text for a while, and counts what it left out", async () => {
    const { time, api, events } = setUp();
    for (let i = 0; i < 20; i++) {
      events.record(subject(), bad);
      await time.advance(1000);
    }
    expect(api.calls).toHaveLength(1);
    expect(events.counts).toMatchObject({ sent: 1, suppressed: 19 });
    await time.advance(SUPPRESS_MS);
    events.record(subject(), bad);
    await time.advance(10);
    expect(api.calls.map(({ verb }) => verb)).toEqual(["create", "patch"]);
    expect(all(api)).toHaveLength(1);
    expect(all(api)[0]).toMatchObject({
      count: 21,
      firstTimestamp: "2030-01-01T00:00:00Z",
      lastTimestamp: "2030-01-01T00:10:20Z",
    });
  });

  test("tells apart other texts, reasons and objects", async () => {
    const { time, api, events } = setUp();
    events.record(subject(), bad);
    events.record(subject(), { ...bad, message: "no Service web/y" });
    events.record(subject(), { ...bad, reason: "PortNotFound" });
    events.record(subject("app", "uid-2"), bad);
    await time.advance(1000);
    expect(all(api)).toHaveLength(4);
  });

  test("finds what the leader before it told, and counts on", async () => {
    const { time, api, events } = setUp();
    events.record(subject(), bad);
    await time.advance(10);
    await events.close();
    const next = recorder(time, api);
    next.events.record(subject(), bad);
    await time.advance(5000);
    expect(all(api)).toHaveLength(1);
    expect(all(api)[0]).toMatchObject({ count: 1 });
    expect(next.errors).toEqual([]);
    await time.advance(SUPPRESS_MS);
    next.events.record(subject(), bad);
    await time.advance(10);
    expect(all(api)[0]).toMatchObject({ count: 2 });
  });

  test("makes an event anew that the API server has let go", async () => {
    const { time, api, events } = setUp();
    events.record(subject(), bad);
    await time.advance(SUPPRESS_MS + 10);
    for (const path of api.paths(EVENTS)) api.remove(path);
    events.record(subject(), bad);
    await time.advance(10);
    expect(all(api)).toHaveLength(1);
  });

  test("one object's flood is bounded, and leaves the others theirs", async () => {
    const { time, api, events } = setUp();
    for (let i = 0; i < 200; i++) events.record(subject("noisy"), { ...bad, message: `no Service ${i}` });
    events.record(subject("quiet", "uid-2"), bad);
    await time.advance(60_000);
    expect(all(api).filter(({ metadata }) => metadata.name.startsWith("noisy."))).toHaveLength(10);
    expect(all(api).filter(({ metadata }) => metadata.name.startsWith("quiet."))).toHaveLength(1);
    expect(events.counts.overRate).toBe(190);
  });

  test("a flood from all objects is bounded in rate and in memory", async () => {
    const { time, api, events } = setUp();
    for (let i = 0; i < 5000; i++) events.record(subject(`r${i}`, `uid-${i}`), bad);
    expect(events.queueLength).toBe(MAX_QUEUED_EVENTS);
    await time.advance(10_000);
    expect(api.calls.length).toBeGreaterThan(70);
    expect(api.calls.length).toBeLessThanOrEqual(25 + 10 * 5 + 1);
    await time.advance(300_000);
    expect(all(api)).toHaveLength(MAX_QUEUED_EVENTS);
    expect(events.counts.overRate).toBe(4000);
  });

  test("tries again when the server is in trouble, not for ever, and not where it is refused", async () => {
    for (const [status, tries] of [
      [503, 3],
      [0, 3],
      [403, 1],
      [404, 1],
    ] as const) {
      const { time, api, events, errors } = setUp();
      let failing = true;
      api.before = () => {
        if (failing) throw new KubeError(status, "", "no");
      };
      events.record(subject(), bad);
      await time.advance(60_000);
      expect([status, api.calls.length, errors.length]).toEqual([status, tries, tries]);
      failing = false;
      events.record(subject(), bad);
      await time.advance(1000);
      // What could not be told is counted in what is.
      expect(all(api)[0]).toMatchObject({ count: 2 });
    }
  });

  test("is silent while another leads, and stops at once", async () => {
    const { time, api, events, state } = setUp();
    for (let i = 0; i < 100; i++) events.record(subject(`r${i}`, `uid-${i}`), bad);
    api.before = () => time.after(10);
    await time.advance(15);
    const sent = api.calls.length;
    expect(sent).toBeGreaterThan(0);
    events.stop();
    await time.advance(60_000);
    events.record(subject(), bad);
    await time.advance(60_000);
    expect(api.calls).toHaveLength(sent);
    events.start();
    state.leads = false;
    events.record(subject(), bad);
    await time.advance(1000);
    expect(api.calls).toHaveLength(sent);
    await events.close();
    expect(time.timersRunning).toBe(0);
  });
});
