/** Test suites that need a real API server, and pods. */
import { describe, test } from "bun:test";
import { hasProgram, type Program, programPath } from "../../harness/programs.ts";
import { missingTools } from "../tools/tools.ts";
import { podObstacle } from "./network.ts";

export interface ClusterNeeds {
  /** The suite starts pods: it takes root, and a uWSGI. */
  readonly pods?: boolean;
  /** Further servers and clients. */
  readonly programs?: readonly Program[];
}

/**
 * `describe` for a suite that starts an API server: where something is missing, one test in its place is counted as skipped and its name says what, and
 * what to do.
 */
export function describeCluster(name: string, body: () => void, needs: ClusterNeeds = {}): void {
  const reasons = obstacles(needs);
  if (reasons.length === 0) describe(name, body);
  else describe(name, () => test.skip(`skipped: ${reasons.join("; ")}`, () => {}));
}

function obstacles({ pods = false, programs = [] }: ClusterNeeds): string[] {
  const tools = missingTools("api").map((tool) => tool.name);
  const wanted = pods ? (["uwsgi", ...programs] as const) : programs;
  const missing = wanted.filter((program) => !hasProgram(program)) as string[];
  if (programPath("openssl") === undefined) missing.push("openssl");
  const podReason = pods ? podObstacle() : undefined;
  return [
    ...(tools.length === 0 ? [] : [`${tools.join(", ")} not built (make cluster-tools)`]),
    ...(missing.length === 0 ? [] : [`${missing.join(", ")} not installed (make setup)`]),
    ...(podReason === undefined ? [] : [podReason]),
  ];
}
