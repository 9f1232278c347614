import type { Timers } from "../ops/timers.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { ObjectSet } from "../translate/objects.ts";
import type { TranslateResult } from "../translate/translate.ts";
import type { Verdict } from "../translate/verdict.ts";

/** What came of one cycle. */
export interface CycleReport {
  /** The version in force; `""` before the first. */
  readonly version: string;
  /** On the newest objects; on older ones where `failure` says that those could not be translated. */
  readonly verdicts: readonly Verdict[];
  /** Why the newest objects are not in force. The last good snapshot is. */
  readonly failure?: string;
}

export interface ReconcilerOptions<Objects extends ObjectSet> {
  readonly translate: (objects: Objects) => TranslateResult;
  /** Puts a snapshot in force. A rejection leaves the one before in force; the next change tries again. */
  readonly publish: (snapshot: Snapshot) => void | Promise<void>;
  /** After every cycle, also where there was nothing to publish. */
  readonly report: (report: CycleReport, objects: Objects) => void;
  readonly timers: Timers;
  /** Quiet time after an update before it is acted on. 0 where the source itself collects bursts. */
  readonly holdOffMs: number;
  /** At most this long after the first update of a burst. */
  readonly maxHoldOffMs: number;
}

/** Turns updates into snapshots: bursts become one cycle, one cycle runs at a time, and what has not changed is not published. */
export class Reconciler<Objects extends ObjectSet> {
  readonly #options: ReconcilerOptions<Objects>;
  #waiting: { objects: Objects; sinceMs: number } | undefined;
  #timer: unknown;
  #cycle: Promise<void> | undefined;
  #version = "";
  #verdicts: readonly Verdict[] = [];
  #closed = false;

  constructor(options: ReconcilerOptions<Objects>) {
    this.#options = options;
  }

  /** Takes the newest state of everything; one that is still waiting is dropped. */
  update(objects: Objects): void {
    const { timers } = this.#options;
    this.#waiting = { objects, sinceMs: this.#waiting?.sinceMs ?? timers.monotonicMs() };
    this.#schedule();
  }

  /** Runs a cycle now, past the hold-off: for the first state, which nothing should wait for. */
  async runNow(objects: Objects): Promise<void> {
    this.#waiting = { objects, sinceMs: this.#options.timers.monotonicMs() };
    this.#begin();
    await this.#cycle;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#options.timers.cancel(this.#timer);
    await this.#cycle;
  }

  #schedule(): void {
    if (this.#closed || this.#cycle !== undefined || this.#waiting === undefined) return;
    const { timers, holdOffMs, maxHoldOffMs } = this.#options;
    const leftMs = this.#waiting.sinceMs + maxHoldOffMs - timers.monotonicMs();
    timers.cancel(this.#timer);
    this.#timer = timers.start(() => this.#begin(), Math.max(0, Math.min(holdOffMs, leftMs)));
  }

  #begin(): void {
    if (this.#closed || this.#cycle !== undefined || this.#waiting === undefined) return;
    const { objects } = this.#waiting;
    this.#waiting = undefined;
    this.#cycle = this.#run(objects).finally(() => {
      this.#cycle = undefined;
      this.#schedule();
    });
  }

  async #run(objects: Objects): Promise<void> {
    const failure = await this.#apply(objects);
    const report = { version: this.#version, verdicts: this.#verdicts };
    this.#options.report(failure === undefined ? report : { ...report, failure }, objects);
  }

  async #apply(objects: Objects): Promise<string | undefined> {
    try {
      const { snapshot, verdicts } = this.#options.translate(objects);
      this.#verdicts = verdicts;
      if (snapshot.version === this.#version) return undefined;
      await this.#options.publish(snapshot);
      this.#version = snapshot.version;
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }
}
