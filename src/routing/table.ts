/**
 * A snapshot, compiled: what the request path asks. Immutable but for the pools' turns; a swap is one reference, and a
 * request keeps the table that it began with.
 */

import type { RouteStats } from "../ops/stats.ts";
import {
  type ForwardAction,
  type ForwardSettings,
  type Rule,
  SNAPSHOT_FORMAT,
  type Snapshot,
  type StaticAction,
} from "../snapshot/snapshot.ts";
import { encodePair } from "../uwsgi/encoder.ts";
import type { Endpoint, EndpointRegistry } from "./endpoints.ts";
import { HostMatcher } from "./host-matcher.ts";
import { Pool, type WeightedEndpoint } from "./pool.ts";
import { planVars, type VarPlan } from "./var-plan.ts";

export interface CompiledRule {
  readonly id: string;
  readonly stats: RouteStats;
  readonly target: ForwardTarget | StaticTarget;
}

export interface ForwardTarget {
  readonly type: "forward";
  readonly settings: ForwardSettings;
  readonly pool: Pool;
  readonly vars: VarPlan;
  /** `undefined`: the request's own host. */
  readonly serverName: string | undefined;
  readonly serverNameVar: Buffer | undefined;
}

export interface StaticTarget {
  readonly type: "static";
  readonly action: StaticAction;
}

export interface CompileContext {
  readonly endpoints: EndpointRegistry;
  readonly routeStats: (id: string) => RouteStats;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
}

export class RoutingTable {
  readonly snapshot: Snapshot;
  /** Every endpoint that a rule can reach. */
  readonly endpoints: ReadonlySet<Endpoint>;
  private readonly hosts: HostMatcher<CompiledRule>;

  constructor(snapshot: Snapshot, hosts: HostMatcher<CompiledRule>, endpoints: ReadonlySet<Endpoint>) {
    this.snapshot = snapshot;
    this.hosts = hosts;
    this.endpoints = endpoints;
  }

  /** `host` in lower case without port; `path` decoded and normalized, both binary strings. */
  match(host: string, path: string): CompiledRule | undefined {
    return this.hosts.match(host, path);
  }
}

/** Throws when the snapshot cannot be served: an unknown format, or values that translate should have refused. */
export function compileTable(snapshot: Snapshot, context: CompileContext): RoutingTable {
  if (snapshot.format !== SNAPSHOT_FORMAT) throw new Error(`snapshot format ${snapshot.format} is not known`);
  return new Compiler(snapshot, context).table();
}

class Compiler {
  private readonly snapshot: Snapshot;
  private readonly context: CompileContext;
  private readonly plans: readonly VarPlan[];
  private readonly upstreams: readonly (readonly Endpoint[])[];
  /** Rules with the same backends and settings share a pool, and so its turns. */
  private readonly pools = new Map<string, Pool>();
  private readonly used = new Set<Endpoint>();

  constructor(snapshot: Snapshot, context: CompileContext) {
    this.snapshot = snapshot;
    this.context = context;
    this.plans = snapshot.settings.map(planVars);
    this.upstreams = snapshot.upstreams.map((upstream) =>
      upstream.endpoints.map(({ address }) => context.endpoints.at(address)),
    );
  }

  table(): RoutingTable {
    const hosts = new HostMatcher(this.snapshot.hosts, (rule) => this.rule(rule));
    return new RoutingTable(this.snapshot, hosts, this.used);
  }

  private rule(rule: Rule): CompiledRule {
    const { action } = rule;
    return {
      id: rule.id,
      stats: this.context.routeStats(rule.id),
      target: action.type === "static" ? { type: "static", action } : this.forward(rule, action),
    };
  }

  private forward({ serverName }: Rule, action: ForwardAction): ForwardTarget {
    const settings = this.snapshot.settings[action.settings];
    const vars = this.plans[action.settings];
    if (!settings || !vars) throw new Error(`settings ${action.settings} are not in the snapshot`);
    return {
      type: "forward",
      settings,
      vars,
      pool: this.pool(action, settings),
      serverName: serverName === "" ? undefined : serverName,
      serverNameVar: serverName === "" ? undefined : encodePair("SERVER_NAME", serverName),
    };
  }

  private pool(action: ForwardAction, settings: ForwardSettings): Pool {
    const key = JSON.stringify([settings.loadBalancing, action.backends]);
    let pool = this.pools.get(key);
    if (!pool) {
      pool = new Pool(this.members(action), settings.loadBalancing, this.context.random);
      this.pools.set(key, pool);
    }
    return pool;
  }

  /** Each backend's share is divided among its endpoints; an endpoint named twice has both shares. */
  private members(action: ForwardAction): WeightedEndpoint[] {
    const weights = new Map<Endpoint, number>();
    for (const { upstream, weight } of action.backends) {
      const endpoints = this.upstreams[upstream];
      if (!endpoints) throw new Error(`upstream ${upstream} is not in the snapshot`);
      if (weight === 0) continue;
      for (const endpoint of endpoints) {
        weights.set(endpoint, (weights.get(endpoint) ?? 0) + weight / endpoints.length);
        this.used.add(endpoint);
      }
    }
    return [...weights].map(([endpoint, weight]) => ({ endpoint, weight }));
  }
}
