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
  readonly matcher: HostMatcher<CompiledRule>;
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
  return new Compiler(snapshot, context, before).table();
}

class Compiler {
  private readonly snapshot: Snapshot;
  private readonly context: CompileContext;
  private readonly before: RoutingTable | undefined;
  private readonly settings: ReadonlyMap<string, ForwardSettings>;
  private readonly plans = new Map<string, VarPlan>();
  private readonly upstreams: ReadonlyMap<string, Upstream>;
  private hosts = new Map<HostEntry, CompiledHost>();
  /** Rules with the same backends and settings share a pool, and so its turns. */
  private pools = new Map<string, Pool>();
  private poolUpstreams = new Map<Pool, readonly Upstream[]>();

  constructor(snapshot: Snapshot, context: CompileContext, before: RoutingTable | undefined) {
    this.snapshot = snapshot;
    this.context = context;
    this.before = before;
    this.settings = new Map(snapshot.settings.map((settings) => [settings.id, settings]));
    this.upstreams = new Map(snapshot.upstreams.map((upstream) => [upstream.id, upstream]));
  }

  table(): RoutingTable {
    const { before, snapshot } = this;
    const isSame =
      before?.snapshot.hosts === snapshot.hosts && before.snapshot.settings === snapshot.settings;
    return isSame ? this.otherEndpoints(before!) : this.otherRules();
  }

  /** The rules are the very same: only the hosts behind changed upstreams are looked at. */
  private otherEndpoints({ matcher, parts }: RoutingTable): RoutingTable {
    const stale = new Set<string>();
    for (const [key, pool] of parts.pools)
      if (!this.isAsItWas(parts.poolUpstreams.get(pool)!)) stale.add(key);
    if (stale.size === 0) return new RoutingTable(this.snapshot, matcher, parts);
    this.hosts = new Map(parts.hosts);
    this.pools = new Map(parts.pools);
    this.poolUpstreams = new Map(parts.poolUpstreams);
    for (const key of stale) {
      this.poolUpstreams.delete(this.pools.get(key)!);
      this.pools.delete(key);
    }
    const changed = matcher.copy();
    for (const [entry, { poolKeys }] of parts.hosts) {
      if (poolKeys.some((key) => stale.has(key))) this.add(entry, this.host(entry), changed);
    }
    return this.made(changed);
  }

  private otherRules(): RoutingTable {
    const matcher = new HostMatcher<CompiledRule>();
    for (const entry of this.snapshot.hosts) {
      this.add(entry, this.kept(entry) ?? this.host(entry), matcher);
    }
    return this.made(matcher);
  }

  private add(entry: HostEntry, compiled: CompiledHost, matcher: HostMatcher<CompiledRule>): void {
    this.hosts.set(entry, compiled);
    matcher.add(entry.hostname, compiled.rules);
  }

  private made(matcher: HostMatcher<CompiledRule>): RoutingTable {
    const { snapshot, hosts, pools, poolUpstreams } = this;
    return new RoutingTable(snapshot, matcher, { hosts, pools, poolUpstreams });
  }

  private isAsItWas(upstreams: readonly Upstream[]): boolean {
    return upstreams.every((upstream) => this.upstreams.get(upstream.id) === upstream);
  }

  /** As it was compiled before, if all its pools are as they were. */
  private kept(entry: HostEntry): CompiledHost | undefined {
    const compiled = this.before?.parts.hosts.get(entry);
    return compiled?.poolKeys.every((key) => this.keptPool(key) !== undefined) ? compiled : undefined;
  }

  /** That of the table before, which its hosts go to; never one that was made since. */
  private keptPool(key: string): Pool | undefined {
    const parts = this.before?.parts;
    const pool = parts?.pools.get(key);
    if (parts === undefined || pool === undefined) return undefined;
    const upstreams = parts.poolUpstreams.get(pool)!;
    if (!this.isAsItWas(upstreams)) return undefined;
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
