import type { KubeObject } from "./api.ts";
import { unreadable } from "./failure.ts";

export interface ListPage {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  /** The token of the page after this one. */
  readonly next: string | undefined;
}

/** One page of a list. Throws `KubeError` where it is not one. */
export function readPage(subject: string, value: unknown): ListPage {
  const { items, metadata } = (value ?? {}) as {
    items?: unknown;
    metadata?: { resourceVersion?: unknown; continue?: unknown };
  };
  const version = metadata?.resourceVersion;
  // An empty list of Go's may be null.
  const list = items ?? [];
  if (typeof version !== "string" || !Array.isArray(list) || !list.every(isObject)) {
    throw unreadable(subject, "the answer is not a list");
  }
  const next = metadata?.continue;
  return {
    items: list,
    resourceVersion: version,
    next: typeof next === "string" && next !== "" ? next : undefined,
  };
}

/** One object. Throws `KubeError` where it is none. */
export function readObject(subject: string, value: unknown): KubeObject {
  if (!isObject(value)) throw unreadable(subject, "the answer is not an object");
  return value;
}

function isObject(value: unknown): value is KubeObject {
  const { metadata } = (value ?? {}) as { metadata?: { name?: unknown } | null };
  return typeof metadata?.name === "string";
}
