import { createHash } from "node:crypto";
import type { Snapshot } from "./snapshot.ts";

/** The hash that names a snapshot: equal content in equal order, equal version. */
export function snapshotVersion(content: Omit<Snapshot, "version">): string {
  const { format, hosts, settings, upstreams } = content;
  const hash = createHash("sha256");
  hash.update(JSON.stringify([format, hosts]));
  // A change leaves most settings and upstreams the very same values: writing them out again is most of the work.
  hash.update(`[${settings.map(jsonText)}][${upstreams.map(jsonText)}]`);
  return hash.digest("hex").slice(0, 16);
}

const texts = new WeakMap<object, string>();

function jsonText(value: object): string {
  let text = texts.get(value);
  if (text === undefined) texts.set(value, (text = JSON.stringify(value)));
  return text;
}
