import { type KubeApi, KubeError, type Query, UNREADABLE, type WatchEvent } from "../../kube/api.ts";
import { Backoff } from "./backoff.ts";
import type { Sink } from "./collection.ts";
import type { Pace } from "./pace.ts";

export interface ReflectorOptions {
  readonly api: KubeApi;
  /** Of the collection. */
  readonly path: string;
  readonly query: Query;
  readonly sink: Sink;
  readonly pace: Pace;
}

export interface ReflectorError {
  /** HTTP status; 0 where there was none. 403: a permission is missing. 404: the API server does not know the kind. */
  readonly status: number;
  readonly message: string;
  readonly atEpochMs: number;
}

export interface ReflectorState {
  /** A list has succeeded. What it said is held and followed from then on, however often the server is away. */
  readonly synced: boolean;
  /** What keeps it from following at present. */
  readonly lastError?: ReflectorError;
  /** Of the last list, event or bookmark. */
  readonly lastEventEpochMs?: number;
  /** Lists after the first one. */
  readonly relists: number;
}

/** A watch that ends sooner, with nothing said, is no sign of health. */
const SETTLED_WATCH_MS = 5_000;

/**
 * Follows one collection: lists it, watches from there, and again after each interruption, from where it was if the server still
 * knows that, else by a new list. Never gives up.
 */
export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #listBackoff: Backoff;
  readonly #watchBackoff: Backoff;
  /** For versions that the server does not know any more. */
  readonly #expiredBackoff: Backoff;
  readonly #stop = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #answered = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  /** To watch from; `undefined`: a list is needed. */
  #version: string | undefined;
  #state: ReflectorState = { synced: false, relists: 0 };

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#listBackoff = new Backoff(options.pace.random);
    this.#watchBackoff = new Backoff(options.pace.random);
    this.#expiredBackoff = new Backoff(options.pace.random);
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** After the first list that succeeds. Stays open where none does. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** After the first list, whether it succeeds or fails. */
  get answered(): Promise<void> {
    return this.#answered.promise;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const isListing = this.#version === undefined;
      let pauseMs: number;
      try {
        if (isListing) await this.#list();
        pauseMs = isListing ? 0 : await this.#watch();
      } catch (error) {
        if (signal.aborted) return;
        pauseMs = this.#recover(error, isListing);
      }
      if (pauseMs > 0) await this.#options.pace.delay(pauseMs, signal);
    }
  }

  async #list(): Promise<void> {
    const { api, path, query, sink } = this.#options;
    const listing = sink.beginList();
    const version = await api.listPages(path, query, listing, this.#stop.signal);
    if (this.#stop.signal.aborted) return;
    listing.commit();
    this.#version = version;
    this.#listBackoff.reset();
    this.#heard({ relists: this.#state.relists + (this.#state.synced ? 1 : 0) });
    this.#synced.resolve();
    this.#answered.resolve();
  }

  /** Resolves at the server's end of the watch, with the time to wait before the next. */
  async #watch(): Promise<number> {
    const { api, path, query, pace } = this.#options;
    const begunMs = pace.monotonicMs();
    const from = { ...query, resourceVersion: this.#version };
    try {
      const { signal } = this.#stop;
      await api.watch(
        path,
        from,
        (event) => this.#take(event),
        signal,
        () => this.#clearError(),
      );
    } finally {
      if (pace.monotonicMs() - begunMs >= SETTLED_WATCH_MS) this.#settled();
    }
    return this.#watchBackoff.afterUsualMs();
  }

  #take(event: WatchEvent): void {
    // The last of a chunk may come after `stop`.
    if (this.#stop.signal.aborted) return;
    if (event.type !== "BOOKMARK") this.#options.sink.apply(event);
    this.#version =
      event.type === "BOOKMARK" ? event.resourceVersion : event.object.metadata.resourceVersion!;
    this.#settled();
    this.#heard({});
  }

  /** A watch that lasts, or tells something, works. */
  #settled(): void {
    this.#watchBackoff.reset();
    this.#expiredBackoff.reset();
  }

  #heard(changes: Partial<ReflectorState>): void {
    this.#clearError();
    const lastEventEpochMs = this.#options.pace.epochMs();
    this.#state = { ...this.#state, ...changes, synced: true, lastEventEpochMs };
  }

  #clearError(): void {
    const { lastError: _, ...state } = this.#state;
    this.#state = state;
  }

  /** The time to wait before the next attempt. */
  #recover(error: unknown, wasListing: boolean): number {
    const status = error instanceof KubeError ? error.status : 0;
    if (status === 410 && !wasListing) {
      this.#version = undefined;
      return this.#expiredBackoff.afterUsualMs();
    }
    const message = error instanceof Error ? error.message : String(error);
    this.#state = {
      ...this.#state,
      lastError: { status, message, atEpochMs: this.#options.pace.epochMs() },
    };
    this.#answered.resolve();
    if (!mayResume(error)) this.#version = undefined;
    const backoff = wasListing ? this.#listBackoff : this.#watchBackoff;
    return backoff.afterFailureMs(error instanceof KubeError ? error.retryAfterMs : undefined);
  }
}

/**
 * Whether a watch may go on from its version: the server was out of reach, overloaded, or did not let us in. Else (a line that
 * makes no sense, a request that the server refuses, a fault of ours while taking an event) only a list makes sure.
 */
function mayResume(error: unknown): boolean {
  if (!(error instanceof KubeError) || error.reason === UNREADABLE) return false;
  const { status } = error;
  return status < 400 || status >= 500 || [401, 403, 408, 429].includes(status);
}
