/** Runs one seed: the data plane as it is, between simulated clients and apps, on simulated time. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Stream, StreamOwner } from "../../src/net/stream.ts";
import type { AccessRecord } from "../../src/ops/access-log.ts";
import type { Logger } from "../../src/ops/log.ts";
import { Stats } from "../../src/ops/stats.ts";
import type { StatsReport } from "../../src/ops/stats-report.ts";
import { ProxyDataPlane } from "../../src/proxy/data-plane.ts";
import { createApps, type Delivery } from "./app.ts";
import { Client } from "./client.ts";
import { pattern } from "./requests.ts";
import { planScenario, type Scenario } from "./scenario.ts";
import { World } from "./world.ts";

/** By then everything must have come to its end, drain included. */
const latestMs = 150_000;

export interface Run {
  readonly site: Site;
  readonly scenario: Scenario;
  readonly clients: readonly Client[];
  readonly deliveries: readonly Delivery[];
  readonly records: readonly AccessRecord[];
  readonly report: StatsReport;
  /** What the gateway logged as its own fault. */
  readonly faults: readonly unknown[];
  readonly drained: boolean;
}

/** A folder with the one file of the site, and what is in it. */
export interface Site {
  readonly root: string;
  readonly file: Buffer;
}

export function createSite(): Site & { remove(): void } {
  const root = mkdtempSync(join(tmpdir(), "simulation-"));
  const file = pattern("file", 100_000);
  writeFileSync(join(root, "file"), file);
  return { root, file, remove: () => rmSync(root, { recursive: true }) };
}

/** Throws what the gateway throws, and when it does not come to rest. */
export async function simulate(seed: number, site: Site): Promise<Run> {
  const world = new World(seed);
  const giveBack = world.takeTimers();
  try {
    return await play(world, site);
  } finally {
    giveBack();
  }
}

async function play(world: World, site: Site): Promise<Run> {
  const scenario = planScenario(world, site.root);
  const { limits, snapshots } = scenario;
  const clients = scenario.clients.map(({ plan }, i) => new Client(world, plan, 40_000 + i));
  const writtenTo = (id: string) => clients[Number.parseInt(id, 10)]!.connection.writtenBytes;
  const apps = createApps(world, scenario.requests, scenario.calm, writtenTo);
  for (const client of clients) watchUploads(client, apps.deliveries);
  const stats = new Stats();
  const records: AccessRecord[] = [];
  const faults: unknown[] = [];
  let accept: ((stream: Stream) => StreamOwner) | undefined;
  const plane = new ProxyDataPlane(
    { limits, serverHeader: "", isTrusted: () => false, sharesPorts: false },
    {
      listen: (_address, _reusePort, accepts) => {
        accept = accepts;
        return { port: 8080, close: () => (accept = undefined) };
      },
      dialer: apps.dialer,
      clock: world.clock,
      random: () => world.random.next() / 2 ** 32,
      stats,
      accessLog: { wants: () => true, write: (record) => records.push({ ...record }) },
      logger: { warn() {}, info() {}, error: (fault: unknown) => faults.push(fault) } as unknown as Logger,
    },
  );
  plane.apply(snapshots[0]!.snapshot);
  await plane.listen([{ hostname: "0.0.0.0", port: 8080 }]);
  for (const { snapshot, atMs } of snapshots.slice(1)) world.after(atMs, () => plane.apply(snapshot));
  scenario.clients.forEach(({ atMs }, i) => {
    world.after(atMs, () => connect(clients[i]!, accept));
  });
  let drained = false;
  world.after(scenario.drainAtMs, () => {
    plane.drain(scenario.drainTimeoutMs).then(
      () => {
        drained = true;
      },
      (error) => faults.push(error),
    );
  });
  await world.run(latestMs);
  return {
    site,
    scenario,
    clients,
    deliveries: apps.deliveries,
    records,
    report: stats.report(),
    faults,
    drained,
  };
}

function connect(client: Client, accept: ((stream: Stream) => StreamOwner) | undefined): void {
  const { connection } = client;
  if (accept === undefined) {
    connection.terminate();
    return;
  }
  // As with a socket that is closed while it is accepted, nobody is told what happens to it.
  const owner = accept(connection);
  connection.owner = owner;
  client.begin();
}

/** What an app that has not answered yet has not been given. */
function watchUploads(client: Client, deliveries: readonly Delivery[]): void {
  const ids = new Set(client.plan.requests.map(({ id }) => id));
  client.connection.onDelivered = () => {
    const delivery = deliveries.findLast(({ id }) => ids.has(id));
    if (delivery === undefined || delivery.connection.closedHere || delivery.sentBytes > 0) return;
    const arrived = client.connection.deliveredBytes - client.bodyAt(delivery.id);
    client.heldBytes = Math.max(client.heldBytes, arrived - delivery.connection.writtenBytes);
  };
}
