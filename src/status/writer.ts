/**
 * Writes statuses at a bounded rate. What to write is asked for at the last moment, so that only the newest counts and an
 * object waits once, however often it changes.
 */
import { type KubeApi, KubeError } from "../kube/api.ts";
import type { Timers } from "../ops/timers.ts";
import { refKey } from "../resources/metadata.ts";
import { type Observed, observe } from "./observed.ts";
import { objectPath, type StatusRef } from "./paths.ts";
import { hasKubeStatus, isServerTrouble, retryDelayMs } from "./retry.ts";
import { TokenBucket } from "./token-bucket.ts";

export interface WriterLimits {
  /** Requests, reads after a conflict among them. */
  readonly requestsPerSecond: number;
  readonly burstRequests: number;
  readonly maxConcurrent: number;
  /** Of one object, one right after another; then it waits its turn anew. */
  readonly maxConflictTries: number;
}

export const WRITER_LIMITS: WriterLimits = {
  requestsPerSecond: 50,
  burstRequests: 100,
  maxConcurrent: 4,
  maxConflictTries: 5,
};

/** The renewal is late. Either it comes, or `stop` does. */
const NOT_LEADER_PAUSE_MS = 1000;
/** Comparisons between two looks at the event loop. */
const MAX_COMPARED_AT_ONCE = 250;

/** Plain numbers, raised in place, for who makes metrics of them. */
export class WriterCounts {
  written = 0;
  /** Looked at, and there was nothing to write. */
  unchanged = 0;
  conflicts = 0;
  /** Failed requests; each is tried again. */
  failures = 0;
  /** Objects that were gone. */
  gone = 0;
}

export interface WriterOptions {
  readonly api: Pick<KubeApi, "get" | "mergePatch">;
  readonly routeState: (ref: StatusRef) => Observed | undefined;
  /** The status to write over `observed.status`, as a merge patch of it; `undefined` for none. */
  readonly desired: (ref: StatusRef, observed: Observed) => object | undefined;
  /** The object has been dealt with, until it is queued again. */
  readonly onDone: (ref: StatusRef) => void;
  /** Asked before each request. */
  readonly isLeader: () => boolean;
  readonly onError: (ref: StatusRef, error: unknown) => void;
  readonly timers: Timers;
  readonly random: () => number;
  readonly limits?: WriterLimits;
}

/** What we wrote, until the watch shows it or something newer. */
interface Written {
  /** What the watch showed when it was written. */
  readonly seenVersion: string | undefined;
  readonly observed: Observed;
}

type Outcome = "written" | "unchanged" | "gone";

