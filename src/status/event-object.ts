/** Pure: an Event of `v1`, which `kubectl describe` shows below the object. */
import { createHash } from "node:crypto";
import type { Note } from "./notes.ts";
import { shortened } from "./observed.ts";
import { apiVersionOf, type StatusRef } from "./paths.ts";

/** What `events.k8s.io/v1` allows; its readers see the same objects. */
export const MAX_EVENT_MESSAGE_CHARS = 1024;
const MAX_NAME_CHARS = 253;
const MAX_INSTANCE_CHARS = 128;
const HASH_CHARS = 16;
const COMPONENT = "uwsgi-gateway";

export interface EventSubject {
  readonly ref: StatusRef;
  readonly uid: string;
}

/**
 * The same for the same object, reason and message, whoever leads: what the last leader told is found again, not told twice.
 */
export function eventName({ ref, uid }: EventSubject, { type, reason, message }: Note): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([uid, type, reason, message]))
    .digest("hex");
  const name = ref.name.slice(0, MAX_NAME_CHARS - HASH_CHARS - 1).replace(/[-.]+$/, "");
  return `${name}.${hash.slice(0, HASH_CHARS)}`;
}

export function eventObject(
  subject: EventSubject,
  note: Note,
  times: { readonly count: number; readonly time: string },
  instance: string,
): object {
  const { kind, namespace, name } = subject.ref;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: eventName(subject, note), namespace },
    involvedObject: { apiVersion: apiVersionOf(subject.ref), kind, namespace, name, uid: subject.uid },
    type: note.type,
    reason: note.reason,
    message: shortened(note.message, MAX_EVENT_MESSAGE_CHARS),
    count: times.count,
    firstTimestamp: times.time,
    lastTimestamp: times.time,
    source: { component: COMPONENT },
    reportingComponent: COMPONENT,
    reportingInstance: instance.slice(0, MAX_INSTANCE_CHARS),
  };
}
