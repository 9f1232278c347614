/** Everything that one seed decides beforehand: clients, tables, limits. */
import { tmpdir } from "node:os";
import type { ProxyLimits } from "../../src/proxy/context.ts";
import { type ForwardSettings, SNAPSHOT_FORMAT, type Snapshot } from "../../src/snapshot/snapshot.ts";
import type { ClientPlan, Misdeed } from "./client.ts";
import { type PlannedRequest, planRequest } from "./requests.ts";
import type { World } from "./world.ts";

/** When all clients are long gone: a drain then ends the run and hurts nobody. */
export const neverMs = 60_000;

const ADDRESSES = ["unix:/sim/a", "unix:/sim/b", "10.0.0.1:29000", "10.0.0.2:29000", "[fd00::3]:29000"];

export interface Scenario {
  /** Nothing goes wrong: every request is answered well. */
  readonly calm: boolean;
  readonly clients: readonly { readonly plan: ClientPlan; readonly atMs: number }[];
  readonly requests: ReadonlyMap<string, PlannedRequest>;
  readonly snapshots: readonly { readonly snapshot: Snapshot; readonly atMs: number }[];
  readonly limits: ProxyLimits;
  readonly drainAtMs: number;
  readonly drainTimeoutMs: number;
}

/** `site` holds one file, `file`. */
export function planScenario(world: World, site: string): Scenario {
  const calm = world.oneIn(4);
  const requests = new Map<string, PlannedRequest>();
  const clients = Array.from({ length: world.between(1, 6) }, (_, i) => ({
    plan: planClient(world, i, requests, calm),
    atMs: world.random.below(100),
  }));
  const swaps = world.random.below(4);
  const settings = planSettings(world, calm);
  const snapshots = Array.from({ length: swaps + 1 }, (_, i) => ({
    snapshot: planSnapshot(world, i, world.oneIn(2) ? settings : planSettings(world, calm), calm, site),
    atMs: i === 0 ? 0 : world.random.below(200),
  }));
  return {
    calm,
    clients,
    requests,
    snapshots,
    limits: planLimits(world, calm),
    drainAtMs: world.oneIn(3) ? world.random.below(300) : neverMs,
    drainTimeoutMs: calm ? 30_000 : world.random.pick([0, 50, 5000]),
  };
}

function planClient(
  world: World,
  client: number,
  requests: Map<string, PlannedRequest>,
  calm: boolean,
): ClientPlan {
  const count = world.random.pick([1, 1, 2, 3, 5]);
  const planned = Array.from({ length: count }, (_, i) =>
    planRequest(world, `${client}.${i}`, i === count - 1),
  );
  for (const request of planned) requests.set(request.id, request);
  const isSlow = world.oneIn(4);
  return {
    requests: planned,
    pipelines: world.oneIn(3),
    misdeed: calm || !world.oneIn(4) ? undefined : planMisdeed(world, planned),
    halfCloses: planned.at(-1)!.upgrade === false && world.oneIn(5),
    stopsReadingAt: !calm && world.oneIn(10) ? world.random.below(5000) : Number.POSITIVE_INFINITY,
    readBytes: isSlow ? world.between(500, 4000) : 1_000_000,
    maxReadPauseMs: isSlow ? 20 : 2,
  };
}

function planMisdeed(world: World, requests: readonly PlannedRequest[]): Misdeed {
  const kind = world.random.pick(["fin", "close", "reset", "stall", "garbage"] as const);
  const sizes = requests.map(({ head, body }) => head.length + body.length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const whole = world.random.below(sizes.length + (kind === "garbage" ? 0 : 1));
  const boundary = sizes.slice(0, whole).reduce((sum, size) => sum + size, 0);
  // Garbage stands in place of a request, for within a body it would be a body.
  const isBetween = kind === "garbage" || world.oneIn(2);
  return { kind, atByte: isBetween ? boundary : world.random.below(total + 1) };
}

function planSettings(world: World, calm: boolean): ForwardSettings {
  return {
    id: "settings",
    uwsgi: {
      modifier1: 0,
      modifier2: 0,
      scriptName: "",
      documentRoot: "",
      mergeSlashes: true,
      bufferSizeBytes: 4096,
      maxVars: 64,
      params: [],
    },
    loadBalancing: world.random.pick(["RoundRobin", "LeastOutstanding"]),
    requestBuffering: !world.oneIn(3),
    responseBuffering: !world.oneIn(3),
    maxBodyBytes: calm ? 0 : world.random.pick([0, 0, 0, 10_000]),
    connectTimeoutMs: 120,
    sendTimeoutMs: 400,
    readTimeoutMs: 500,
    retry: {
      maxTries: world.between(1, 3),
      withinMs: world.random.pick([0, 0, 300]),
      onStatus: world.oneIn(3) ? [500, 503, 404] : [],
      nonIdempotent: world.oneIn(8),
    },
    maxFails: world.random.pick([0, 1, 2]),
    failTimeoutMs: 200,
    ignoreClientAbort: world.oneIn(5),
  };
}

function planSnapshot(
  world: World,
  version: number,
  settings: ForwardSettings,
  calm: boolean,
  site: string,
): Snapshot {
  const isEmpty = !calm && world.oneIn(12);
  const used = isEmpty ? [] : ADDRESSES.filter(() => world.oneIn(2));
  if (!isEmpty && used.length === 0) used.push(world.random.pick(ADDRESSES));
  const split = world.random.below(used.length + 1);
  const upstreams = [used.slice(0, split), used.slice(split)]
    .filter((addresses) => addresses.length > 0)
    .map((addresses, i) => ({ id: `upstream ${i}`, endpoints: addresses.map((address) => ({ address })) }));
  return {
    format: SNAPSHOT_FORMAT,
    version: String(version),
    settings: [settings],
    upstreams,
    hosts: [
      {
        hostname: world.random.pick(["sim.test", "*.test", ""]),
        rules: [
          {
            id: `rule/${version % 2}`,
            path: { type: "prefix", value: world.random.pick(["", "/echo"]) },
            wildcardDepth: "any",
            serverName: "sim.test",
            action: {
              type: "forward",
              settings: settings.id,
              backends: upstreams.map(({ id }) => ({ upstream: id, weight: world.between(1, 3) })),
            },
          },
          {
            id: "files",
            path: { type: "exact", value: "/file" },
            wildcardDepth: "any",
            serverName: "sim.test",
            action: { type: "static", root: site, stripPrefix: "", index: [], dotFiles: false },
          },
        ],
      },
    ],
  };
}

function planLimits(world: World, calm: boolean): ProxyLimits {
  return {
    maxConnections: !calm && world.oneIn(6) ? 3 : 100,
    maxRequestsPerConnection: world.oneIn(4) ? 2 : 1000,
    headerTimeoutMs: 700,
    bodyTimeoutMs: 600,
    idleTimeoutMs: 900,
    sendTimeoutMs: 800,
    bodyMemoryBytes: world.random.pick([1000, 65_536]),
    responseMemoryBytes: world.random.pick([1000, 65_536]),
    tempDir: tmpdir(),
  };
}
