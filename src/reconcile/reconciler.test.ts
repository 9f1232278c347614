/**
 * Proves when translate runs and what is published: bursts are one cycle, cycles do not overlap, an unchanged version is
 * not published, and a failure leaves the last good snapshot. Time is simulated.
 */
import { describe, expect, test } from "bun:test";
import type { Timers } from "../ops/timers.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { ObjectSet } from "../translate/objects.ts";
import { type CycleReport, Reconciler } from "./reconciler.ts";

/** The objects of these tests: a version to translate to. */
interface Versioned extends ObjectSet {
  readonly version: string;
}

class SimulatedTimers implements Timers {
  #nowMs = 0;
  #pending: { atMs: number; callback: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  start(callback: () => void, delayMs: number): unknown {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#pending.push(timer);
    return timer;
  }

  cancel(timer: unknown): void {
    this.#pending = this.#pending.filter((each) => each !== timer);
  }

  /** Moves time on and lets promises settle. */
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    const due = this.#pending.filter((each) => each.atMs <= this.#nowMs);
    this.#pending = this.#pending.filter((each) => each.atMs > this.#nowMs);
    for (const { callback } of due) callback();
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

function setUp(publish: (version: string) => void | Promise<void> = () => undefined) {
  const timers = new SimulatedTimers();
  const published: string[] = [];
  const reports: CycleReport[] = [];
  const reconciler = new Reconciler<Versioned>({
    translate: ({ version }) => {
      if (version === "broken") throw new Error("cannot translate");
      return { snapshot: { version } as Snapshot, verdicts: [] };
    },
    publish: async ({ version }) => {
      published.push(version);
      await publish(version);
    },
    report: (report) => reports.push(report),
    timers,
    holdOffMs: 10,
    maxHoldOffMs: 25,
  });
  const update = (version: string) => reconciler.update({ version, objects: [], invalid: [] });
  return { timers, published, reports, reconciler, update };
}

describe("Reconciler", () => {
  test("waits for quiet, and takes the newest state", async () => {
    const { timers, published, update } = setUp();
    update("1");
    await timers.advance(9);
    update("2");
    await timers.advance(9);
    expect(published).toEqual([]);
    await timers.advance(1);
    expect(published).toEqual(["2"]);
  });

  test("does not wait for quiet for ever", async () => {
    const { timers, published, update } = setUp();
    for (let i = 0; i < 5; i++) {
      update(String(i));
      await timers.advance(5);
    }
    expect(published).toEqual(["4"]);
  });

  test("does not wait with the first state", async () => {
    const { published, reconciler } = setUp();
    await reconciler.runNow({ version: "1", objects: [], invalid: [] });
    expect(published).toEqual(["1"]);
  });

  test("runs one cycle at a time, and what came meanwhile in the next", async () => {
    const done: (() => void)[] = [];
    const { timers, published, update } = setUp(() => new Promise((resolve) => done.push(resolve)));
    update("1");
    await timers.advance(10);
    update("2");
    update("3");
    await timers.advance(100);
    expect(published).toEqual(["1"]);
    done.shift()!();
    await settle();
    await timers.advance(10);
    expect(published).toEqual(["1", "3"]);
  });

  test("publishes no version twice in a row, and reports all the same", async () => {
    const { timers, published, reports, update } = setUp();
    for (const version of ["1", "1", "2", "1"]) {
      update(version);
      await timers.advance(10);
    }
    expect(published).toEqual(["1", "2", "1"]);
    expect(reports.map((report) => report.version)).toEqual(["1", "1", "2", "1"]);
  });

  test("keeps the last good one where translating fails", async () => {
    const { timers, published, reports, update } = setUp();
    for (const version of ["1", "broken", "2"]) {
      update(version);
      await timers.advance(10);
    }
    expect(published).toEqual(["1", "2"]);
    expect(reports[1]).toEqual({ version: "1", verdicts: [], failure: "cannot translate" });
  });

  test("keeps the last good one where publishing fails, and tries again with the next change", async () => {
    let works = false;
    const { timers, published, reports, update } = setUp(() => {
      if (!works) throw new Error("refused");
    });
    update("1");
    await timers.advance(10);
    expect(reports.at(-1)).toEqual({ version: "", verdicts: [], failure: "refused" });
    works = true;
    update("1");
    await timers.advance(10);
    expect(published).toEqual(["1", "1"]);
    expect(reports.at(-1)).toEqual({ version: "1", verdicts: [] });
  });

  test("is still once it is closed", async () => {
    const { timers, published, reconciler, update } = setUp();
    update("1");
    await reconciler.close();
    await timers.advance(100);
    update("2");
    await timers.advance(100);
    expect(published).toEqual([]);
  });
});
