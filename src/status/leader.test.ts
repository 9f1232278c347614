/**
 * Proves the election: one leads, it stops in time when it cannot renew, another follows, and two never lead at once, whatever
 * the network does and however the clocks are set. Time and the API server are simulated; a failing schedule is named by its seed.
 */
import { describe, expect, test } from "bun:test";
import { KubeError } from "../kube/api.ts";
import type { Timers } from "../ops/timers.ts";
import { Elector, LEASE_DURATION_MS, RENEW_DEADLINE_MS, RETRY_PERIOD_MS } from "./leader.ts";
import { MemoryApi } from "./memory-api.fixture.ts";
import { SimulatedTime, seededRandom } from "./simulated-time.fixture.ts";

const PATH = "/apis/coordination.k8s.io/v1/namespaces/gw/leases/gw";
const EPOCH_MS = Date.UTC(2030, 0, 1);

interface Contender {
  readonly elector: Elector;
  readonly log: string[];
  readonly errors: unknown[];
}

function contender(
  api: ConstructorParameters<typeof Elector>[0]["api"],
  identity: string,
  timers: Timers,
  random = () => 0.5,
): Contender {
  const log: string[] = [];
  const errors: unknown[] = [];
  const elector = new Elector({
    api,
    namespace: "gw",
    name: "gw",
    identity,
    timers,
    random,
    epochMs: () => EPOCH_MS + timers.monotonicMs(),
    onGained: () => log.push("gained"),
    onLost: () => log.push("lost"),
    onError: (error) => errors.push(error),
  });
  return { elector, log, errors };
}

function spec(api: MemoryApi): Record<string, unknown> {
  return api.peek(PATH)!.spec as Record<string, unknown>;
}

