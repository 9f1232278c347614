import type { Upstream, WeightedBackend } from "../snapshot/snapshot.ts";

/** The upstreams in use, each once, in the order of their first use. */
export class UpstreamTable {
  readonly list: Upstream[] = [];
  readonly #byId = new Map<string, number>();

  /** An id says it all: a Service's port has one set of endpoints, and a socket is its own. */
  intern(upstream: Upstream): number {
    let index = this.#byId.get(upstream.id);
    if (index === undefined) {
      index = this.list.push(upstream) - 1;
      this.#byId.set(upstream.id, index);
    }
    return index;
  }

  backends(weighted: readonly WeightedUpstream[]): WeightedBackend[] {
    return weighted.map(({ upstream, weight }) => ({ upstream: this.intern(upstream), weight }));
  }
}

export interface WeightedUpstream {
  readonly upstream: Upstream;
  readonly weight: number;
}
