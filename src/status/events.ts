/** Tells owners what became of their objects, at a bounded rate. Events are a courtesy: what cannot be sent is dropped, and counted. */
import type { KubeApi } from "../kube/api.ts";
import type { Timers } from "../ops/timers.ts";
import { type EventSubject, eventName, eventObject } from "./event-object.ts";
import type { Note } from "./notes.ts";
import { field } from "./observed.ts";
import { eventsPath } from "./paths.ts";
import { hasKubeStatus, isServerTrouble, retryDelayMs } from "./retry.ts";
import { TokenBucket } from "./token-bucket.ts";

const EVENTS_PER_SECOND = 5;
const BURST_EVENTS = 25;
/** Of one object; enough for each of its problems, and for mending them. */
const OBJECT_BURST_EVENTS = 10;
const OBJECT_EVENTS_PER_SECOND = 1 / 60;
/** The same text about the same object is not sent again for so long; what comes in between is only counted. */
export const SUPPRESS_MS = 600_000;
export const MAX_QUEUED_EVENTS = 1000;
/** Texts, and objects, that are remembered. A forgotten text is found again by its name. */
const MAX_REMEMBERED = 4096;
const MAX_TRIES = 3;

export class EventCounts {
  sent = 0;
  /** The same was told a short while before. */
  suppressed = 0;
  /** Over the rate of one object, or the queue was full. */
  overRate = 0;
  failures = 0;
}

export interface EventOptions {
  readonly api: Pick<KubeApi, "create" | "mergePatch">;
  /** Who tells: the pod's name. */
  readonly instance: string;
  readonly isLeader: () => boolean;
  readonly onError: (subject: EventSubject, error: unknown) => void;
  readonly timers: Timers;
  readonly random: () => number;
  readonly epochMs: () => number;
}

/** One text about one object. */
interface Told {
  readonly subject: EventSubject;
  readonly note: Note;
  readonly name: string;
  /** In the API server's Event; 0 before there is one that we know of. */
  count: number;
  /** Times to add to it. */
  due: number;
  sentAtMs: number | undefined;
  queued: boolean;
}

export class EventRecorder {
  readonly counts = new EventCounts();
  readonly #options: EventOptions;
  readonly #bucket: TokenBucket;
  /** By name of the Event, the least recently used first. */
  readonly #told = new Map<string, Told>();
  readonly #objects = new Map<string, TokenBucket>();
  #queue: Told[] = [];
  #running: AbortController | undefined;
  #timer: unknown;
  #sending: Promise<void> | undefined;

  constructor(options: EventOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(EVENTS_PER_SECOND, BURST_EVENTS, () => options.timers.monotonicMs());
  }

  start(): void {
    this.#running ??= new AbortController();
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#options.timers.cancel(this.#timer);
    this.#timer = undefined;
    this.#queue = [];
    this.#told.clear();
    this.#objects.clear();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#sending;
  }

  get queueLength(): number {
    return this.#queue.length;
  }

  /** Ignored while we do not lead. */
  record(subject: EventSubject, note: Note): void {
    if (this.#running === undefined) return;
    const told = this.#remembered(subject, note);
    told.due++;
    const nowMs = this.#options.timers.monotonicMs();
    const isRecent = told.sentAtMs !== undefined && nowMs < told.sentAtMs + SUPPRESS_MS;
    if (told.queued || isRecent) {
      this.counts.suppressed++;
      return;
    }
    if (this.#queue.length >= MAX_QUEUED_EVENTS || !this.#objectBucket(subject.uid).take()) {
      this.counts.overRate++;
      return;
    }
    told.queued = true;
    this.#queue.push(told);
    this.#wake(0);
  }

  #remembered(subject: EventSubject, note: Note): Told {
    const name = eventName(subject, note);
    const key = `${subject.ref.namespace}/${name}`;
    const told = this.#told.get(key) ?? fresh(subject, note, name);
    touch(this.#told, key, told);
    return told;
  }

  #objectBucket(uid: string): TokenBucket {
    const make = () =>
      new TokenBucket(OBJECT_EVENTS_PER_SECOND, OBJECT_BURST_EVENTS, () =>
        this.#options.timers.monotonicMs(),
      );
    const bucket = this.#objects.get(uid) ?? make();
    touch(this.#objects, uid, bucket);
    return bucket;
  }

  #wake(delayMs: number): void {
    if (this.#running === undefined || this.#sending !== undefined) return;
    this.#timer ??= this.#options.timers.start(() => {
      this.#timer = undefined;
      this.#next();
    }, delayMs);
  }

  /** One after another: they are few, and nobody waits for them. */
  #next(): void {
    const running = this.#running;
    if (running === undefined || this.#queue.length === 0) return;
    const waitMs = this.#bucket.waitMs();
    if (waitMs > 0) {
      this.#wake(waitMs);
      return;
    }
    const told = this.#queue.shift()!;
    this.#sending = this.#send(told, running.signal).finally(() => {
      this.#sending = undefined;
      told.queued = false;
      this.#wake(0);
    });
  }

  async #send(told: Told, signal: AbortSignal): Promise<void> {
    const { timers, random, isLeader, onError } = this.#options;
    for (let tries = 1; !signal.aborted && isLeader(); tries++) {
      this.#bucket.spend();
      const due = told.due;
      try {
        told.count = await this.#put(told, signal);
        told.due -= due;
        told.sentAtMs = timers.monotonicMs();
        this.counts.sent++;
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.counts.failures++;
        onError(told.subject, error);
        if (!isServerTrouble(error) || tries === MAX_TRIES) return;
        await pause(timers, retryDelayMs(tries, error, random), signal);
      }
    }
  }

  /** Gives the count that the Event has now. */
  async #put(told: Told, signal: AbortSignal): Promise<number> {
    const time = wholeSeconds(this.#options.epochMs());
    if (told.count > 0) {
      const count = told.count + told.due;
      // Events go after an hour, or as the API server is told.
      if (await this.#patch(told, { count, lastTimestamp: time }, signal)) return count;
    }
    const { api, instance } = this.#options;
    const { namespace } = told.subject.ref;
    const times = { count: told.due, time };
    try {
      await api.create(eventsPath(namespace), eventObject(told.subject, told.note, times, instance), signal);
      return told.due;
    } catch (error) {
      if (!hasKubeStatus(error, 409)) throw error;
    }
    // A leader before us told it. Only from the answer is its count known.
    const found = await this.#patch(told, { lastTimestamp: time }, signal);
    const count = field(found, "count");
    return typeof count === "number" ? count : told.due;
  }

  /** `undefined` where there is no such Event. */
  async #patch(told: Told, patch: object, signal: AbortSignal): Promise<object | undefined> {
    const path = `${eventsPath(told.subject.ref.namespace)}/${told.name}`;
    try {
      return await this.#options.api.mergePatch(path, patch, signal);
    } catch (error) {
      if (hasKubeStatus(error, 404)) return undefined;
      throw error;
    }
  }
}

function fresh(subject: EventSubject, note: Note, name: string): Told {
  return { subject, note, name, count: 0, due: 0, sentAtMs: undefined, queued: false };
}

/** Moves an entry to the end, and drops the first of too many. */
function touch<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_REMEMBERED) map.delete(map.keys().next().value!);
}

/** `metav1.Time`. */
export function wholeSeconds(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d+Z$/, "Z");
}

function pause(timers: Timers, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timers.cancel(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = timers.start(end, delayMs);
    signal.addEventListener("abort", end, { once: true });
  });
}