describe("Elector", () => {
  test("makes the Lease where there is none, and renews it", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    const a = contender(api, "a", time);
    a.elector.start();
    await time.advance(0);
    expect(a.log).toEqual(["gained"]);
    expect(a.elector.isLeader()).toBe(true);
    expect(api.peek(PATH)).toMatchObject({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "gw", namespace: "gw" },
      spec: {
        holderIdentity: "a",
        leaseDurationSeconds: 15,
        acquireTime: "2030-01-01T00:00:00.000000Z",
        renewTime: "2030-01-01T00:00:00.000000Z",
        leaseTransitions: 0,
      },
    });
    await time.advance(60_000);
    expect(a.log).toEqual(["gained"]);
    expect(spec(api)).toMatchObject({
      acquireTime: "2030-01-01T00:00:00.000000Z",
      renewTime: "2030-01-01T00:01:00.000000Z",
      leaseTransitions: 0,
    });
    // A renewal is one request.
    expect(api.calls.filter(({ verb }) => verb === "get")).toHaveLength(1);
    await a.elector.close();
    expect(time.timersRunning).toBe(0);
  });

  test("waits while another renews, and takes over when that one is gone without a word", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    let cut = false;
    const [a, b] = [
      contender(
        cuttable(api, () => cut),
        "a",
        time,
      ),
      contender(api, "b", time),
    ];
    a.elector.start();
    await time.advance(1);
    b.elector.start();
    await time.advance(60_000);
    expect(b.log).toEqual([]);
    cut = true;
    await time.advance(RENEW_DEADLINE_MS);
    expect([a.log, b.log]).toEqual([["gained", "lost"], []]);
    await time.advance(LEASE_DURATION_MS);
    expect(b.log).toEqual(["gained"]);
    expect(spec(api)).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
    cut = false;
    await time.advance(60_000);
    expect(a.log).toEqual(["gained", "lost"]);
    expect(a.elector.isLeader()).toBe(false);
  });

  test("goes on leading after a failure that is shorter than the deadline", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    let failing = false;
    api.before = () => {
      if (failing) throw new KubeError(503, "", "busy");
    };
    const a = contender(api, "a", time);
    a.elector.start();
    await time.advance(1000);
    failing = true;
    await time.advance(6500);
    expect(a.errors.length).toBeGreaterThan(1);
    failing = false;
    await time.advance(60_000);
    expect(a.log).toEqual(["gained"]);
  });

  test("leads again when the API server is back and nobody took the Lease, without a transition", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    let cut = false;
    const a = contender(
      cuttable(api, () => cut),
      "a",
      time,
    );
    a.elector.start();
    await time.advance(1000);
    cut = true;
    await time.advance(60_000);
    expect(a.log).toEqual(["gained", "lost"]);
    cut = false;
    await time.advance(10_000);
    expect(a.log).toEqual(["gained", "lost", "gained"]);
    expect(spec(api)).toMatchObject({ holderIdentity: "a", leaseTransitions: 0 });
  });

  test("is no leader past the deadline, even where its timers are late", async () => {
    const time = new SimulatedTime();
    let lateMs = 0;
    const stalled: Timers = {
      monotonicMs: () => time.monotonicMs() + lateMs,
      start: (callback, delayMs) => time.start(callback, delayMs),
      cancel: (timer) => time.cancel(timer),
    };
    const a = contender(new MemoryApi(), "a", stalled);
    a.elector.start();
    await time.advance(0);
    expect(a.elector.isLeader()).toBe(true);
    lateMs = RENEW_DEADLINE_MS;
    expect(a.elector.isLeader()).toBe(false);
    expect(a.log).toEqual(["gained"]);
  });

  test("does not lead by an answer that comes after the deadline", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    api.after = ({ verb }) => (verb === "create" ? time.after(RENEW_DEADLINE_MS) : undefined);
    const a = contender(api, "a", time);
    a.elector.start();
    await time.advance(4999);
    expect(spec(api).holderIdentity).toBe("a");
    expect(a.log).toEqual([]);
    await time.advance(6000);
    // By the next try, which finds the Lease its own.
    expect(a.log).toEqual(["gained"]);
    expect(api.calls.at(-1)!.verb).toBe("replace");
  });

  test("does not believe the times in a Lease", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    for (const renewTime of ["1999-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"]) {
      api.put(PATH, {
        metadata: { name: "gw", namespace: "gw", uid: renewTime },
        spec: { holderIdentity: "dead", leaseDurationSeconds: 15, renewTime, leaseTransitions: 7 },
      });
      const a = contender(api, "a", time);
      a.elector.start();
      await time.advance(LEASE_DURATION_MS - 100);
      expect(a.log).toEqual([]);
      await time.advance(100 + 2.2 * RETRY_PERIOD_MS);
      expect(a.log).toEqual(["gained"]);
      expect(spec(api).leaseTransitions).toBe(8);
      await a.elector.close();
    }
  });

  test("gives the Lease back on closing, so that the next need not wait", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    const [a, b] = [contender(api, "a", time), contender(api, "b", time)];
    a.elector.start();
    await time.advance(1);
    b.elector.start();
    await time.advance(5000);
    const closed = a.elector.close();
    expect(a.log).toEqual(["gained", "lost"]);
    await closed;
    expect(spec(api)).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1, leaseTransitions: 0 });
    await time.advance(2.2 * RETRY_PERIOD_MS);
    expect(b.log).toEqual(["gained"]);
    expect(spec(api)).toMatchObject({ holderIdentity: "b", leaseDurationSeconds: 15, leaseTransitions: 1 });
  });

  test("gives back what a renewal under way has taken, and leaves another's alone", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    api.after = ({ verb }) => (verb === "create" ? time.after(3000) : undefined);
    const [a, b] = [contender(api, "a", time), contender(api, "b", time)];
    a.elector.start();
    await time.advance(1000);
    await a.elector.close();
    expect(a.log).toEqual([]);
    expect(spec(api).holderIdentity).toBe("");
    b.elector.start();
    await time.advance(1000);
    const c = contender(api, "c", time);
    c.elector.start();
    await time.advance(1000);
    await c.elector.close();
    expect(spec(api).holderIdentity).toBe("b");
  });

  test("closes although the API server does not answer", async () => {
    const time = new SimulatedTime();
    let cut = false;
    const a = contender(
      cuttable(new MemoryApi(), () => cut),
      "a",
      time,
    );
    a.elector.start();
    await time.advance(1000);
    cut = true;
    let closed = false;
    void a.elector.close().then(() => {
      closed = true;
    });
    expect(a.elector.isLeader()).toBe(false);
    await time.advance(2000);
    expect(closed).toBe(true);
    expect(time.timersRunning).toBe(0);
  });

  test("stops at once when it sees another's name in the Lease", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    const a = contender(api, "a", time);
    a.elector.start();
    await time.advance(1000);
    const { spec: taken, ...rest } = api.peek(PATH)!;
    api.put(PATH, { ...rest, spec: { ...(taken as object), holderIdentity: "thief" } });
    await time.advance(RETRY_PERIOD_MS);
    expect(a.log).toEqual(["gained", "lost"]);
  });

  test("makes the Lease anew when somebody deletes it", async () => {
    const time = new SimulatedTime();
    const api = new MemoryApi();
    const a = contender(api, "a", time);
    a.elector.start();
    await time.advance(1000);
    api.remove(PATH);
    await time.advance(10_000);
    expect(a.log).toEqual(["gained"]);
    expect(spec(api).holderIdentity).toBe("a");
  });
});

