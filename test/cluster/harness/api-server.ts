/**
 * A real Kubernetes API server with a real etcd, on free loopback ports and in a temporary folder.
 *
 * No controllers run beside it: a namespace has no ServiceAccount `default` until one is made, a deleted namespace stays `Terminating`, a Deployment
 * makes no pods and a Service no EndpointSlices.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onStopAll, temporaryFolder } from "../../harness/cleanup.ts";
import { freePort } from "../../harness/ports.ts";
import { type ApiRequests, apiRequests } from "./api-request.ts";
import { AUDIT_POLICY, type AuditEvent, readAuditLog } from "./audit.ts";
import { createAuthority, createSigningKey } from "./certificates.ts";
import { type RunOptions, run } from "./command.ts";
import {
  type ApiServerControl,
  type ApiServerFiles,
  apiServerCommand,
  apiServerControl,
  type Etcd,
  requireTool,
  startEtcd,
} from "./control-plane.ts";
import { writeKubeconfig } from "./kubeconfig.ts";

export interface ApiServerOptions {
  /** Keeps an audit log, which `auditEvents` reads. */
  readonly audit?: boolean;
  /** Further words of kube-apiserver's command line. */
  readonly args?: readonly string[];
}

export type Runner = (words: readonly string[], options?: RunOptions) => Promise<string>;

export interface ApiServer {
  /** `https://127.0.0.1:PORT`, no slash at the end. */
  readonly url: string;
  readonly caFile: string;
  /** The path of the administrator's kubeconfig (group `system:masters`, a client certificate). */
  readonly kubeconfig: string;
  /** Removed by `stopAll`. */
  readonly folder: string;
  readonly etcd: Etcd;
  /** kube-apiserver alone: `stop`, `start`, `restart`, `pause`, `resume`. */
  readonly apiserver: ApiServerControl;
  /** As the administrator; resolves with standard output, rejects with `CommandError`, which holds standard error. */
  readonly kubectl: Runner;
  readonly helm: Runner;
  readonly request: ApiRequests["request"];
  readonly apply: ApiRequests["apply"];
  /** With its ServiceAccount `default`, as a cluster's own controllers would make it. */
  createNamespace(name: string): Promise<void>;
  createServiceAccount(namespace: string, name: string): Promise<void>;
  /** A TokenRequest, through `kubectl create token`. The server grants no less than ten minutes. */
  serviceAccountToken(namespace: string, name: string, durationSeconds?: number): Promise<string>;
  /** The path of a new kubeconfig with such a token. */
  serviceAccountKubeconfig(namespace: string, name: string, durationSeconds?: number): Promise<string>;
  /** Oldest first; of this user only, where one is named. */
  auditEvents(user?: string): AuditEvent[];
  stop(): Promise<void>;
}

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const folder = temporaryFolder("kube");
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const [etcd, { admin, files }] = await Promise.all([startEtcd(folder), createFiles(folder, options)]);
  const requests = apiRequests(port, files.caFile, admin);
  onStopAll(requests.close);
  const command = apiServerCommand(port, etcd, files, options.args ?? []);
  const apiserver = apiServerControl(port, command, requests, folder);
  await apiserver.start();
  const kubeconfig = writeKubeconfig(join(folder, "admin.kubeconfig"), url, files.caFile, { client: admin });
  const { kubectl, helm } = runners(folder, kubeconfig);
  const accounts = serviceAccounts({ folder, url, caFile: files.caFile, kubectl, requests });
  await accounts.createServiceAccount("default", "default");
  return {
    ...{ url, caFile: files.caFile, kubeconfig, folder, etcd, apiserver, kubectl, helm },
    ...{ request: requests.request, apply: requests.apply },
    ...accounts,
    auditEvents: (user) => {
      if (files.audit === undefined) throw new Error("started without `audit: true`");
      const events = readAuditLog(files.audit.logFile);
      return user === undefined ? events : events.filter((event) => event.user.username === user);
    },
    stop: async () => {
      requests.close();
      await apiserver.stop();
      await etcd.process.stop();
    },
  };
}

async function createFiles(folder: string, options: ApiServerOptions) {
  const authority = await createAuthority(folder, "test-ca");
  const [server, admin, signing] = await Promise.all([
    authority.issueServer("kube-apiserver", ["IP:127.0.0.1", "DNS:localhost", "DNS:kubernetes.default.svc"]),
    authority.issueClient("admin", ["system:masters"]),
    createSigningKey(folder),
  ]);
  const audit = { policyFile: join(folder, "audit-policy.yaml"), logFile: join(folder, "audit.log") };
  if (options.audit === true) writeFileSync(audit.policyFile, AUDIT_POLICY);
  const files: ApiServerFiles = {
    ...{ caFile: authority.certificate, server, signing },
    ...(options.audit === true ? { audit } : {}),
  };
  return { admin, files };
}

/** Their caches and settings lie in `folder`, so that a user's own neither matter nor change. */
function runners(folder: string, kubeconfig: string): { kubectl: Runner; helm: Runner } {
  const env = {
    KUBECONFIG: kubeconfig,
    KUBECACHEDIR: join(folder, "kubectl-cache"),
    HELM_CACHE_HOME: join(folder, "helm", "cache"),
    HELM_CONFIG_HOME: join(folder, "helm", "config"),
    HELM_DATA_HOME: join(folder, "helm", "data"),
  };
  const runner =
    (name: "kubectl" | "helm"): Runner =>
    (words, options = {}) =>
      run([requireTool(name), ...words], { ...options, env: { ...env, ...options.env } });
  return { kubectl: runner("kubectl"), helm: runner("helm") };
}

interface AccountParts {
  readonly folder: string;
  readonly url: string;
  readonly caFile: string;
  readonly kubectl: Runner;
  readonly requests: ApiRequests;
}

function serviceAccounts(parts: AccountParts) {
  const { folder, url, caFile, kubectl, requests } = parts;
  const createServiceAccount = async (namespace: string, name: string) => {
    const metadata = { name, namespace };
    await requests.apply(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}`, {
      ...{ apiVersion: "v1", kind: "ServiceAccount", metadata },
    });
  };
  const serviceAccountToken = async (namespace: string, name: string, durationSeconds = 3600) => {
    const words = ["create", "token", name, "--namespace", namespace, `--duration=${durationSeconds}s`];
    return (await kubectl(words)).trim();
  };
  let files = 0;
  return {
    createServiceAccount,
    serviceAccountToken,
    createNamespace: async (name: string) => {
      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
      await requests.apply(`/api/v1/namespaces/${name}`, namespace);
      await createServiceAccount(name, "default");
    },
    serviceAccountKubeconfig: async (namespace: string, name: string, durationSeconds?: number) => {
      const token = await serviceAccountToken(namespace, name, durationSeconds);
      files += 1;
      const path = join(folder, `${namespace}-${name}-${files}.kubeconfig`);
      return writeKubeconfig(path, url, caFile, { token });
    },
  };
}
