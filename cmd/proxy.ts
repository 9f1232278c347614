/** `bun cmd/proxy.ts`: the proxy, or, marked by its supervisor, one of its workers. */

import { readFileSync } from "node:fs";
import { Gateway, type GatewayHooks } from "../src/gateway/gateway.ts";
import { createAccessLog } from "../src/ops/access-log.ts";
import { OptionsError } from "../src/ops/command.ts";
import { openStdoutSink } from "../src/ops/line-sink.ts";
import { createLogger, type Logger } from "../src/ops/log.ts";
import { type ProxyOptions, parseProxyOptions } from "../src/ops/options.ts";
import { onShutdownSignals } from "../src/ops/shutdown.ts";
import { Stats } from "../src/ops/stats.ts";
import { createDataPlane } from "../src/proxy/data-plane.ts";
import type { DataPlane, DataPlanes } from "../src/workers/data-plane.ts";
import { InProcessDataPlane } from "../src/workers/in-process.ts";
import { forkSelf, Supervisor } from "../src/workers/supervisor.ts";
import { runWorker, workerNumber } from "../src/workers/worker.ts";

function exit(code: number, reason?: string): never {
  if (reason !== undefined) process.stderr.write(`${reason}\n`);
  process.exit(code);
}

function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function readOptions(): ProxyOptions {
  try {
    const parsed = parseProxyOptions(process.argv.slice(2), process.env, version());
    if (parsed.type === "run") return parsed.options;
    process.stdout.write(parsed.text);
    return exit(0);
  } catch (error) {
    if (error instanceof OptionsError) return exit(2, error.message);
    throw error;
  }
}

const options = readOptions();
const worker = workerNumber();
const stats = new Stats();
const sink = openStdoutSink((lines) => stats.boundHit("log_buffer", lines));
const log: Logger = createLogger(options.logLevel, worker === undefined ? {} : { worker }, sink);

function dataPlane(): DataPlane {
  const accessLog = createAccessLog(options.accessLogFormat, options.accessLogShare, Math.random, sink);
  return createDataPlane(options, { stats, accessLog, logger: log });
}

function dataPlanes(hooks: GatewayHooks): DataPlanes {
  const { workers, http } = options;
  if (workers === 1) return new InProcessDataPlane(dataPlane(), http, hooks);
  return new Supervisor({
    ...hooks,
    workers,
    http,
    log,
    start: forkSelf,
    monotonicMs: () => performance.now(),
  });
}

if (worker === undefined) {
  await new Gateway({
    options,
    log,
    planes: dataPlanes,
    onShutdown: onShutdownSignals,
    exit,
  }).start();
} else {
  runWorker(dataPlane());
}
