import type { ServerResponse } from "node:http";
import type { ApiRequest } from "./request.ts";
import type { Target } from "./resources.ts";
import type { Selects } from "./selectors.ts";
import { StatusError, type Store, type StoredObject, type StoreEvent } from "./store.ts";

export interface WatchOptions {
  readonly request: ApiRequest;
  readonly target: Target;
  readonly selects: Selects;
  /** A version that is too old is told by an ERROR event in a good answer, as API servers do today, or by the answer's status. */
  readonly goneAs: "event" | "status";
}

/** A watch that is open. */
export class OpenWatch {
  readonly request: ApiRequest;
  readonly #target: Target;
  readonly #selects: Selects;
  readonly #store: Store;
  readonly #response: ServerResponse;
  #unlisten: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor({ request, target, selects }: WatchOptions, store: Store, response: ServerResponse) {
    this.request = request;
    this.#target = target;
    this.#selects = selects;
    this.#store = store;
    this.#response = response;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Sends what happened since the version, and from then on what happens. Throws `StatusError`. */
  begin(goneAs: WatchOptions["goneAs"]): void {
    const { resourceVersion = "", timeoutSeconds } = this.request.query;
    const fromNow = resourceVersion === "" || resourceVersion === "0";
    const missed = fromNow ? [] : this.#store.since(Number(resourceVersion));
    if (missed === undefined && goneAs === "status") throw tooOld(resourceVersion);
    this.#response.writeHead(200, { "content-type": "application/json", "transfer-encoding": "chunked" });
    this.#response.flushHeaders();
    this.#response.on("close", () => this.#release());
    if (missed === undefined) {
      this.error(tooOld(resourceVersion));
      this.end();
      return;
    }
    if (fromNow) for (const object of this.#store.list(this.#target)) this.#added(object);
    for (const event of missed) this.#take(event);
    this.#unlisten = this.#store.listen((event) => this.#take(event));
    if (timeoutSeconds !== undefined)
      this.#timer = setTimeout(() => this.end(), Number(timeoutSeconds) * 1000);
  }

  /** Tells the store's version, if the client takes such events. */
  bookmark(): void {
    if (this.request.query["allowWatchBookmarks"] !== "true") return;
    const { apiVersion, kind } = this.#target.resource;
    const metadata = { resourceVersion: String(this.#store.version), creationTimestamp: null };
    this.#send("BOOKMARK", { apiVersion, kind, metadata });
  }

  error({ code, reason, message }: StatusError): void {
    this.#send("ERROR", { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message });
  }

  /** Whatever it says. */
  write(text: string): void {
    this.#response.write(text);
  }

  /** As a server does at its time limit. */
  end(): void {
    this.#release();
    this.#response.end();
  }

  /** As a crash or a network does. */
  cut(): void {
    this.#release();
    this.#response.socket?.destroy();
  }

  /** No event is sent any more, and nobody is told: as a peer that has lost its network. */
  silence(): void {
    this.#unlisten();
    clearTimeout(this.#timer);
  }

  #release(): void {
    this.#isEnded = true;
    this.silence();
  }

  /** An object that begins or ceases to match is added or deleted, as far as this watch can see. */
  #take({ resource, before, after, version }: StoreEvent): void {
    const { namespace } = this.#target;
    if (resource !== this.#target.resource) return;
    const sees = (object: StoredObject | undefined): object is StoredObject =>
      object !== undefined &&
      (namespace === "" || object.metadata.namespace === namespace) &&
      this.#selects(object);
    if (sees(after)) this.#send(sees(before) ? "MODIFIED" : "ADDED", after);
    else if (sees(before)) {
      const metadata = { ...before.metadata, resourceVersion: String(version) };
      this.#send("DELETED", { ...before, metadata });
    }
  }

  #added(object: StoredObject): void {
    if (this.#selects(object)) this.#send("ADDED", object);
  }

  #send(type: string, object: object): void {
    if (!this.#isEnded) this.#response.write(`${JSON.stringify({ type, object })}\n`);
  }
}

function tooOld(version: string): StatusError {
  return new StatusError(410, "Expired", `too old resource version: ${version}`);
}
