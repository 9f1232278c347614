import type { KubeObject, WatchEvent } from "./api.ts";
import { errorOfEvent, unreadable } from "./failure.ts";

/** One line of a watch. Throws `KubeError`: for an ERROR event its own, and one without the line's text where it makes no sense. */
export function readWatchEvent(subject: string, line: string): WatchEvent {
  const { type, object } = parse(subject, line);
  if (type === "ERROR") throw errorOfEvent(subject, object);
  const { metadata } = (object ?? {}) as { metadata?: Partial<KubeObject["metadata"]> };
  const version = metadata?.resourceVersion;
  if (typeof version !== "string") throw unreadable(subject, "an event without a resource version");
  if (type === "BOOKMARK") return { type, resourceVersion: version };
  if (type !== "ADDED" && type !== "MODIFIED" && type !== "DELETED") {
    throw unreadable(subject, "an event of an unknown type");
  }
  if (typeof metadata?.name !== "string") throw unreadable(subject, "an event without a name");
  return { type, object: object as KubeObject };
}

function parse(subject: string, line: string): { type?: unknown; object?: unknown } {
  try {
    return (JSON.parse(line) ?? {}) as { type?: unknown; object?: unknown };
  } catch {
    throw unreadable(subject, "a line that is not JSON");
  }
}
