/** The gateway of a cluster as its pods run it: a controller under Node and a proxy under Bun, joined by a Unix socket. */
import { join } from "node:path";
import { temporaryFolder } from "../../harness/cleanup.ts";
import { BUN, REPOSITORY } from "../../harness/gateway.ts";
import { freePort } from "../../harness/ports.ts";
import { type RunningProcess, startProcess, waitUntil } from "../../harness/processes.ts";

const NODE = join(REPOSITORY, "node_modules", ".bin", "node");

export interface ClusterGatewayOptions {
  /** Of the ServiceAccount that the controller acts as. */
  readonly kubeconfig: string;
  readonly controllerArgs?: readonly string[];
  readonly proxyArgs?: readonly string[];
  readonly controllerEnv?: Readonly<Record<string, string>>;
  readonly podName?: string;
  readonly readyTimeoutMs?: number;
}

export interface ClusterGateway {
  /** Of the proxy's HTTP listener on 127.0.0.1. */
  readonly port: number;
  /** `http://127.0.0.1:PORT`, no slash at the end. */
  readonly proxyAdmin: string;
  readonly controllerAdmin: string;
  /** Where the proxy keeps its last table. */
  readonly snapshotFile: string;
  controller(): RunningProcess;
  proxy(): RunningProcess;
  /** After the one before has ended; resolves when it is ready. */
  startController(): Promise<void>;
  startProxy(): Promise<void>;
}

/** Both processes are ready when this resolves. */
export async function startClusterGateway(options: ClusterGatewayOptions): Promise<ClusterGateway> {
  const folder = temporaryFolder("gw");
  const feed = `unix:${join(folder, "feed.sock")}`;
  const snapshotFile = join(folder, "snapshot.json");
  const [port, proxyPort, controllerPort] = [await freePort(), await freePort(), await freePort()];
  const [proxyAdmin, controllerAdmin] = [
    `http://127.0.0.1:${proxyPort}`,
    `http://127.0.0.1:${controllerPort}`,
  ];
  let controller: RunningProcess;
  let proxy: RunningProcess;
  const startController = async () => {
    controller = startProcess({
      name: "controller",
      command: [
        // As the chart starts it.
        ...[
          NODE,
          "--max-semi-space-size=4",
          "--max-old-space-size=280",
          join(REPOSITORY, "cmd", "controller.ts"),
        ],
        ...["--kubeconfig", options.kubeconfig],
        ...["--feed", feed, "--admin", `127.0.0.1:${controllerPort}`],
        ...(options.controllerArgs ?? []),
      ],
      env: { POD_NAME: options.podName ?? "gateway-0", POD_NAMESPACE: "default", ...options.controllerEnv },
    });
    await ready(controller, controllerAdmin, options.readyTimeoutMs);
  };
  const startProxy = async () => {
    proxy = startProcess({
      name: "proxy",
      command: [
        ...[BUN, join(REPOSITORY, "cmd", "proxy.ts"), "--feed", feed, "--snapshot-file", snapshotFile],
        ...["--http", `127.0.0.1:${port}`, "--admin", `127.0.0.1:${proxyPort}`],
        ...(options.proxyArgs ?? []),
      ],
    });
    await ready(proxy, proxyAdmin, options.readyTimeoutMs);
  };
  await startController();
  await startProxy();
  return {
    ...{ port, proxyAdmin, controllerAdmin, snapshotFile, startController, startProxy },
    controller: () => controller,
    proxy: () => proxy,
  };
}

function ready(running: RunningProcess, admin: string, timeoutMs = 20_000): Promise<true> {
  const isReady = async () => {
    try {
      const response = await fetch(`${admin}/readyz`, { signal: AbortSignal.timeout(1_000) });
      await response.arrayBuffer();
      return response.status === 200 ? (true as const) : undefined;
    } catch {
      return undefined;
    }
  };
  return waitUntil(isReady, running, "200 from /readyz", timeoutMs);
}
