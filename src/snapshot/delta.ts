/** The difference between two snapshots: what travels when a change is small, as most are. Pure. */
import { sortedBy } from "./order.ts";
import type { ForwardSettings, HostEntry, Snapshot, Upstream } from "./snapshot.ts";
import { contentDigest } from "./version.ts";

export interface SnapshotDelta {
  /** The version that it applies to, and the one that it leads to. */
  readonly base: string;
  readonly version: string;
  readonly hosts: ListDelta<HostEntry>;
  readonly settings: ListDelta<ForwardSettings>;
  readonly upstreams: ListDelta<Upstream>;
}

export interface ListDelta<T> {
  /** New, or in place of the value with the same key. */
  readonly put: readonly T[];
  /** Keys that are gone. */
  readonly remove: readonly string[];
}

const hostKey = ({ hostname }: HostEntry) => hostname;
const idKey = ({ id }: { readonly id: string }) => id;

export function diffSnapshots(base: Snapshot, next: Snapshot): SnapshotDelta {
  return {
    base: base.version,
    version: next.version,
    hosts: diffList(base.hosts, next.hosts, hostKey),
    settings: diffList(base.settings, next.settings, idKey),
    upstreams: diffList(base.upstreams, next.upstreams, idKey),
  };
}

/** Values that did not change stay the very same objects. Throws `RangeError` where the delta is for another base. */
export function applyDelta(base: Snapshot, delta: SnapshotDelta): Snapshot {
  if (delta.base !== base.version) {
    throw new RangeError(`the delta is for version ${delta.base}, not for ${base.version}`);
  }
  return {
    format: base.format,
    version: delta.version,
    hosts: applyList(base.hosts, delta.hosts, hostKey),
    settings: applyList(base.settings, delta.settings, idKey),
    upstreams: applyList(base.upstreams, delta.upstreams, idKey),
  };
}

/** Both are in the order of their keys. */
function diffList<T extends object>(
  base: readonly T[],
  next: readonly T[],
  keyOf: (value: T) => string,
): ListDelta<T> {
  const put: T[] = [];
  const remove: string[] = [];
  if (base === next) return { put, remove };
  let at = 0;
  for (const value of next) {
    let old = base[at];
    if (old === value) {
      at++;
      continue;
    }
    const key = keyOf(value);
    for (; old !== undefined && keyOf(old) < key; old = base[++at]) remove.push(keyOf(old));
    if (old !== undefined && keyOf(old) === key) {
      at++;
      if (contentDigest(old) === contentDigest(value)) continue;
    }
    put.push(value);
  }
  return { put, remove: [...remove, ...base.slice(at).map(keyOf)] };
}

function applyList<T>(
  base: readonly T[],
  { put, remove }: ListDelta<T>,
  keyOf: (value: T) => string,
): readonly T[] {
  if (put.length === 0 && remove.length === 0) return base;
  const gone = new Set([...remove, ...put.map(keyOf)]);
  const kept = base.filter((value) => !gone.has(keyOf(value)));
  return merged(kept, sortedBy(put, keyOf), keyOf);
}

function merged<T>(a: readonly T[], b: readonly T[], keyOf: (value: T) => string): T[] {
  const all: T[] = [];
  let at = 0;
  for (const value of b) {
    const key = keyOf(value);
    while (at < a.length && keyOf(a[at]!) < key) all.push(a[at++]!);
    all.push(value);
  }
  while (at < a.length) all.push(a[at++]!);
  return all;
}
