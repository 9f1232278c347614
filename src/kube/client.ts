/**
 * The door of this folder: the API server over HTTP, as `api.ts` has it. Runs under Node (Bun ignores the dispatcher, and with it a
 * cluster's CA and client certificates; plain HTTP works there too). Values are raw JSON: client-node's serializer costs more
 * than all the rest at ten thousand objects.
 */
import { type Clock, systemClock } from "../ops/clock.ts";
import {
  type KubeApi,
  KubeError,
  type KubeList,
  type KubeObject,
  type ListPages,
  type Query,
  type WatchEvent,
} from "./api.ts";
import { loadKubeConfig } from "./config.ts";
import { Credentials } from "./credentials.ts";
import type { Deadline } from "./deadline.ts";
import { unreadable } from "./failure.ts";
import { LineLengthError, LineReader } from "./line-reader.ts";
import { readObject, readPage } from "./list-page.ts";
import { type Call, subjectOf, Transport } from "./transport.ts";
import { readWatchEvent } from "./watch-event.ts";

export interface ClientLimits {
  /** For a whole answer; for a watch, until its head is there. */
  readonly requestTimeoutMs: number;
  /** Objects of a list per request. */
  readonly pageSize: number;
  readonly maxListObjects: number;
  /** A list that the server forgets midway begins anew, so often at most. */
  readonly maxListAttempts: number;
  readonly maxAnswerBytes: number;
  readonly maxEventBytes: number;
  /** Watches ask the server to end them after a random time between one and two of these, so that they do not end together. */
  readonly minWatchSeconds: number;
  /** Servers send bookmarks about once a minute; longer silence may be a dead peer, and a new watch will tell. */
  readonly maxSilenceMs: number;
}

export const CLIENT_LIMITS: ClientLimits = {
  requestTimeoutMs: 30_000,
  pageSize: 500,
  maxListObjects: 500_000,
  maxListAttempts: 3,
  maxAnswerBytes: 256 * 1024 * 1024,
  maxEventBytes: 16 * 1024 * 1024,
  minWatchSeconds: 300,
  maxSilenceMs: 150_000,
};

export interface KubeClientOptions {
  /** A kubeconfig file; absent: what `kubectl` would use, or the pod's service account. */
  readonly kubeconfig?: string;
  readonly limits?: Partial<ClientLimits>;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** Throws `KubeConfigError`. */
export function createKubeClient(options: KubeClientOptions = {}): KubeClient {
  return new KubeClient(options);
}

export class KubeClient implements KubeApi {
  readonly #transport: Transport;
  readonly #limits: ClientLimits;
  readonly #random: () => number;

  constructor({ kubeconfig, limits, clock = systemClock, random = Math.random }: KubeClientOptions) {
    this.#limits = { ...CLIENT_LIMITS, ...limits };
    this.#random = random;
    const credentials = new Credentials(() => loadKubeConfig(kubeconfig), clock);
    this.#transport = new Transport(credentials, clock, this.#limits);
  }

  async list(collection: string, query: Query, signal: AbortSignal): Promise<KubeList> {
    const items: KubeObject[] = [];
    const pages: ListPages = {
      begin: () => void items.splice(0),
      page: (page) => void items.push(...page),
    };
    const resourceVersion = await this.listPages(collection, query, pages, signal);
    return { items, resourceVersion };
  }

  /** No resource version is asked for: the server then answers with the newest state, and all pages are of one moment. */
  async listPages(collection: string, query: Query, pages: ListPages, signal: AbortSignal): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      pages.begin();
      try {
        return await this.#listOnce(collection, query, pages, signal);
      } catch (error) {
        const isForgotten = error instanceof KubeError && error.status === 410;
        if (!isForgotten || attempt >= this.#limits.maxListAttempts) throw error;
      }
    }
  }

  async #listOnce(path: string, query: Query, pages: ListPages, signal: AbortSignal): Promise<string> {
    let version: string | undefined;
    let next: string | undefined;
    let count = 0;
    do {
      const call: Call = {
        method: "GET",
        path,
        query: { ...query, limit: this.#limits.pageSize, continue: next },
      };
      const page = readPage(subjectOf(call), await this.#transport.json(call, signal));
      // An empty page counts too, or a server could lead us on without end.
      count += Math.max(1, page.items.length);
      if (count > this.#limits.maxListObjects) {
        throw new KubeError(0, "", `${subjectOf(call)}: over ${this.#limits.maxListObjects} objects`);
      }
      pages.page(page.items);
      version ??= page.resourceVersion;
      next = page.next;
    } while (next !== undefined);
    return version;
  }

  async watch(
    collection: string,
    query: Query,
    onEvent: (event: WatchEvent) => void,
    signal: AbortSignal,
    onOpen?: () => void,
  ): Promise<void> {
    const { minWatchSeconds, maxEventBytes, maxSilenceMs } = this.#limits;
    const timeoutSeconds = Math.ceil(minWatchSeconds * (1 + this.#random()));
    const call: Call = {
      method: "GET",
      path: collection,
      query: { ...query, watch: true, allowWatchBookmarks: true, timeoutSeconds },
    };
    const stream = new WatchStream(subjectOf(call), maxEventBytes, onEvent);
    let open: Deadline | undefined;
    try {
      await this.#transport.send(call, signal, async (response, deadline) => {
        open = deadline;
        onOpen?.();
        deadline.renew(maxSilenceMs);
        for await (const chunk of response.body ?? []) {
          stream.push(chunk as Uint8Array);
          deadline.renew(maxSilenceMs);
        }
      });
    } catch (error) {
      if (stream.fault !== undefined) throw stream.fault;
      if (!open?.isOver) throw error;
      return;
    }
    stream.end();
  }

  get(path: string, signal: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: "GET", path }, signal);
  }

  create(collection: string, object: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: "POST", path: collection, body: object }, signal);
  }

  replace(path: string, object: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: "PUT", path, body: object }, signal);
  }

  mergePatch(path: string, patch: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#object({ method: "PATCH", path, body: patch }, signal);
  }

  /** Ends the connections. Requests under way are broken off, and none may follow. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #object(call: Call, signal: AbortSignal): Promise<KubeObject> {
    return readObject(subjectOf(call), await this.#transport.json(call, signal));
  }
}

/** The bytes of one watch, as events to its listener. */
class WatchStream {
  readonly #subject: string;
  readonly #onEvent: (event: WatchEvent) => void;
  readonly #lines: LineReader;
  /** What the watch ends with: a `KubeError` of its content, or whatever the listener threw. */
  fault: unknown;

  constructor(subject: string, maxEventBytes: number, onEvent: (event: WatchEvent) => void) {
    this.#subject = subject;
    this.#onEvent = onEvent;
    this.#lines = new LineReader(maxEventBytes, (line) => this.#onEvent(readWatchEvent(subject, line)));
  }

  push(chunk: Uint8Array): void {
    try {
      this.#lines.push(chunk);
    } catch (error) {
      this.fault = error instanceof LineLengthError ? unreadable(this.#subject, error.message) : error;
      throw this.fault;
    }
  }

  end(): void {
    if (this.#lines.restBytes > 0) throw unreadable(this.#subject, "ended in the middle of a line");
  }
}
