import type { KubeObject, ListPages, WatchEvent } from "../../kube/api.ts";
import type { InvalidObject, SourcedObject } from "../../translate/objects.ts";
import { type Accept, differs, type HeldObject, readHeld } from "./held-object.ts";
import type { KindPath } from "./kinds.ts";

/** Where a reflector puts what it hears. */
export interface Sink {
  beginList(): Listing;
  apply(event: Exclude<WatchEvent, { type: "BOOKMARK" }>): void;
}

/** A list on its way in. Nothing of it counts before `commit`. */
export interface Listing extends ListPages {
  commit(): void;
}

/** Called for each object of which something that is read changed, came or went. */
export type OnDifference = (
  path: KindPath,
  before: HeldObject | undefined,
  after: HeldObject | undefined,
) => void;

/** The objects that one reflector follows: one kind, in all namespaces or one. */
export class Collection implements Sink {
  readonly path: KindPath;
  readonly #accept: Accept;
  readonly #onDifference: OnDifference;
  /** By `namespace/name`. */
  #held = new Map<string, HeldObject>();
  #good: readonly SourcedObject[] | undefined;
  #invalid: readonly InvalidObject[] | undefined;

  constructor(path: KindPath, accept: Accept, onDifference: OnDifference) {
    this.path = path;
    this.#accept = accept;
    this.#onDifference = onDifference;
  }

  /** The same array as long as nothing in it changes. */
  get good(): readonly SourcedObject[] {
    this.#good ??= [...this.#held.values()].flatMap(({ good }) => good ?? []);
    return this.#good;
  }

  get invalid(): readonly InvalidObject[] {
    this.#invalid ??= [...this.#held.values()].flatMap(({ invalid }) => invalid ?? []);
    return this.#invalid;
  }

  get(namespace: string, name: string): HeldObject | undefined {
    return this.#held.get(`${namespace}/${name}`);
  }

  beginList(): Listing {
    let next = new Map<string, HeldObject>();
    return {
      begin: () => (next = new Map()),
      page: (items) => {
        for (const raw of items) {
          const held = this.#read(raw);
          if (held !== undefined) next.set(keyOf(raw), held);
        }
      },
      commit: () => this.#replace(next),
    };
  }

  apply({ type, object }: Exclude<WatchEvent, { type: "BOOKMARK" }>): void {
    const key = keyOf(object);
    const before = this.#held.get(key);
    const after = type === "DELETED" ? undefined : this.#read(object);
    if (after === undefined) this.#held.delete(key);
    else this.#held.set(key, after);
    this.#compare(before, after);
  }

  /** All objects go. */
  clear(): void {
    this.#replace(new Map());
  }

  #read(raw: KubeObject): HeldObject | undefined {
    return readHeld(raw, this.path, this.#held.get(keyOf(raw)), this.#accept);
  }

  #replace(next: Map<string, HeldObject>): void {
    const before = this.#held;
    this.#held = next;
    for (const [key, after] of next) this.#compare(before.get(key), after);
    for (const [key, each] of before) {
      if (!next.has(key)) this.#compare(each, undefined);
    }
  }

  #compare(before: HeldObject | undefined, after: HeldObject | undefined): void {
    if (!differs(before, after)) return;
    this.#good = this.#invalid = undefined;
    this.#onDifference(this.path, before, after);
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}
