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
  readonly action: StaticAction | Pick<ForwardAction, "type" | "backends">;
}

const IDLE: EndpointReport = { requests: 0, failures: 0, ejections: 0, inFlight: 0, ejected: 0 };

/** Params are left out: values may be literals. */
export function routesPage(snapshot: Snapshot, stats: StatsReport): RoutesPage {
  const states = new Map(stats.endpoints);
  return {
    version: snapshot.version,
    hosts: snapshot.hosts.map(({ hostname, rules }) => ({
      hostname,
      rules: rules.map(ruleOnPage),
    })),
    upstreams: snapshot.upstreams.map(({ id, endpoints }) => ({
      id,
      endpoints: endpoints.map(({ address }) => ({ address, ...(states.get(address) ?? IDLE) })),
    })),
  };
}

function ruleOnPage({ id, path, wildcardDepth, action }: Rule): RuleOnPage {
  const shown = action.type === "static" ? action : ({ type: "forward", backends: action.backends } as const);
  return { id, path, wildcardDepth, action: shown };
}
