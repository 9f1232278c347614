/** The results as Markdown for people and as JSON for programs. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { BUN, REPOSITORY } from "../harness/gateway.ts";
import { programPath, uwsgiCommand } from "../harness/programs.ts";
import type { LiveChange } from "./live-change.ts";
import type { Line, RoundOptions } from "./rounds.ts";

export interface Results {
  readonly at: string;
  readonly options: RoundOptions;
  readonly machine: Readonly<Record<string, string>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly lines: readonly Line[];
  readonly routeLines: readonly Line[];
  readonly liveChange?: LiveChange;
  /** Of the gateway with the benchmark's own manifest, before the first request. */
  readonly idleRssBytes: number;
  /** What could not be measured. */
  readonly complaints: readonly string[];
}

export function describeMachine(): Record<string, string> {
  return {
    cpu: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "unknown",
  };
}

export function describeVersions(): Record<string, string> {
  const version = (path: string | undefined, words: string[], pattern: RegExp) => {
    if (path === undefined) return "none";
    const text = execFileSync("/bin/sh", ["-c", '"$0" "$@" 2>&1 || true', path, ...words], {
      encoding: "utf8",
    });
    return pattern.exec(text)?.[1] ?? "unknown";
  };
  return {
    bun: version(BUN, ["--version"], /([\d.]+)/),
    nginx: version(programPath("nginx"), ["-v"], /nginx\/([\d.]+)/),
    uwsgi: version(uwsgiCommand()[0], ["--version"], /([\d.]+\S*)/),
    apache: version(programPath("apache2"), ["-v"], /Apache\/([\d.]+)/),
    wrk: version(programPath("wrk"), ["-v"], /wrk\D*([\d.]+)/),
  };
}

export function markdown(results: Results): string {
  const facts = Object.entries({ ...results.machine, ...results.versions });
  const parts = [
    facts.map(([name, value]) => `${name} ${value}`).join("; "),
    `${results.options.rounds} alternating rounds of ${results.options.seconds} s; medians; ratios are medians of the rounds' ratios.`,
  ];
  if (results.lines.length > 0) parts.push(table(results.lines, "to NGINX"));
  if (results.routeLines.length > 0) parts.push(table(results.routeLines, "to one route"));
  const change = results.liveChange;
  if (change !== undefined) {
    const { routes, repeats, medianMs, maxMs } = change;
    parts.push(
      `A change at ${routes.toLocaleString("en")} routes is live after ${medianMs.toFixed(0)} ms (median of ${repeats}; at most ${maxMs.toFixed(0)} ms).`,
    );
  }
  parts.push(`Resident memory of the gateway, idle: ${megabytes(results.idleRssBytes)} MB.`);
  return [...parts, ...results.complaints.map((message) => `Not measured: ${message}.`)].join("\n\n");
}

function table(lines: readonly Line[], ratio: string): string {
  const head = [
    ...["case", "server", "CPU µs/request", `CPU ${ratio}`, "(range)"],
    ...["requests/s", `requests/s ${ratio}`, "p50 ms", "p99 ms", "RSS MB", "errors"],
  ];
  const rows = lines.map((line) => [
    line.title,
    line.contender,
    line.cpuUsPerRequest.toFixed(1),
    line.cpuRatio.toFixed(2),
    line.cpuRatioRange.map((value) => value.toFixed(2)).join("–"),
    line.requestsPerSecond.toFixed(0),
    line.requestsRatio.toFixed(2),
    line.p50Ms.toFixed(2),
    line.p99Ms.toFixed(2),
    megabytes(line.rssBytes),
    String(line.errors),
  ]);
  const rule = head.map((_, column) => (column < 2 ? "---" : "---:"));
  return [head, rule, ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/** Returns the path of the file. */
export function writeJson(results: Results): string {
  const folder = join(REPOSITORY, "bench", "results");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${results.at.replaceAll(":", "-")}.json`);
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  return path;
}
