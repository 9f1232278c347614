/** The part of an API server that statuses need: objects by path, resource versions, conflicts, merge patches, the status subresource. */
import { type KubeApi, KubeError, type KubeObject } from "../kube/api.ts";

export type Verb = "get" | "create" | "replace" | "patch";

export interface Call {
  readonly verb: Verb;
  /** Of the object, without `/status`. */
  readonly path: string;
  readonly body: object | undefined;
}

type Hook = (call: Call) => void | Promise<void>;

export class MemoryApi implements Pick<KubeApi, "get" | "create" | "replace" | "mergePatch"> {
  readonly calls: Call[] = [];
  /** On a request's way; a rejection is the answer. */
  before: Hook = () => {};
  /** On the answer's way: the request has had its effect. */
  after: Hook = () => {};
  readonly #objects = new Map<string, KubeObject>();
  #version = 0;

  /** As another client would: no hooks, no calls. */
  put(path: string, object: Omit<KubeObject, "metadata"> & { metadata: object }): KubeObject {
    const stored = structuredClone(object) as KubeObject;
    const metadata = { ...stored.metadata, resourceVersion: String(++this.#version) };
    this.#objects.set(path, { ...stored, metadata });
    return this.#objects.get(path)!;
  }

  peek(path: string): KubeObject | undefined {
    return structuredClone(this.#objects.get(path));
  }

  remove(path: string): void {
    this.#objects.delete(path);
  }

  paths(prefix: string): string[] {
    return [...this.#objects.keys()].filter((path) => path.startsWith(prefix));
  }

  get(path: string, signal: AbortSignal): Promise<KubeObject> {
    return this.#serve({ verb: "get", path, body: undefined }, signal, () => this.#find(path));
  }

  create(collection: string, object: object, signal: AbortSignal): Promise<KubeObject> {
    const given = object as KubeObject;
    const path = `${collection}/${given.metadata.name}`;
    return this.#serve({ verb: "create", path, body: object }, signal, () => {
      if (this.#objects.has(path)) throw new KubeError(409, "AlreadyExists", `${path} already exists`);
      return this.put(path, { ...given, metadata: { ...given.metadata, uid: `uid-${this.#version + 1}` } });
    });
  }

  replace(path: string, object: object, signal: AbortSignal): Promise<KubeObject> {
    return this.#serve({ verb: "replace", path, body: object }, signal, () => {
      this.#check(this.#find(path), object as KubeObject);
      return this.put(path, object as KubeObject);
    });
  }

  mergePatch(path: string, patch: object, signal: AbortSignal): Promise<KubeObject> {
    const isStatus = path.endsWith("/status");
    const main = isStatus ? path.slice(0, -"/status".length) : path;
    return this.#serve({ verb: "patch", path: main, body: patch }, signal, () => {
      const found = this.#find(main);
      const given = patch as KubeObject;
      this.#check(found, given);
      const merged = merge(found, isStatus ? { status: given.status } : { ...given, status: found.status });
      return this.put(main, merged as KubeObject);
    });
  }

  #find(path: string): KubeObject {
    const found = this.#objects.get(path);
    if (found === undefined) throw new KubeError(404, "NotFound", `${path} not found`);
    return found;
  }

  #check(found: KubeObject, given: Partial<KubeObject>): void {
    const version = given.metadata?.resourceVersion;
    if (version !== undefined && version !== found.metadata.resourceVersion) {
      throw new KubeError(409, "Conflict", "the object has been modified");
    }
  }

  /** As over a network: who gives up does not undo what is on its way. */
  async #serve(call: Call, signal: AbortSignal, apply: () => KubeObject): Promise<KubeObject> {
    const copy = structuredClone(call);
    const given = new Promise<never>((_, reject) => {
      const abort = () => reject(new KubeError(0, "", "aborted"));
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
    if (signal.aborted) return given;
    this.calls.push(copy);
    const answer = (async () => {
      await this.before(copy);
      const object = structuredClone(apply());
      await this.after(copy);
      return object;
    })();
    answer.catch(() => {});
    return Promise.race([answer, given]);
  }
}

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return structuredClone(patch);
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const merged: Record<string, unknown> = isObject ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (value !== undefined) merged[key] = merge(merged[key], value);
  }
  return merged;
}
