/** What a publisher and its subscribers say to each other. */
import { z } from "zod";
import type { SnapshotDelta } from "../snapshot/delta.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import { FrameError } from "./frames.ts";

/** Bumped when an older peer could misunderstand. */
export const FEED_PROTOCOL = 1;

export type FromPublisher =
  | { readonly type: "snapshot"; readonly snapshot: Snapshot }
  /** To the snapshot that the subscriber took up last. */
  | { readonly type: "delta"; readonly delta: SnapshotDelta }
  /** The subscriber has the newest already, by the version in its `hello`. */
  | { readonly type: "current"; readonly version: string }
  | { readonly type: "ping" };

export type FromSubscriber =
  /** Said first. `version` is that of the snapshot in use, `""` for none. */
  | { readonly type: "hello"; readonly protocol: number; readonly name: string; readonly version: string }
  /** Answers to `snapshot` and `delta`, in order. */
  | { readonly type: "ack"; readonly version: string }
  | { readonly type: "nack"; readonly version: string; readonly reason: string }
  | { readonly type: "pong" };

const MAX_TEXT = 4096;
const text = z.string().max(MAX_TEXT);
const fromSubscriber = z.discriminatedUnion("type", [
  z.object({ type: z.literal("hello"), protocol: z.int(), name: text, version: text }),
  z.object({ type: z.literal("ack"), version: text }),
  z.object({ type: z.literal("nack"), version: text, reason: text }),
  z.object({ type: z.literal("pong") }),
]);

/** Throws `FrameError`. */
export function readFromSubscriber(message: unknown): FromSubscriber {
  const read = fromSubscriber.safeParse(message);
  if (!read.success) throw new FrameError("a message that no subscriber of this protocol sends");
  return read.data;
}

const types: ReadonlySet<string> = new Set(["snapshot", "delta", "current", "ping"]);

/**
 * Throws `FrameError`. Only the kind of message and the version are looked at: what a snapshot says is the publisher's word, and
 * compiling it refuses what cannot be served.
 */
export function readFromPublisher(message: unknown): FromPublisher {
  const { type, snapshot, delta } = (message ?? {}) as Partial<Record<string, unknown>>;
  const isWhole = (type !== "snapshot" || hasVersion(snapshot)) && (type !== "delta" || hasVersion(delta));
  if (typeof type !== "string" || !types.has(type) || !isWhole) {
    throw new FrameError("a message that no publisher of this protocol sends");
  }
  return message as FromPublisher;
}

function hasVersion(value: unknown): boolean {
  return typeof (value as { version?: unknown } | null | undefined)?.version === "string";
}

export function boundedText(value: string): string {
  return value.length <= MAX_TEXT ? value : `${value.slice(0, MAX_TEXT - 3)}...`;
}
