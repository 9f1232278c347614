import type { Route } from "./objects.ts";

/**
 * Who wins a host and path that two objects claim: the older one, then the first by namespace, name and kind.
 * An object without a creation time was never in a cluster and counts as the newest.
 */
export function comparePrecedence(a: Route, b: Route): number {
  const [aMs, bMs] = [a.createdAtMs ?? Number.POSITIVE_INFINITY, b.createdAtMs ?? Number.POSITIVE_INFINITY];
  if (aMs !== bMs) return aMs < bMs ? -1 : 1;
  return compare(a.namespace, b.namespace) || compare(a.name, b.name) || compare(a.kind, b.kind);
}

/** By code unit: the same everywhere, unlike a locale's order. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
