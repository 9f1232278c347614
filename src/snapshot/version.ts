import { createHash } from "node:crypto";
import type { Snapshot } from "./snapshot.ts";

/** The hash that names a snapshot: equal content, equal version. */
export function snapshotVersion(content: Omit<Snapshot, "version">): string {
  const { format, hosts, settings, upstreams } = content;
  const hash = createHash("sha256");
  hash.update(`${format} ${listDigest(hosts)} ${listDigest(settings)} ${listDigest(upstreams)}`);
  return hash.digest("hex").slice(0, 16);
}

/** 128 bits: these are read anew with every change, all of them. */
const DIGEST_CHARS = 32;
const digests = new WeakMap<object, string>();

/**
 * The first half of the SHA-256 of a value's JSON text, in hexadecimal. Kept with the value: a change leaves most of a snapshot's values the
 * very same, and writing them out again would be most of the work.
 */
export function contentDigest(value: object): string {
  let digest = digests.get(value);
  if (digest === undefined) {
    digest = createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, DIGEST_CHARS);
    digests.set(value, digest);
  }
  return digest;
}

const listDigests = new WeakMap<readonly object[], string>();

function listDigest(values: readonly object[]): string {
  let digest = listDigests.get(values);
  if (digest === undefined) {
    digest = createHash("sha256").update(values.map(contentDigest).join("")).digest("hex");
    listDigests.set(values, digest);
  }
  return digest;
}
