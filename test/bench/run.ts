/**
 * `make bench`: the gateway beside NGINX, uWSGI's own router and Apache, in one run. Settings from the environment:
 * BENCH_ROUNDS (5), BENCH_SECONDS (3), BENCH_CASES (a comma list of case names, `routes` and `change`; all by default), BENCH_REPEATS (10 live
 * changes), BENCH_UWSGI_PROCESSES (2).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { stopAll } from "../harness/cleanup.ts";
import { CASES, LOGGED_CASE, ROUTE_COUNTS } from "./cases.ts";
import {
  type Backend,
  startApacheContender,
  startBackend,
  startGatewayContender,
  startManyRoutes,
  startNginxContender,
  startRouterContenders,
} from "./contenders.ts";
import { type LiveChange, measureLiveChange } from "./live-change.ts";
import { processTree, rssBytes } from "./proc.ts";
import { describeMachine, describeVersions, markdown, writeJson } from "./report.ts";
import { compare, type Line } from "./rounds.ts";

const options = { rounds: setting("BENCH_ROUNDS", 5), seconds: setting("BENCH_SECONDS", 3) };
const chosen = process.env["BENCH_CASES"]?.split(",").map((name) => name.trim());
const wanted = (name: string) => chosen === undefined || chosen.includes(name);
const complaints: string[] = [];
const complain = (message: string) => complaints.push(message);
/** After the start, before idle memory is read. */
const SETTLE_MS = 2_000;

function setting(name: string, fallback: number): number {
  const value = Number(process.env[name] ?? fallback);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} is not a whole number above 0`);
  return value;
}

async function compareServers(backend: Backend): Promise<{ lines: Line[]; idleRssBytes: number }> {
  const gateway = await startGatewayContender(backend);
  await sleep(SETTLE_MS);
  const idleRssBytes = rssBytes(processTree(gateway.pid));
  const nginx = await startNginxContender(backend);
  const apache = await startApacheContender(backend);
  const routers = await startRouterContenders(backend);
  const lines: Line[] = [];
  for (const what of CASES.filter((each) => wanted(each.name))) {
    const contenders = [nginx, gateway, what.kind === "tcp" ? routers.tcp : routers.unix, apache];
    lines.push(...(await compare(what, contenders, options, complain)));
  }
  if (wanted(LOGGED_CASE.name)) {
    const logging = [await startNginxContender(backend, true), await startGatewayContender(backend, true)];
    lines.push(...(await compare(LOGGED_CASE, logging, options, complain)));
  }
  return { lines, idleRssBytes };
}

async function compareRouteCounts(
  backend: Backend,
): Promise<{ routeLines: Line[]; liveChange?: LiveChange }> {
  if (!wanted("routes") && !wanted("change")) return { routeLines: [] };
  const all = [];
  for (const count of ROUTE_COUNTS) all.push(await startManyRoutes(backend, count));
  const hosts = new Map(all.map((each) => [each.contender, each.host]));
  const contenders = all.map((each) => each.contender);
  const what = { ...CASES[0]!, title: "small GET, last route" };
  const routeLines = wanted("routes")
    ? await compare(what, contenders, options, complain, (each) => hosts.get(each)!)
    : [];
  if (!wanted("change")) return { routeLines };
  return { routeLines, liveChange: await measureLiveChange(all.at(-1)!, setting("BENCH_REPEATS", 10)) };
}

async function main(): Promise<void> {
  const backend = await startBackend(setting("BENCH_UWSGI_PROCESSES", 2));
  const servers = await compareServers(backend);
  const results = {
    at: new Date().toISOString(),
    options,
    machine: describeMachine(),
    versions: describeVersions(),
    ...servers,
    ...(await compareRouteCounts(backend)),
    complaints,
  };
  console.log(markdown(results));
  console.log(`\nAll figures: ${writeJson(results)}`);
}

async function end(status: number): Promise<void> {
  await stopAll();
  process.exit(status);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end(130));
main().then(
  () => end(0),
  (error) => {
    console.error(error);
    return end(1);
  },
);
