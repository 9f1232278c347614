/** The processes of a test API server: etcd, and kube-apiserver, which can be ended, paused and started again on the same port and data. */
import { join } from "node:path";
import { onStopAll } from "../../harness/cleanup.ts";
import { freePort } from "../../harness/ports.ts";
import { type RunningProcess, startProcess, waitUntil, waitUntilListening } from "../../harness/processes.ts";
import { type ToolName, toolPath } from "../tools/tools.ts";
import type { ApiRequests } from "./api-request.ts";
import type { CertificateFiles } from "./certificates.ts";

const READY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 5_000;
/** Addresses that only appear in Services; nothing is ever sent to them. */
const SERVICE_RANGE = "10.96.0.0/16";
export const SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc.cluster.local";

export function requireTool(name: ToolName): string {
  const path = toolPath(name);
  if (path === undefined) throw new Error(`no ${name} here (make cluster-tools)`);
  return path;
}

export interface Etcd {
  readonly url: string;
  readonly process: RunningProcess;
}

export async function startEtcd(folder: string): Promise<Etcd> {
  const [clients, peers] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${clients}`;
  const peerUrl = `http://127.0.0.1:${peers}`;
  const running = startProcess({
    name: "etcd",
    command: [
      ...[requireTool("etcd"), "--name", "test", "--data-dir", join(folder, "etcd")],
      ...["--listen-client-urls", url, "--advertise-client-urls", url],
      ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl],
      ...["--initial-cluster", `test=${peerUrl}`, "--log-level", "warn"],
      // The data need not outlive this machine's power.
      "--unsafe-no-fsync",
    ],
    cwd: folder,
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  await waitUntilListening(running, { port: clients });
  return { url, process: running };
}

export interface ApiServerFiles {
  readonly caFile: string;
  readonly server: CertificateFiles;
  readonly signing: { readonly privateKey: string; readonly publicKey: string };
  readonly audit?: { readonly policyFile: string; readonly logFile: string };
}

export interface ApiServerControl {
  readonly port: number;
  /** The one that runs now, or ran last. */
  readonly process: () => RunningProcess;
  /** Starts it, on the same port and data, and resolves once it is ready. */
  start(): Promise<void>;
  /** SIGTERM: it ends its watches and exits. SIGKILL: every connection is cut. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  /** It keeps its connections and answers nothing, until `resume`. */
  pause(): void;
  resume(): void;
}

/** Not started yet. `requests` must be allowed to see `/readyz` and the namespace `default`. */
export function apiServerControl(
  port: number,
  command: readonly string[],
  requests: ApiRequests,
  folder: string,
): ApiServerControl {
  let running: RunningProcess | undefined;
  const current = () => {
    if (running === undefined) throw new Error("the API server has not been started");
    return running;
  };
  const start = async () => {
    if (running !== undefined && running.exitStatus() === undefined)
      throw new Error("the API server is running");
    const begun = startProcess({
      name: "kube-apiserver",
      command,
      cwd: folder,
      stopTimeoutMs: STOP_TIMEOUT_MS,
    });
    running = begun;
    // A paused process would not see SIGTERM. Registered later than the process, so this comes before its end.
    onStopAll(() => begun.signal("SIGCONT"));
    await waitUntil(() => isReady(requests), begun, "readiness of the API server", READY_TIMEOUT_MS);
  };
  const stop = async (signal: "SIGTERM" | "SIGKILL" = "SIGTERM") => {
    current().signal(signal);
    current().signal("SIGCONT");
    await current().stop();
  };
  return {
    port,
    process: current,
    start,
    stop,
    restart: async (signal) => {
      await stop(signal);
      await start();
    },
    pause: () => current().signal("SIGSTOP"),
    resume: () => current().signal("SIGCONT"),
  };
}

export function apiServerCommand(
  port: number,
  etcd: Etcd,
  files: ApiServerFiles,
  args: readonly string[],
): string[] {
  const { audit } = files;
  return [
    ...[requireTool("kube-apiserver"), "--etcd-servers", etcd.url],
    ...["--bind-address", "127.0.0.1", "--secure-port", String(port), "--advertise-address", "127.0.0.1"],
    // There is nobody to tell where this server is.
    ...["--endpoint-reconciler-type", "none", "--service-cluster-ip-range", SERVICE_RANGE],
    ...["--client-ca-file", files.caFile],
    ...["--tls-cert-file", files.server.certificate, "--tls-private-key-file", files.server.key],
    ...["--authorization-mode", "Node,RBAC", "--allow-privileged"],
    ...["--service-account-issuer", SERVICE_ACCOUNT_ISSUER],
    ...["--service-account-key-file", files.signing.publicKey],
    ...["--service-account-signing-key-file", files.signing.privateKey],
    ...(audit === undefined
      ? []
      : ["--audit-policy-file", audit.policyFile, "--audit-log-path", audit.logFile]),
    ...args,
  ];
}

async function isReady(requests: ApiRequests): Promise<true | undefined> {
  try {
    const ready = await requests.request("GET", "/readyz");
    if (ready.status !== 200) return undefined;
    // The server makes it by itself, a moment later.
    const namespace = await requests.request("GET", "/api/v1/namespaces/default");
    return namespace.status === 200 ? true : undefined;
  } catch {
    // Nothing listens there yet.
    return undefined;
  }
}
