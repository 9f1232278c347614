/** `node cmd/controller.ts`: follows a Kubernetes API server, and gives proxies their tables. Needs Node: see `src/kube/client.ts`. */
import { readFileSync } from "node:fs";
import { Controller } from "../src/controller/controller.ts";
import type { KubeApi } from "../src/kube/api.ts";
import { createKubeClient } from "../src/kube/client.ts";
import { KubeConfigError } from "../src/kube/config.ts";
import { OptionsError } from "../src/ops/command.ts";
import { type ControllerOptions, parseControllerOptions } from "../src/ops/controller-options.ts";
import { openStdoutSink } from "../src/ops/line-sink.ts";
import { createLogger } from "../src/ops/log.ts";
import { onShutdownSignals } from "../src/ops/shutdown.ts";

function exit(code: number, reason?: string): never {
  if (reason !== undefined) process.stderr.write(`${reason}\n`);
  process.exit(code);
}

function readOptions(): ControllerOptions {
  const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  try {
    const parsed = parseControllerOptions(process.argv.slice(2), process.env, version);
    if (parsed.type === "run") return parsed.options;
    process.stdout.write(parsed.text);
    return exit(0);
  } catch (error) {
    if (error instanceof OptionsError) return exit(2, error.message);
    throw error;
  }
}

function client(kubeconfig: string | undefined): KubeApi {
  try {
    return createKubeClient(kubeconfig === undefined ? {} : { kubeconfig });
  } catch (error) {
    if (error instanceof KubeConfigError) return exit(2, `error: option '--kubeconfig': ${error.message}`);
    throw error;
  }
}

const options = readOptions();
const log = createLogger(
  options.logLevel,
  { process: "controller" },
  openStdoutSink(() => {}),
);
await new Controller({
  options,
  log,
  api: client(options.kubeconfig),
  podName: process.env["POD_NAME"],
  onShutdown: onShutdownSignals,
  exit,
}).start();
