/**
 * Which real programs of Kubernetes the cluster suites use, and where they are kept: in a cache folder outside of the checkout, named after
 * the versions that they were built from, or in KUBEBUILDER_ASSETS where that is set and has them.
 */
import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export type ToolName =
  | "kube-apiserver"
  | "kubectl"
  | "etcd"
  | "helm"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy";

export interface Tool {
  readonly name: ToolName;
  /** A folder beside this file: the Go module that pins it. */
  readonly module: "kubernetes" | "etcd" | "helm";
  readonly package: string;
}

const kubernetes = (name: ToolName): Tool => ({
  name,
  module: "kubernetes",
  package: `k8s.io/kubernetes/cmd/${name}`,
});

/** `api`: an API server and its clients. `node`: what else makes it a cluster that runs pods. */
export const GROUPS = {
  // The two that take longest come last, so that what can fail fast does.
  api: [
    { name: "etcd", module: "etcd", package: "go.etcd.io/etcd/server/v3" },
    { name: "helm", module: "helm", package: "helm.sh/helm/v4/cmd/helm" },
    kubernetes("kubectl"),
    kubernetes("kube-apiserver"),
  ],
  node: [
    kubernetes("kube-controller-manager"),
    kubernetes("kube-scheduler"),
    kubernetes("kubelet"),
    kubernetes("kube-proxy"),
  ],
} as const satisfies Readonly<Record<string, readonly Tool[]>>;

export type ToolGroup = keyof typeof GROUPS;

const MODULES: readonly Tool["module"][] = ["etcd", "helm", "kubernetes"];
const HASH_DIGITS = 12;

export function moduleFolder(module: Tool["module"]): string {
  return join(import.meta.dirname, module);
}

/** The linker's words: no symbols, and the version that Kubernetes' programs tell (without it: `v0.0.0-master`). */
export function linkerFlags(module: Tool["module"]): string {
  const small = "-s -w";
  if (module !== "kubernetes") return small;
  const pinned = /^(?:require |\t)k8s\.io\/kubernetes (v(\d+)\.(\d+)\.\d+)\b/m.exec(
    moduleText(module, "go.mod"),
  );
  if (pinned === null) throw new Error(`${moduleFolder(module)}/go.mod requires no k8s.io/kubernetes`);
  const values = { gitVersion: pinned[1], gitMajor: pinned[2], gitMinor: pinned[3] };
  const set = Object.entries(values).map(
    ([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`,
  );
  return [small, ...set].join(" ");
}

/**
 * `${XDG_CACHE_HOME:-~/.cache}/uwsgi-gateway/tools/HASH`; the environment's UWSGI_GATEWAY_TOOLS stands in for all of it but the
 * hash.
 */
export function toolsFolder(env: NodeJS.ProcessEnv = process.env): string {
  const cache = env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  const base = env["UWSGI_GATEWAY_TOOLS"] || join(cache, "uwsgi-gateway", "tools");
  return join(base, versionsHash());
}

let hash: string | undefined;

/** Changes with whatever makes other programs: a module's pins, the linker's words, the platform. */
function versionsHash(): string {
  if (hash !== undefined) return hash;
  const digest = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const module of MODULES) {
    digest.update(moduleText(module, "go.mod")).update(moduleText(module, "go.sum"));
    digest.update(linkerFlags(module));
  }
  hash = digest.digest("hex").slice(0, HASH_DIGITS);
  return hash;
}

function moduleText(module: Tool["module"], file: string): string {
  return readFileSync(join(moduleFolder(module), file), "utf8");
}

/** The program's path, `undefined` where it has not been built yet. */
export function toolPath(name: ToolName, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const assets = env["KUBEBUILDER_ASSETS"];
  const candidates = [...(assets ? [join(assets, name)] : []), join(toolsFolder(env), name)];
  return candidates.find(isExecutable);
}

export function missingTools(group: ToolGroup, env: NodeJS.ProcessEnv = process.env): Tool[] {
  return GROUPS[group].filter((tool) => toolPath(tool.name, env) === undefined);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
