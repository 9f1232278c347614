/**
 * The short path of a change that touched nothing but EndpointSlices: pods come and go far more often than routes do, and
 * the rules stay what they are.
 */
import type { Snapshot, Upstream } from "../snapshot/snapshot.ts";
import { contentDigest, snapshotVersion } from "../snapshot/version.ts";
import { EndpointResolver, type FoundPort } from "./endpoints.ts";
import type { ObjectIndex } from "./objects.ts";
import type { Translated } from "./translate.ts";

export interface EndpointChange {
  /** `namespace/name` of the Services whose slices changed. */
  readonly services: ReadonlySet<string>;
  /** As they are by now. */
  readonly index: Pick<ObjectIndex, "services" | "slices">;
  /** As `translate` was given it. */
  readonly zone?: string;
}

/**
 * What `translate` would give for the objects as they are by now, given what it gave before the change. `undefined` where verdicts change
 * as well, since a Service got its first endpoint, lost its last, or has none for another reason: that takes a translation of
 * everything. Verdicts may tell of Services that are in no snapshot, behind rules that others have.
 */
export function changeEndpoints(
  { snapshot, found }: Pick<Translated, "snapshot" | "found">,
  { services, index, zone }: EndpointChange,
): Snapshot | undefined {
  const resolver = new EndpointResolver(index, zone);
  const isAsTold = ({ ref, notice }: FoundPort) => {
    const now = resolver.resolve(ref);
    return now.type === "upstream" && now.notice === notice;
  };
  const changedPorts = found.filter(({ ref }) => services.has(`${ref.namespace}/${ref.name}`));
  if (!changedPorts.every(isAsTold)) return undefined;
  const upstreams: Upstream[] = [];
  let changed = false;
  for (const upstream of snapshot.upstreams) {
    const now = services.has(serviceOf(upstream)) ? resolve(upstream, resolver) : upstream;
    if (now === undefined) return undefined;
    if (now !== upstream) changed = true;
    upstreams.push(now);
  }
  if (!changed) return snapshot;
  const { version: _, ...content } = { ...snapshot, upstreams };
  return { version: snapshotVersion(content), ...content };
}

/** `web/django` of `web/django:29000`; a socket's address names no Service. */
function serviceOf({ id }: Upstream): string {
  return id.slice(0, id.lastIndexOf(":"));
}

function resolve(upstream: Upstream, resolver: EndpointResolver): Upstream | undefined {
  const [, namespace, name, port] = /^([^/]+)\/(.+):(\d+)$/.exec(upstream.id)!;
  const resolution = resolver.resolve({ namespace: namespace!, name: name!, port: Number(port) });
  if (resolution.type === "unresolved") return undefined;
  const found = resolution.upstream;
  return contentDigest(found) === contentDigest(upstream) ? upstream : found;
}
