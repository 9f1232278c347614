import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { mergePatch } from "./merge-patch.ts";
import type { ServedResource, Target } from "./resources.ts";

export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly generation: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** One step of the history. */
export interface StoreEvent {
  readonly version: number;
  readonly resource: ServedResource;
  readonly before: StoredObject | undefined;
  /** `undefined`: deleted. */
  readonly after: StoredObject | undefined;
}

/** What a client asked for and cannot have. */
export class StatusError extends Error {
  override name = "StatusError";
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

const FIRST_VERSION = 1000;

/** The objects with their versions, and as much of their history as `maxHistory` events. */
export class Store {
  readonly #maxHistory: number;
  readonly #objects = new Map<string, StoredObject>();
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  #history: StoreEvent[] = [];
  #version = FIRST_VERSION;
  /** Of the newest event that is forgotten. */
  #forgotten = FIRST_VERSION;
  #names = 0;

  constructor(maxHistory: number) {
    this.#maxHistory = maxHistory;
  }

  get version(): number {
    return this.#version;
  }

  /** By namespace and name, as etcd has them. */
  list({ resource, namespace }: Target): StoredObject[] {
    const prefix = `${resource.apiVersion}/${resource.plural}/${namespace === "" ? "" : `${namespace}/`}`;
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix));
    return keys.sort().map((key) => this.#objects.get(key)!);
  }

  get(target: Target): StoredObject {
    const object = this.#objects.get(keyOf(target));
    if (object === undefined) {
      throw new StatusError(404, "NotFound", `${target.resource.plural} "${target.name}" not found`);
    }
    return object;
  }

  create(target: Target, raw: Readonly<Record<string, unknown>>): StoredObject {
    const { resource, namespace } = target;
    const metadata = (raw["metadata"] ?? {}) as Record<string, unknown>;
    const { name: given, generateName } = metadata as { name?: string; generateName?: string };
    const name = given ?? (generateName && `${generateName}${++this.#names}`);
    if (!name) throw new StatusError(422, "Invalid", "metadata.name: Required value");
    const at = { ...target, name };
    if (this.#objects.has(keyOf(at))) {
      throw new StatusError(409, "AlreadyExists", `${resource.plural} "${name}" already exists`);
    }
    const { status, ...rest } = structuredClone(raw);
    const object = {
      ...rest,
      ...(status === undefined || resource.hasStatus ? {} : { status }),
      metadata: {
        ...metadata,
        name,
        ...(resource.isNamespaced ? { namespace } : {}),
        uid: randomUUID(),
        generation: 1,
        creationTimestamp: `${new Date().toISOString().slice(0, 19)}Z`,
        managedFields: [{ manager: "fake", operation: "Update", fieldsV1: { "f:spec": {} } }],
      },
    };
    return this.#put(at, undefined, object);
  }

  replace(target: Target, raw: Readonly<Record<string, unknown>>): StoredObject {
    const before = this.get(target);
    const metadata = (raw["metadata"] ?? {}) as Record<string, unknown>;
    const version = metadata["resourceVersion"];
    if (version === undefined && target.resource.needsVersion) {
      throw new StatusError(422, "Invalid", "metadata.resourceVersion: Invalid value: 0: must be specified");
    }
    if (version !== undefined && version !== before.metadata.resourceVersion) {
      const message = `Operation cannot be fulfilled on ${target.resource.plural} "${target.name}": the object has been modified`;
      throw new StatusError(409, "Conflict", message);
    }
    return this.#update(target, before, structuredClone(raw));
  }

  patch(target: Target, patch: Record<string, unknown>): StoredObject {
    const before = this.get(target);
    const { resourceVersion } = (patch["metadata"] ?? {}) as { resourceVersion?: unknown };
    const patched = mergePatch(before, patch) as Record<string, unknown>;
    const metadata = patched["metadata"] as Record<string, unknown>;
    metadata["resourceVersion"] = resourceVersion ?? before.metadata.resourceVersion;
    return this.replace(target, patched);
  }

  delete(target: Target): StoredObject {
    const before = this.get(target);
    this.#objects.delete(keyOf(target));
    this.#version++;
    this.#record({ version: this.#version, resource: target.resource, before, after: undefined });
    return { ...before, metadata: { ...before.metadata, resourceVersion: String(this.#version) } };
  }

  /** All that happened after a version; `undefined` where that is not known any more. */
  since(version: number): readonly StoreEvent[] | undefined {
    if (version < this.#forgotten) return undefined;
    return this.#history.filter((event) => event.version > version);
  }

  /** Forgets the history, as etcd's compaction does. */
  compact(): void {
    this.#history = [];
    this.#forgotten = this.#version;
  }

  /** Returns what ends it. */
  listen(listener: (event: StoreEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A write to the status changes nothing else, and any other write not the status. */
  #update(target: Target, before: StoredObject, raw: Readonly<Record<string, unknown>>): StoredObject {
    const { apiVersion, kind, metadata, status } = before;
    const given = {
      ...raw,
      apiVersion,
      kind,
      metadata: { ...(raw["metadata"] as object), ...serverOwned(metadata) },
    };
    const written = target.resource.hasStatus ? { ...given, status } : given;
    const next = target.isStatus ? { ...before, status: raw["status"] } : written;
    if (isDeepStrictEqual(plain(next), plain(before))) return before;
    const isSameSpec = isDeepStrictEqual(specOf(next), specOf(before));
    const generation = metadata.generation + (isSameSpec ? 0 : 1);
    return this.#put(target, before, { ...next, metadata: { ...next.metadata, generation } });
  }

  #put(target: Target, before: StoredObject | undefined, next: object): StoredObject {
    this.#version++;
    const { apiVersion, kind } = target.resource;
    const metadata = { ...(next as StoredObject).metadata, resourceVersion: String(this.#version) };
    const after = plain({ ...next, apiVersion, kind, metadata }) as StoredObject;
    this.#objects.set(keyOf(target), after);
    this.#record({ version: this.#version, resource: target.resource, before, after });
    return after;
  }

  #record(event: StoreEvent): void {
    this.#history.push(event);
    while (this.#history.length > this.#maxHistory) this.#forgotten = this.#history.shift()!.version;
    for (const listener of [...this.#listeners]) listener(event);
  }
}

function keyOf({ resource, namespace, name }: Target): string {
  return `${resource.apiVersion}/${resource.plural}/${namespace}/${name}`;
}

/** What a client cannot write. */
function serverOwned(metadata: StoredObject["metadata"]): object {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, managedFields } = metadata;
  return { name, namespace, uid, resourceVersion, generation, creationTimestamp, managedFields };
}

/** What the generation counts. */
function specOf(object: object): object {
  const {
    metadata: _,
    status: __,
    apiVersion: ___,
    kind: ____,
    ...spec
  } = plain(object) as Record<string, unknown>;
  return spec;
}

/** As JSON has it: without fields that are `undefined`. */
function plain(value: object): object {
  return JSON.parse(JSON.stringify(value)) as object;
}
