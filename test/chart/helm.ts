/** The real Helm, where this machine has it, and what it makes of the chart. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { toolPath } from "../cluster/tools/tools.ts";
import { programPath } from "../harness/programs.ts";

export const ROOT = join(import.meta.dirname, "..", "..");
export const CHART = join(ROOT, "charts", "uwsgi-gateway");

/** Oldest Kubernetes that the chart is for. Said because a Helm built from its module alone assumes an older one. */
const KUBE_VERSION = "1.30.0";

/** A parsed manifest; fields are looked up freely, as the tests' expectations name them. */
// biome-ignore lint/suspicious/noExplicitAny: manifests of twenty kinds
export type Manifest = any;

/** `HELM`, else the one that the cluster suites built into their cache, else the PATH's. */
export function findHelm(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env["HELM"] || toolPath("helm", env) || programPath("helm");
}

export interface HelmRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `helm template gw` into the namespace `gateways`. `values` is YAML, as from a file. */
export function template(values = ""): HelmRun {
  return run(["template", "gw", CHART, "--namespace", "gateways", "--kube-version", KUBE_VERSION], values);
}

export function lint(values: string): HelmRun {
  return run(["lint", "--strict", CHART], values);
}

function run(words: readonly string[], values: string): HelmRun {
  const options = { encoding: "utf8", input: values } as const;
  const { status, stdout, stderr } = spawnSync(findHelm()!, [...words, "--values", "-"], options);
  return { code: status, out: stdout, err: stderr };
}

/** The chart's objects, its hooks included. Throws what Helm says where it refuses. */
export function render(values = ""): Manifest[] {
  const { code, out, err } = template(values);
  if (code !== 0) throw new Error(err);
  return documents(out);
}

/** Every document, empty ones left out. Throws at the first that does not parse, or has a key twice. */
export function documents(text: string): Manifest[] {
  const parsed: Manifest[] = [];
  for (const document of parseAllDocuments(text)) {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw fault;
    const value: unknown = document.toJS();
    if (value !== null) parsed.push(value);
  }
  return parsed;
}

/** The only object of a kind. */
export function only(objects: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = objects.filter(
    (each) => each.kind === kind && (name === undefined || each.metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects are ${kind} ${name ?? ""}`);
  return found[0];
}
