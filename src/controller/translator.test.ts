/**
 * Proves that the short ways never show: after any sequence of changes, endpoints alone translated, deltas over the wire and parts of the
 * last table used again give the table and the verdicts that all objects give when they are read, translated and compiled anew.
 */
import { describe, expect, test } from "bun:test";
import { Random } from "../../test/fuzz/random.ts";
import { EndpointStats, RouteStats } from "../ops/stats.ts";
import { parseObject } from "../resources/parse.ts";
import { EndpointRegistry } from "../routing/endpoints.ts";
import { type CompileContext, compileTable, type RoutingTable } from "../routing/table.ts";
import { applyDelta, diffSnapshots } from "../snapshot/delta.ts";
import type { Snapshot } from "../snapshot/snapshot.ts";
import type { SourcedObject } from "../translate/objects.ts";
import { CONTROLLER_NAME, type TranslateOptions } from "../translate/options.ts";
import { translate } from "../translate/translate.ts";
import { Translator } from "./translator.ts";

const SEEDS = [1, 2, 3, 4, 5, 6];
const STEPS = 150;
const SERVICES = ["a", "b", "c", "d"];
const ROUTES = ["r1", "r2", "r3", "r4", "r5"];
const HOSTS = ["one.test", "two.test", "*.test", "*.deep.test", ""];
const PATHS = ["/", "/x", "/x/y", "/z"];
const PROBED_HOSTS = ["one.test", "two.test", "other.test", "q.deep.test", "p.q.deep.test", "else.where", ""];
const OPTIONS: TranslateOptions = {
  controllerName: CONTROLLER_NAME,
  classWithoutObject: "uwsgi",
  socketBackends: false,
  allowUwsgiScript: false,
  zone: "here",
};

/** A cluster of few names, so that they meet: one raw object per key. */
class Cluster {
  readonly #random: Random;
  readonly #raw = new Map<string, object>();
  readonly #parsed = new Map<string, SourcedObject>();
  #changedServices: Set<string> | undefined;

  constructor(random: Random) {
    this.#random = random;
    for (const name of SERVICES) this.#service(name);
  }

  get objects(): readonly SourcedObject[] {
    return [...this.#parsed.values()];
  }

  /** The same, of which nothing is known from before. */
  anew(): readonly SourcedObject[] {
    return [...this.#raw.values()].map((raw) => ({ object: parsed(structuredClone(raw)) }));
  }

  takeChangedServices(): ReadonlySet<string> | undefined {
    const changed = this.#changedServices;
    this.#changedServices = new Set();
    return changed;
  }

  change(): void {
    const kind = this.#random.below(10);
    if (kind < 6) this.#slice(this.#random.pick(SERVICES), this.#random.below(2));
    else if (kind < 7) this.#service(this.#random.pick(SERVICES));
    else this.#route(this.#random.pick(ROUTES));
  }

  #put(key: string, raw: object | undefined): void {
    if (raw === undefined) {
      this.#raw.delete(key);
      this.#parsed.delete(key);
    } else {
      this.#raw.set(key, raw);
      this.#parsed.set(key, { object: parsed(structuredClone(raw)) });
    }
    if (!key.startsWith("slice")) this.#changedServices = undefined;
  }

  #service(name: string): void {
    const random = this.#random;
    const ports = [{ port: random.pick([80, 81]), name: random.pick(["uwsgi", "app"]) }];
    const raw = { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { ports } };
    this.#put(`service ${name}`, random.below(8) === 0 ? undefined : raw);
  }

