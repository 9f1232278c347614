/**
 * A snapshot, compiled: what the request path asks. Immutable but for the pools' turns; a swap is one reference, and a
 * request keeps the table that it began with.
 */

import type { RouteStats } from "../ops/stats.ts";
import {
  type ForwardAction,
  type ForwardSettings,
  type HostEntry,
  type Rule,
  SNAPSHOT_FORMAT,
  type Snapshot,
  type StaticAction,
  type Upstream,
} from "../snapshot/snapshot.ts";
import { encodePair } from "../uwsgi/encoder.ts";
import type { Endpoint, EndpointRegistry } from "./endpoints.ts";
import { compileHost, HostMatcher, type HostRules } from "./host-matcher.ts";
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
  private readonly matcher: HostMatcher<CompiledRule>;
  /** For the next table: see `compileTable`. */
  readonly parts: TableParts;

  constructor(snapshot: Snapshot, matcher: HostMatcher<CompiledRule>, parts: TableParts) {
    this.snapshot = snapshot;
    this.matcher = matcher;
    this.parts = parts;
  }

  /** Every pool that a rule goes to; the same key and pool as in the table before where nothing changed. */
  get pools(): ReadonlyMap<string, Pool> {
    return this.parts.pools;
  }

  /** `host` in lower case without port, `""` where HTTP/1.0 named none; `path` decoded and normalized, both binary strings. */
  match(host: string, path: string): CompiledRule | undefined {
    return host === "" ? this.matcher.matchUnnamed(path) : this.matcher.match(host, path);
  }
}

/** What a table was put together from, by what it was compiled from. */
interface TableParts {
  readonly hosts: ReadonlyMap<HostEntry, CompiledHost>;
  readonly pools: ReadonlyMap<string, Pool>;
  /** What each pool was made of, in the order of its backends. */
  readonly poolUpstreams: ReadonlyMap<Pool, readonly Upstream[]>;
}

interface CompiledHost {
  readonly rules: HostRules<CompiledRule>;
  /** Keys of the pools that its rules go to. */
  readonly poolKeys: readonly string[];
}

/**
 * Throws when the snapshot cannot be served: an unknown format, or values that translate should have refused. Where host entries
 * and upstreams are the very objects that `before` was compiled from, its parts are used again: after a small change that
 * is nearly all of them, and their pools keep their turns.
 */
export function compileTable(
  snapshot: Snapshot,
  context: CompileContext,
  before?: RoutingTable,
): RoutingTable {
  if (snapshot.format !== SNAPSHOT_FORMAT) throw new Error(`snapshot format ${snapshot.format} is not known`);
  return new Compiler(snapshot, context, before?.parts).table();
}

class Compiler {
  private readonly snapshot: Snapshot;
  private readonly context: CompileContext;
  private readonly before: TableParts | undefined;
  private readonly settings: ReadonlyMap<string, ForwardSettings>;
  private readonly plans = new Map<string, VarPlan>();
  private readonly upstreams: ReadonlyMap<string, Upstream>;
  private readonly hosts = new Map<HostEntry, CompiledHost>();
  /** Rules with the same backends and settings share a pool, and so its turns. */
  private readonly pools = new Map<string, Pool>();
  private readonly poolUpstreams = new Map<Pool, readonly Upstream[]>();

  constructor(snapshot: Snapshot, context: CompileContext, before: TableParts | undefined) {
    this.snapshot = snapshot;
    this.context = context;
    this.before = before;
    this.settings = new Map(snapshot.settings.map((settings) => [settings.id, settings]));
    this.upstreams = new Map(snapshot.upstreams.map((upstream) => [upstream.id, upstream]));
  }

  table(): RoutingTable {
    const matcher = new HostMatcher<CompiledRule>();
    for (const entry of this.snapshot.hosts) {
      const compiled = this.kept(entry) ?? this.host(entry);
      this.hosts.set(entry, compiled);
      matcher.add(entry.hostname, compiled.rules);
    }
    return new RoutingTable(this.snapshot, matcher, {
      hosts: this.hosts,
      pools: this.pools,
      poolUpstreams: this.poolUpstreams,
    });
  }

  /** As it was compiled before, if all its pools are as they were. */
  private kept(entry: HostEntry): CompiledHost | undefined {
    const compiled = this.before?.hosts.get(entry);
    return compiled?.poolKeys.every((key) => this.keptPool(key) !== undefined) ? compiled : undefined;
  }

  /** That of the table before, which its hosts go to; never one that was made since. */
  private keptPool(key: string): Pool | undefined {
    const pool = this.before?.pools.get(key);
    if (pool === undefined) return undefined;
    const upstreams = this.before!.poolUpstreams.get(pool)!;
    if (!upstreams.every((upstream) => this.upstreams.get(upstream.id) === upstream)) return undefined;
    this.pools.set(key, pool);
    this.poolUpstreams.set(pool, upstreams);
    return pool;
  }

  private host(entry: HostEntry): CompiledHost {
    const poolKeys = new Set<string>();
    const rules = compileHost(entry, (rule) => this.rule(rule, poolKeys));
    return { rules, poolKeys: [...poolKeys] };
  }

  private rule(rule: Rule, poolKeys: Set<string>): CompiledRule {
    const { action } = rule;
    return {
      id: rule.id,
      stats: this.context.routeStats(rule.id),
      target: action.type === "static" ? { type: "static", action } : this.forward(rule, action, poolKeys),
    };
  }

  private forward({ serverName }: Rule, action: ForwardAction, poolKeys: Set<string>): ForwardTarget {
    const settings = this.settings.get(action.settings);
    if (settings === undefined) throw new Error(`settings ${action.settings} are not in the snapshot`);
    const key = JSON.stringify([settings.loadBalancing, action.backends]);
    poolKeys.add(key);
    return {
      type: "forward",
      settings,
      vars: this.plan(settings),
      pool: this.pools.get(key) ?? this.keptPool(key) ?? this.pool(key, action, settings),
      serverName: serverName === "" ? undefined : serverName,
      serverNameVar: serverName === "" ? undefined : encodePair("SERVER_NAME", serverName),
    };
  }

  private plan(settings: ForwardSettings): VarPlan {
    let plan = this.plans.get(settings.id);
    if (plan === undefined) this.plans.set(settings.id, (plan = planVars(settings)));
    return plan;
  }

  private pool(key: string, action: ForwardAction, settings: ForwardSettings): Pool {
    const upstreams = action.backends.map(({ upstream: id }) => {
      const upstream = this.upstreams.get(id);
      if (upstream === undefined) throw new Error(`upstream ${id} is not in the snapshot`);
      return upstream;
    });
    const pool = new Pool(this.members(action, upstreams), settings.loadBalancing, this.context.random);
    this.pools.set(key, pool);
    this.poolUpstreams.set(pool, upstreams);
    return pool;
  }

  /** Each backend's share is divided among its endpoints; an endpoint named twice has both shares. */
  private members({ backends }: ForwardAction, upstreams: readonly Upstream[]): WeightedEndpoint[] {
    const weights = new Map<Endpoint, number>();
    backends.forEach(({ weight }, i) => {
      if (weight === 0) return;
      const { endpoints } = upstreams[i]!;
      for (const { address } of endpoints) {
        const endpoint = this.context.endpoints.at(address);
        weights.set(endpoint, (weights.get(endpoint) ?? 0) + weight / endpoints.length);
      }
    });
    return [...weights].map(([endpoint, weight]) => ({ endpoint, weight }));
  }
}
