/**
 * An API server in this process, over real HTTP, for fault tests. It lists (with limit and continue), watches (with
 * versions, bookmarks, a bounded history and selectors), and writes (POST, PUT, merge PATCH, DELETE, the status subresource, conflicts)
 * the kinds of `resources.ts`; it fails on demand, and keeps a log of requests.
 *
 * What it does not do: schemas, defaults, validation and admission; authorization (one token or none); discovery, `kubectl` and
 * server-side apply; TLS; `resourceVersionMatch` and lists of old versions; finalizers, owners and graceful deletion; bookmarks by
 * itself. The real API server's suites stand beside it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type Fault, Faults } from "./faults.ts";
import { type ApiRequest, describe, type Matches, matches, readBody } from "./request.ts";
import { readTarget, SERVED, type ServedResource, type Target } from "./resources.ts";
import { readSelectors, SelectorError } from "./selectors.ts";
import { StatusError, Store, type StoredObject } from "./store.ts";
import { OpenWatch } from "./watch.ts";

export interface FakeApiOptions {
  /** Events that watches can begin from. */
  readonly maxHistory?: number;
  /** See `WatchOptions.goneAs`. */
  readonly goneAs?: "event" | "status";
  readonly port?: number;
}

/** An object as a manifest has it. Its namespace is `default` if it names none. */
export interface GivenObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

const MAX_LOGGED_REQUESTS = 100_000;

export async function startFakeApi(options: FakeApiOptions = {}): Promise<FakeApi> {
  const api = new FakeApi(options);
  await api.accept();
  return api;
}

/** A page that a client may come back for. */
interface Continuation {
  readonly rest: readonly StoredObject[];
  readonly version: number;
}

export class FakeApi {
  readonly store: Store;
  readonly faults = new Faults();
  /** In the order in which they came. */
  readonly requests: ApiRequest[] = [];
  goneAs: "event" | "status";
  /** Others get 401. */
  token: string | undefined;
  #served: readonly ServedResource[] = SERVED;
  #server: Server | undefined;
  #port: number;
  readonly #sockets = new Set<Socket>();
  #watches: OpenWatch[] = [];
  readonly #continuations = new Map<string, Continuation>();
  #waiters: (() => void)[] = [];