export class StatusWriter {
  readonly counts = new WriterCounts();
  readonly #options: WriterOptions;
  readonly #limits: WriterLimits;
  readonly #bucket: TokenBucket;
  /** At most one entry per object; in order of arrival. */
  readonly #queue = new Map<string, StatusRef>();
  readonly #busy = new Map<string, Promise<void>>();
  /** Changed while it was being written. */
  readonly #again = new Map<string, StatusRef>();
  readonly #waiting = new Map<string, unknown>();
  readonly #failures = new Map<string, number>();
  readonly #written = new Map<string, Written>();
  #running: AbortController | undefined;
  /** Of the server as a whole, in a row. */
  #troubles = 0;
  #pausedUntilMs = 0;
  #timer: unknown;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#limits = options.limits ?? WRITER_LIMITS;
    const { requestsPerSecond, burstRequests } = this.#limits;
    this.#bucket = new TokenBucket(requestsPerSecond, burstRequests, () => options.timers.monotonicMs());
  }

  /** On becoming leader. The queue is empty then: what is to be compared has to be queued. */
  start(): void {
    this.#running ??= new AbortController();
  }

  /** On losing it: at once. Forgets everything, for another writes from now on. */
  stop(): void {
    const { timers } = this.#options;
    this.#running?.abort();
    this.#running = undefined;
    timers.cancel(this.#timer);
    this.#timer = undefined;
    for (const timer of this.#waiting.values()) timers.cancel(timer);
    for (const map of [this.#queue, this.#again, this.#waiting, this.#failures, this.#written]) map.clear();
    this.#troubles = 0;
    this.#pausedUntilMs = 0;
  }

  /** Resolves when what was under way has ended. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(this.#busy.values());
  }

  /** Those that wait for a retry are among them. */
  get queueLength(): number {
    return this.#queue.size + this.#again.size + this.#waiting.size;
  }

  /** Something about it may have changed. Ignored while we do not lead. */
  enqueue(ref: StatusRef): void {
    if (this.#running === undefined) return;
    const key = refKey(ref);
    // It will be looked at when its wait is over.
    if (this.#waiting.has(key)) return;
    if (this.#busy.has(key)) this.#again.set(key, ref);
    else if (!this.#queue.has(key)) this.#queue.set(key, ref);
    this.#wake(0);
  }

  /** The object is gone. */
  forget(ref: StatusRef): void {
    const key = refKey(ref);
    this.#queue.delete(key);
    this.#again.delete(key);
    this.#written.delete(key);
    this.#failures.delete(key);
    this.#options.timers.cancel(this.#waiting.get(key));
    this.#waiting.delete(key);
  }

  #wake(delayMs: number): void {
    this.#timer ??= this.#options.timers.start(() => {
      this.#timer = undefined;
      this.#pump();
    }, delayMs);
  }

  #pump(): void {
    for (let compared = 0; this.#queue.size > 0; compared++) {
      if (this.#running === undefined || this.#busy.size >= this.#limits.maxConcurrent) return;
      const pauseMs = this.#pauseMs();
      if (pauseMs > 0 || compared >= MAX_COMPARED_AT_ONCE) {
        this.#wake(pauseMs);
        return;
      }
      const [key, ref] = this.#queue.entries().next().value!;
      this.#queue.delete(key);
      this.#consider(key, ref, this.#running.signal);
    }
  }

  #pauseMs(): number {
    if (!this.#options.isLeader()) return NOT_LEADER_PAUSE_MS;
    return Math.max(this.#pausedUntilMs - this.#options.timers.monotonicMs(), this.#bucket.waitMs());
  }

  #consider(key: string, ref: StatusRef, signal: AbortSignal): void {
    const observed = this.#newest(key, ref);
    const status = observed && this.#options.desired(ref, observed);
    if (observed === undefined || status === undefined) {
      this.counts[observed === undefined ? "gone" : "unchanged"]++;
      this.#failures.delete(key);
      this.#options.onDone(ref);
      return;
    }
    const work = this.#write(key, ref, observed, status, signal).finally(() => {
      this.#busy.delete(key);
      const again = this.#again.get(key);
      this.#again.delete(key);
      if (again !== undefined) this.enqueue(again);
      if (this.#running !== undefined) this.#wake(0);
    });
    this.#busy.set(key, work);
  }

  /** The watch shows our own writes late; until then they are newer than what it shows. */
  #newest(key: string, ref: StatusRef): Observed | undefined {
    const seen = this.#options.routeState(ref);
    const written = this.#written.get(key);
    if (written === undefined || seen === undefined) return seen;
    if (written.seenVersion === seen.resourceVersion) return written.observed;
    this.#written.delete(key);
    return seen;
  }

  async #write(
    key: string,
    ref: StatusRef,
    observed: Observed,
    status: object,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const outcome = await this.#writeOver(key, ref, observed, status, signal);
      if (signal.aborted) return;
      this.#troubles = 0;
      this.counts[outcome]++;
      this.#failures.delete(key);
      this.#options.onDone(ref);
    } catch (error) {
      if (signal.aborted) return;
      this.#retry(key, ref, error);
      if (error instanceof NotLeaderError) return;
      this.counts.failures++;
      this.#options.onError(ref, error);
      if (isServerTrouble(error)) this.#pause(error);
    }
  }

  async #writeOver(
    key: string,
    ref: StatusRef,
    observed: Observed,
    status: object,
    signal: AbortSignal,
  ): Promise<Outcome> {
    let over: { observed: Observed; status: object | undefined } = { observed, status };
    for (let tries = 0; tries < this.#limits.maxConflictTries; tries++) {
      if (over.status === undefined) return "unchanged";
      try {
        await this.#patch(key, ref, over.observed, over.status, signal);
        return "written";
      } catch (error) {
        if (hasKubeStatus(error, 404)) return "gone";
        if (!hasKubeStatus(error, 409)) throw error;
        this.counts.conflicts++;
      }
      const fresh = await this.#readAgain(ref, signal);
      // A new object of the same name is not what we know about: the watch will bring it.
      if (fresh === undefined || fresh.uid !== observed.uid) return "gone";
      over = { observed: fresh, status: this.#options.desired(ref, fresh) };
    }
    throw new KubeError(409, "Conflict", "others keep writing to it");
  }

  async #patch(
    key: string,
    ref: StatusRef,
    { resourceVersion }: Observed,
    status: object,
    signal: AbortSignal,
  ): Promise<void> {
    this.#mustLead(signal);
    this.#bucket.spend();
    const seenVersion = this.#options.routeState(ref)?.resourceVersion;
    const patch = { metadata: { resourceVersion }, status };
    const object = await this.#options.api.mergePatch(`${objectPath(ref)}/status`, patch, signal);
    if (!signal.aborted) this.#written.set(key, { seenVersion, observed: observe(object) });
  }

  async #readAgain(ref: StatusRef, signal: AbortSignal): Promise<Observed | undefined> {
    this.#mustLead(signal);
    this.#bucket.spend();
    try {
      return observe(await this.#options.api.get(objectPath(ref), signal));
    } catch (error) {
      if (hasKubeStatus(error, 404)) return undefined;
      throw error;
    }
  }

  #mustLead(signal: AbortSignal): void {
    if (signal.aborted || !this.#options.isLeader()) throw new NotLeaderError("not the leader any more");
  }

  #pause(error: unknown): void {
    const { timers, random } = this.#options;
    this.#troubles++;
    this.#pausedUntilMs = timers.monotonicMs() + retryDelayMs(this.#troubles, error, random);
  }

  #retry(key: string, ref: StatusRef, error: unknown): void {
    const { timers, random } = this.#options;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.#again.delete(key);
    const retry = () => {
      this.#waiting.delete(key);
      this.enqueue(ref);
    };
    this.#waiting.set(key, timers.start(retry, retryDelayMs(failures, error, random)));
  }
}

/** Between two requests of one write. */
class NotLeaderError extends Error {
  override name = "NotLeaderError";
}
