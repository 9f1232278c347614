/** `/routes`: the table in use, for people, with the state of its endpoints summed over the workers. */

import type { EndpointReport, StatsReport } from "../ops/stats-report.ts";
import type { ForwardAction, Rule, Snapshot, StaticAction } from "../snapshot/snapshot.ts";

export interface RoutesPage {
  readonly version: string;
  readonly hosts: readonly {
    /** `""`: any host. */
    readonly hostname: string;
    readonly rules: readonly RuleOnPage[];
  }[];
  readonly upstreams: readonly {
    readonly id: string;
    readonly endpoints: readonly ({ readonly address: string } & EndpointReport)[];
  }[];
}

interface RuleOnPage extends Pick<Rule, "id" | "path" | "wildcardDepth"> {
  readonly action:
    | StaticAction
    | {
        readonly type: "forward";
        readonly backends: readonly { readonly upstream: string; readonly weight: number }[];
      };
}

const IDLE: EndpointReport = { requests: 0, failures: 0, ejections: 0, inFlight: 0, ejected: 0 };

/** Backends name their upstream by id rather than by index. Params are left out: values may be literals. */
export function routesPage(snapshot: Snapshot, stats: StatsReport): RoutesPage {
  const states = new Map(stats.endpoints);
  return {
    version: snapshot.version,
    hosts: snapshot.hosts.map(({ hostname, rules }) => ({
      hostname,
      rules: rules.map((rule) => ruleOnPage(rule, snapshot)),
    })),
    upstreams: snapshot.upstreams.map(({ id, endpoints }) => ({
      id,
      endpoints: endpoints.map(({ address }) => ({ address, ...(states.get(address) ?? IDLE) })),
    })),
  };
}

function ruleOnPage({ id, path, wildcardDepth, action }: Rule, snapshot: Snapshot): RuleOnPage {
  return { id, path, wildcardDepth, action: action.type === "static" ? action : forward(action, snapshot) };
}

function forward({ backends }: ForwardAction, { upstreams }: Snapshot): RuleOnPage["action"] {
  return {
    type: "forward",
    backends: backends.map(({ upstream, weight }) => ({ upstream: upstreams[upstream]!.id, weight })),
  };
}
