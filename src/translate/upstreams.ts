import type { Upstream, WeightedBackend } from "../snapshot/snapshot.ts";

/** The upstreams in use, each once. */
export class UpstreamTable {
  readonly #byId = new Map<string, Upstream>();

  /** An id says it all: a Service's port has one set of endpoints, and a socket is its own. */
  backends(weighted: readonly WeightedUpstream[]): WeightedBackend[] {
    return weighted.map(({ upstream, weight }) => {
      if (!this.#byId.has(upstream.id)) this.#byId.set(upstream.id, upstream);
      return { upstream: upstream.id, weight };
    });
  }

  values(): Iterable<Upstream> {
    return this.#byId.values();
  }
}

export interface WeightedUpstream {
  readonly upstream: Upstream;
  readonly weight: number;
}
