/** One run of `wrk` against one server, and what it and the kernel say of it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { programPath } from "../harness/programs.ts";
import { cpuUs, processTree, rssBytes } from "./proc.ts";

export interface Load {
  readonly url: string;
  readonly seconds: number;
  readonly connections: number;
  readonly host?: string;
  /** Path of a wrk script. */
  readonly script?: string;
}

export interface Sample {
  /** CPU time of all of the server's processes, divided by the requests answered. */
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** After the run. */
  readonly rssBytes: number;
  /** Statuses other than 2xx and 3xx, and connections that failed. */
  readonly errors: number;
}

export async function measure(rootPid: number, load: Load): Promise<Sample> {
  const pids = processTree(rootPid);
  const before = cpuUs(pids);
  const report = parseReport(await runWrk(load));
  const spent = cpuUs(pids) - before;
  return {
    cpuUsPerRequest: spent / report.requests,
    requestsPerSecond: report.requestsPerSecond,
    p50Ms: report.p50Ms,
    p99Ms: report.p99Ms,
    rssBytes: rssBytes(pids),
    errors: report.errors,
  };
}

async function runWrk(load: Load): Promise<string> {
  const words = ["-t1", `-c${load.connections}`, `-d${load.seconds}s`, "--latency", "--timeout", "10s"];
  if (load.host !== undefined) words.push("-H", `Host: ${load.host}`);
  if (load.script !== undefined) words.push("-s", load.script);
  const { stdout } = await promisify(execFile)(programPath("wrk")!, [...words, load.url]);
  return stdout;
}

export interface WrkReport {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

export function parseReport(text: string): WrkReport {
  const field = (pattern: RegExp) => pattern.exec(text)?.[1];
  const requests = Number(field(/(\d+) requests in/));
  if (!(requests > 0)) throw new Error(`wrk had no answer:\n${text}`);
  const socketErrors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
  return {
    requests,
    requestsPerSecond: Number(field(/Requests\/sec:\s+([\d.]+)/)),
    p50Ms: milliseconds(field(/50%\s+(\S+)/)),
    p99Ms: milliseconds(field(/99%\s+(\S+)/)),
    errors:
      Number(field(/Non-2xx or 3xx responses: (\d+)/) ?? 0) +
      (socketErrors?.slice(1).reduce((sum, count) => sum + Number(count), 0) ?? 0),
  };
}

function milliseconds(text: string | undefined): number {
  const [, count, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text ?? "") ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit ?? ""];
  return Number(count) * (factor ?? Number.NaN);
}