  #slice(service: string, number: number): void {
    const random = this.#random;
    const endpoints = Array.from({ length: random.below(4) }, () => this.#endpoint());
    const labels = { "kubernetes.io/service-name": service };
    const raw = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${service}-${number}`, labels },
      addressType: "IPv4",
      ports: [{ name: random.pick(["uwsgi", "uwsgi", "app"]), port: 8000 }],
      endpoints,
    };
    this.#changedServices?.add(`default/${service}`);
    this.#put(`slice ${service} ${number}`, random.below(4) === 0 ? undefined : raw);
  }

  #endpoint(): object {
    const random = this.#random;
    const state = random.pick(["ready", "ready", "draining", "down"]);
    return {
      addresses: [`10.0.0.${random.below(6)}`],
      conditions: { ready: state === "ready", serving: state !== "down", terminating: state === "draining" },
      ...(random.below(2) === 0 ? {} : { hints: { forZones: [{ name: random.pick(["here", "there"]) }] } }),
    };
  }

  #route(name: string): void {
    const random = this.#random;
    const raw = name === "r1" || name === "r2" ? this.#ingress(name) : this.#uwsgiRoute(name);
    this.#put(`route ${name}`, random.below(4) === 0 ? undefined : raw);
  }

  #ingress(name: string): object {
    const random = this.#random;
    const host = random.pick(HOSTS);
    const port = random.pick([{ number: 80 }, { name: "uwsgi" }]);
    const backend = { service: { name: random.pick(SERVICES), port } };
    const paths = [{ path: random.pick(PATHS), pathType: "Prefix", backend }];
    return {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name },
      spec: { ingressClassName: "uwsgi", rules: [{ ...(host === "" ? {} : { host }), http: { paths } }] },
    };
  }

  #uwsgiRoute(name: string): object {
    const random = this.#random;
    const host = random.pick(HOSTS);
    const rule = () => ({
      matches: [{ path: { type: "PathPrefix", value: random.pick(PATHS) } }],
      backendRefs: Array.from({ length: 1 + random.below(2) }, () => ({
        name: random.pick(SERVICES),
        port: random.pick([80, 81]),
        weight: random.below(3),
      })),
      uwsgi: { modifier1: random.below(2) },
      ...(random.below(2) === 0 ? {} : { loadBalancing: "LeastOutstanding" }),
    });
    return {
      apiVersion: "uwsgi-gateway.io/v1alpha1",
      kind: "UwsgiRoute",
      metadata: { name },
      spec: { ...(host === "" ? {} : { hostnames: [host] }), rules: [rule(), rule()] },
    };
  }
}

function parsed(raw: object) {
  const result = parseObject(raw);
  if (result.type !== "object") throw new Error(JSON.stringify(result));
  return result.object;
}

function contextOf(): CompileContext & { readonly endpoints: EndpointRegistry } {
  const endpoints = new EndpointRegistry({ endpoint: () => new EndpointStats(), forgetEndpoint() {} });
  return { endpoints, routeStats: () => new RouteStats(), random: () => 0 };
}

/** What a table does with every probe, but for its turns. */
function behaviour(table: RoutingTable): unknown {
  return PROBED_HOSTS.flatMap((host) =>
    [...PATHS, "/none"].map((path) => {
      const rule = table.match(host, path);
      if (rule === undefined || rule.target.type === "static") return [host, path, rule];
      const { settings, serverName, pool } = rule.target;
      const { members } = pool as unknown as {
        members: { endpoint: { address: string }; weight: number }[];
      };
      return [host, path, rule.id, settings, serverName, members.map((m) => [m.endpoint.address, m.weight])];
    }),
  );
}

describe("short ways", () => {
  test.each(SEEDS)("seed %d", (seed) => {
    const random = new Random(seed);
    const cluster = new Cluster(random);
    const translator = new Translator(OPTIONS);
    const context = contextOf();
    let inUse: Snapshot | undefined;
    let table: RoutingTable | undefined;
    for (let step = 0; step < STEPS; step++) {
      for (let i = random.below(3); i >= 0; i--) cluster.change();
      const result = translator.translate(
        { objects: cluster.objects, invalid: [] },
        cluster.takeChangedServices(),
      );
      const whole = translate({ objects: cluster.anew(), invalid: [] }, OPTIONS);
      expect(result.snapshot).toEqual(whole.snapshot);
      expect(result.verdicts).toEqual(whole.verdicts);
      // A proxy that is slow misses some.
      if (random.below(4) === 0) continue;
      inUse = inUse === undefined ? result.snapshot : overTheWire(inUse, result.snapshot);
      expect(inUse).toEqual(whole.snapshot);
      const before = table;
      table = compileTable(inUse, context, before);
      context.endpoints.swap(before?.pools ?? new Map(), table.pools);
      const fresh = compileTable(structuredClone(whole.snapshot), contextOf());
      expect(behaviour(table)).toEqual(behaviour(fresh));
      const named = new Set([...table.pools.values()].flatMap((pool) => pool.endpoints()));
      expect(new Set(context.endpoints.all())).toEqual(named);
    }
    expect(translator.counts.endpointsOnly).toBeGreaterThan(STEPS / 10);
    expect(translator.counts.full).toBeGreaterThan(STEPS / 10);
  });
});

function overTheWire(base: Snapshot, next: Snapshot): Snapshot {
  return applyDelta(base, JSON.parse(JSON.stringify(diffSnapshots(base, next))));
}
