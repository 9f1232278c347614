import type { KubeObject } from "../kube/api.ts";

/** What the watch last saw of an object, as far as writing its status needs it. */
export interface Observed {
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  /** As the API server gave it; `undefined` where it has none. */
  readonly status: unknown;
}

/** The same from an object that was just read or written. */
export function observe({ metadata, status }: KubeObject): Observed {
  const { uid = "", generation = 0, resourceVersion = "" } = metadata;
  return { uid, generation, resourceVersion, status };
}

/** A field of a JSON value that may be anything. */
export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** At most `maxChars` UTF-16 units, whole characters only; what is cut off shows as an ellipsis. */
export function shortened(words: string, maxChars: number): string {
  if (words.length <= maxChars) return words;
  const cut = words.slice(0, maxChars - 1);
  return `${cut.replace(/[\ud800-\udbff]$/, "")}…`;
}