  constructor({ maxHistory = 1_000, goneAs = "event", port = 0 }: FakeApiOptions) {
    this.store = new Store(maxHistory);
    this.goneAs = goneAs;
    this.#port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Starts to listen, on the same port as before. */
  async accept(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        this.#wake();
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Cuts every connection and refuses new ones. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const watch of this.watches()) watch.cut();
    const closed = new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
    for (const socket of this.#sockets) socket.destroy();
    server?.closeAllConnections();
    await closed;
  }

  stop(): Promise<void> {
    return this.refuse();
  }

  /** Forgets history and the rest of lists that are under way. */
  compact(): void {
    this.store.compact();
    this.#continuations.clear();
  }

  /** The kind answers 404 from now on, as before its CRD is installed. */
  uninstall(plural: string): void {
    this.#served = this.#served.filter((each) => each.plural !== plural);
  }

  install(plural: string): void {
    this.#served = [...this.#served, ...SERVED.filter((each) => each.plural === plural)];
  }

  /** The next requests that match get it. */
  fault(on: Matches, fault: Fault, times = 1): void {
    this.faults.add(on, fault, times);
  }

  watches(on: Matches = {}): OpenWatch[] {
    this.#watches = this.#watches.filter((watch) => !watch.isEnded);
    return this.#watches.filter(({ request }) => matches(request, on));
  }

  logged(on: Matches = {}): ApiRequest[] {
    return this.requests.filter((request) => matches(request, on));
  }

  /** Looks again after each request, each answer and each connection that ends. */
  async until(passes: () => boolean): Promise<void> {
    while (!passes()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  /** Of an absolute path such as `/api/v1/namespaces/web/services/a`, for the methods of `store`. */
  target(path: string): Target {
    const target = readTarget(path, SERVED);
    if (target === undefined) throw new Error(`no such path: ${path}`);
    return target;
  }

  /** Creates the object, or replaces the one of its name. */
  apply(object: GivenObject): StoredObject {
    const target = this.#targetOf(object);
    try {
      const before = this.store.get(target);
      const { resourceVersion } = before.metadata;
      return this.store.replace(target, { ...object, metadata: { ...object.metadata, resourceVersion } });
    } catch (error) {
      if (error instanceof StatusError && error.code === 404) return this.store.create(target, object);
      throw error;
    }
  }

  remove(object: GivenObject): void {
    this.store.delete(this.#targetOf(object));
  }

  #targetOf({ apiVersion, kind, metadata }: GivenObject): Target {
    const resource = SERVED.find((each) => each.apiVersion === apiVersion && each.kind === kind);
    if (resource === undefined) throw new Error(`not served: ${apiVersion} ${kind}`);
    const { name, namespace = "default" } = metadata;
    return { resource, namespace: resource.isNamespaced ? namespace : "", name, isStatus: false };
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(message.url ?? "/", this.url);
    const target = readTarget(url.pathname, this.#served);
    const request = describe(message, url, target);
    this.requests.push(request);
    if (this.requests.length > MAX_LOGGED_REQUESTS) this.requests.shift();
    this.#wake();
    try {
      const fault = this.faults.take(request);
      if (fault !== undefined && (await this.#fail(fault, request, response))) return;
      const { authorization } = message.headers;
      if (this.token !== undefined && authorization !== `Bearer ${this.token}`) {
        throw new StatusError(401, "Unauthorized", "Unauthorized");
      }
      if (target === undefined) throw new StatusError(404, "NotFound", NO_PATH);
      await this.#answer(target, request, message, response);
    } catch (error) {
      this.#sendError(error, request, response);
    }
    this.#wake();
  }

  /** Whether that was the answer. */
  async #fail(fault: Fault, request: ApiRequest, response: ServerResponse): Promise<boolean> {
    switch (fault.type) {
      case "status": {
        const { status, reason = "Fault", retryAfter } = fault;
        if (retryAfter !== undefined) response.setHeader("retry-after", retryAfter);
        this.#sendError(new StatusError(status, reason, "a fault on demand"), request, response);
        this.#wake();
        return true;
      }
      case "text":
        request.status = 200;
        response.end(fault.text);
        return true;
      case "wait":
        await fault.until;
        return false;
      case "hang":
        return true;
      case "cut":
        response.socket?.destroy();
        return true;
    }
  }

  async #answer(target: Target, request: ApiRequest, message: IncomingMessage, response: ServerResponse) {
    const { store } = this;
    switch (request.verb) {
      case "list":
        return this.#send(200, this.#page(target, request), request, response);
      case "watch":
        return this.#watch(target, request, response);
      case "get":
        return this.#send(200, store.get(target), request, response);
      case "create":
        return this.#send(201, store.create(target, await readBody(message)), request, response);
      case "replace":
        return this.#send(200, store.replace(target, await readBody(message)), request, response);
      case "patch":
        if (message.headers["content-type"] !== "application/merge-patch+json") {
          throw new StatusError(415, "UnsupportedMediaType", "only merge patches");
        }
        return this.#send(200, store.patch(target, await readBody(message)), request, response);
      case "delete":
        return this.#send(200, store.delete(target), request, response);
    }
  }

  #page(target: Target, request: ApiRequest): object {
    const { limit = "0", continue: token, labelSelector, fieldSelector } = request.query;
    const selects = readSelectors(labelSelector ?? null, fieldSelector ?? null);
    const begun = token === undefined ? undefined : this.#continuations.get(token);
    if (token !== undefined && begun === undefined) {
      throw new StatusError(410, "Expired", "The provided continue parameter is too old");
    }
    const all = begun?.rest ?? this.store.list(target).filter(selects);
    const version = begun?.version ?? this.store.version;
    const count = Number(limit) || all.length;
    const metadata: Record<string, unknown> = { resourceVersion: String(version) };
    if (all.length > count) {
      const next = `page-${this.requests.length}-${all.length}`;
      this.#continuations.set(next, { rest: all.slice(count), version });
      metadata["continue"] = next;
      metadata["remainingItemCount"] = all.length - count;
    }
    const { apiVersion, kind, isCustom } = target.resource;
    const items = all.slice(0, count).map((object) => (isCustom ? object : withoutKind(object)));
    return { apiVersion, kind: `${kind}List`, metadata, items };
  }

  #watch(target: Target, request: ApiRequest, response: ServerResponse): void {
    const { labelSelector, fieldSelector } = request.query;
    const selects = readSelectors(labelSelector ?? null, fieldSelector ?? null);
    const watch = new OpenWatch({ request, target, selects, goneAs: this.goneAs }, this.store, response);
    response.on("close", () => this.#wake());
    watch.begin(this.goneAs);
    request.status = 200;
    this.#watches.push(watch);
  }

  #send(status: number, value: object, request: ApiRequest, response: ServerResponse): void {
    request.status = status;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  }

  #sendError(error: unknown, request: ApiRequest, response: ServerResponse): void {
    const known = error instanceof SelectorError ? new StatusError(400, "BadRequest", error.message) : error;
    if (!(known instanceof StatusError)) throw error;
    const { code, reason, message } = known;
    const status = { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
    this.#send(code, status, request, response);
  }
}

const NO_PATH = "the server could not find the requested resource";

function withoutKind({ apiVersion: _, kind: __, ...object }: StoredObject): object {
  return object;
}
