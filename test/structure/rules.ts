/** The rules about who may import whom, as `src/README.md` tells them. Pure: facts in, violations out. */
import { posix } from "node:path";
import type { SourceFacts } from "./source-facts.ts";

const LEAVES = ["http1", "uwsgi", "snapshot", "resources", "ops"];
const TRANSLATE_SEES = ["translate", "resources", "snapshot"];
/**
 * No sockets, files, timers or log: these take bytes or values and give bytes or values. `node:net` is let through for
 * its `isIP`.
 */
const PURE = ["http1", "uwsgi", "snapshot", "resources", "translate"];
const INPUT_AND_OUTPUT =
  /^(node:(fs|fs\/promises|tls|http|https|http2|dgram|dns|child_process|cluster|worker_threads|timers|timers\/promises)|pino)$/;
const BUN_ALLOWED = /^(src\/(net|content)\/|cmd\/proxy\.ts$)/;
const PROXY_MAIN = "cmd/proxy.ts";
const CLUSTER_CLIENT = "@kubernetes/client-node";
const KUBE_CONTRACT = "src/kube/api.ts";
/** Its only importer, and who may speak to the API server through it. */
const CLUSTER_FOLDER = "src/kube/";
const CLUSTER_SPEAKERS = /^(src\/(kube|sources\/kube|status|controller)\/|cmd\/controller\.ts$)/;
const MAX_LINES = 400;

export interface Violation {
  readonly path: string;
  readonly message: string;
}

export function violations(files: readonly SourceFacts[]): Violation[] {
  const perFile = files
    .filter((file) => !isTest(file.path))
    .flatMap((file) => [...importViolations(file), ...runtimeViolations(file), ...sizeViolations(file)]);
  return [...perFile, ...reachabilityViolations(files)];
}

export function isTest(path: string): boolean {
  return path.startsWith("test/") || path.endsWith(".test.ts");
}

function importViolations(file: SourceFacts): Violation[] {
  const from = folderOf(file.path);
  const found: Violation[] = [];
  const refuse = (message: string) => found.push({ path: file.path, message });
  for (const specifier of file.imports) {
    if (!specifier.startsWith(".")) {
      if (PURE.includes(from) && INPUT_AND_OUTPUT.test(specifier)) refuse(`${from} is pure: ${specifier}`);
      if (isClusterClient(specifier) && !file.path.startsWith(CLUSTER_FOLDER)) {
        refuse(`only kube imports ${CLUSTER_CLIENT}: ${specifier}`);
      }
      continue;
    }
    const target = resolved(file.path, specifier);
    const to = folderOf(target);
    if (!target.endsWith(".ts")) refuse(`imports end with .ts: ${specifier}`);
    if (isTest(target)) refuse(`imports a test: ${target}`);
    if (target.startsWith("cmd/")) refuse(`nothing imports cmd: ${target}`);
    if (target.startsWith(CLUSTER_FOLDER) && !CLUSTER_SPEAKERS.test(file.path)) {
      refuse(`kube is for sources/kube, status and controller only: ${target}`);
    }
    if (LEAVES.includes(from) && to !== from) refuse(`${from} is a leaf: ${target}`);
    if (from === "translate" && !TRANSLATE_SEES.includes(to)) {
      refuse(`translate sees resources and snapshot only: ${target}`);
    }
    if (from === "status" && to === "kube" && target !== KUBE_CONTRACT) {
      refuse(`status speaks to the cluster through ${KUBE_CONTRACT} only: ${target}`);
    }
  }
  return found;
}

function runtimeViolations(file: SourceFacts): Violation[] {
  if (BUN_ALLOWED.test(file.path)) return [];
  const message = "Bun is named only in net/, content/ and cmd/proxy.ts";
  const modules = file.imports.filter((specifier) => specifier === "bun" || specifier.startsWith("bun:"));
  return [...(file.namesBun ? ["Bun"] : []), ...modules].map((name) => ({
    path: file.path,
    message: `${message}: ${name}`,
  }));
}

function sizeViolations(file: SourceFacts): Violation[] {
  if (file.lines <= MAX_LINES) return [];
  return [{ path: file.path, message: `${file.lines} lines, more than ${MAX_LINES}` }];
}

/** What the proxy's main can reach must do without the cluster's client. */
function reachabilityViolations(files: readonly SourceFacts[]): Violation[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const pending = [PROXY_MAIN];
  const found: Violation[] = [];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const file = byPath.get(path);
    if (file === undefined || reached.has(path)) continue;
    reached.add(path);
    for (const specifier of file.imports) {
      if (specifier.startsWith(".")) pending.push(resolved(path, specifier));
      else if (isClusterClient(specifier)) {
        found.push({ path, message: `${PROXY_MAIN} reaches ${CLUSTER_CLIENT} here` });
      }
    }
  }
  return found;
}

function isClusterClient(specifier: string): boolean {
  return specifier === CLUSTER_CLIENT || specifier.startsWith(`${CLUSTER_CLIENT}/`);
}

/** `http1` for `src/http1/body.ts` and `sources` for `src/sources/folder/watch.ts`; `cmd` for the mains. */
function folderOf(path: string): string {
  const parts = path.split("/");
  return parts[0] === "src" ? parts[1]! : parts[0]!;
}

function resolved(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}