describe("two contenders", () => {
  const SEEDS = 60;
  const FAULTY_MS = 240_000;
  const QUIET_MS = 60_000;

  for (let seed = 1; seed <= SEEDS; seed++) {
    test(`never lead at once, and one leads in the end: seed ${seed}`, async () => {
      const { bothAtMs, terms, leaders } = await schedule(seed);
      expect(bothAtMs).toEqual([]);
      expect(terms).toBeGreaterThan(0);
      expect(leaders).toBe(1);
    });
  }

  test("are made to change places by these schedules", async () => {
    let terms = 0;
    for (let seed = 1; seed <= 10; seed++) terms += (await schedule(seed)).terms;
    expect(terms).toBeGreaterThan(20);
  });

  /** Requests and answers are late or lost, links are cut for a while, processes stall and close; clocks differ. */
  async function schedule(seed: number) {
    const time = new SimulatedTime();
    const random = seededRandom(seed);
    const api = new MemoryApi();
    let isFaulty = true;
    const contenders = ["a", "b"].map((identity) => {
      let cutUntilMs = 0;
      const travel = async () => {
        if (!isFaulty) return;
        if (random() < 0.03) cutUntilMs = time.monotonicMs() + random() * 40_000;
        if (time.monotonicMs() < cutUntilMs || random() < 0.1) await time.after(60_000 * random());
        else await time.after(random() < 0.2 ? random() * 9000 : random() * 50);
        if (random() < 0.1) throw new KubeError(random() < 0.5 ? 0 : 503, "", "fault");
      };
      const timers = time.skewed(random() * 1e9, 0.9 + random() * 0.2);
      return contender(travelling(api, travel), identity, timers, random);
    });
    const electors = contenders.map(({ elector }) => elector);
    const bothAtMs: number[] = [];
    time.onStep = () => {
      if (electors.every((elector) => elector.isLeader())) bothAtMs.push(time.monotonicMs());
    };
    for (const elector of electors) elector.start();
    await time.advance(FAULTY_MS);
    isFaulty = false;
    await time.advance(QUIET_MS);
    const leaders = electors.filter((elector) => elector.isLeader()).length;
    const terms = contenders.flatMap(({ log }) => log).filter((each) => each === "gained").length;
    return { bothAtMs, terms, leaders };
  }
});

type LeaseApi = ConstructorParameters<typeof Elector>[0]["api"];

/** Requests that never end while `isCut`, not even when they are given up. */
function cuttable(api: MemoryApi, isCut: () => boolean): LeaseApi {
  return travelling(api, () => (isCut() ? new Promise(() => {}) : Promise.resolve()));
}

/** `travel`: the way there, and the way back. Requests go on although nobody waits for them any more. */
function travelling(api: MemoryApi, travel: () => Promise<void>): LeaseApi {
  const never = new AbortController().signal;
  const there = async <T>(request: () => Promise<T>): Promise<T> => {
    await travel();
    const answer = await request();
    await travel();
    return answer;
  };
  return {
    get: (path) => there(() => api.get(path, never)),
    create: (collection, object) => there(() => api.create(collection, object, never)),
    replace: (path, object) => there(() => api.replace(path, object, never)),
  };
}
