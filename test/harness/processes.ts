/**
 * Starting a real server as a child process, and ending it with all its own children.
 *
 * Each one leads a process group of its own; the group is killed at the end. `setpriv --pdeathsig` makes the kernel
 * send SIGTERM to it should this process die first, since `bun test` runs no exit handlers.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { connect } from "node:net";
import { onStopAll } from "./cleanup.ts";

const SETPRIV = "/usr/bin/setpriv";
const MAX_LINES = 20_000;
const POLL_MS = 10;

export interface ProcessOptions {
  /** Names it in error messages. */
  readonly name: string;
  readonly command: readonly string[];
  readonly cwd?: string;
  /** Added to this process's own environment; `undefined` removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** SIGKILL follows SIGTERM after this long. */
  readonly stopTimeoutMs?: number;
  /** Called with each line of output as it comes, besides its place in `lines`. */
  readonly onLine?: (line: string) => void;
  /** Standard output goes to this file instead of `lines`: for measurements that reading along would disturb. */
  readonly outputFile?: string;
}

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningProcess {
  readonly name: string;
  readonly pid: number;
  /** Standard output and error, line by line, as they came (the last 20,000). */
  readonly lines: readonly string[];
  readonly exited: Promise<ExitStatus>;
  readonly exitStatus: () => ExitStatus | undefined;
  /** Resolves with the first line, past or to come, that matches. Rejects at the exit or after `timeoutMs`. */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL to what is left of the group. Resolves once it has ended; may be called again. */
  stop(): Promise<ExitStatus>;
}

export function startProcess(options: ProcessOptions): RunningProcess {
  const command = existsSync(SETPRIV)
    ? [SETPRIV, "--pdeathsig", "TERM", "--", ...options.command]
    : options.command;
  const output = options.outputFile === undefined ? undefined : openSync(options.outputFile, "a");
  const child = spawn(command[0]!, command.slice(1), {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    detached: true,
    stdio: ["ignore", output ?? "pipe", "pipe"],
  });
  if (output !== undefined) closeSync(output);
  if (child.pid === undefined) throw new Error(`${options.name}: cannot start ${options.command[0]}`);
  const pid = child.pid;

  const lines: string[] = [];
  const take = (line: string) => {
    if (lines.push(line) > MAX_LINES) lines.shift();
    options.onLine?.(line);
  };
  child.stdout?.on("data", lineSplitter(take));
  child.stderr?.on("data", lineSplitter(take));

  let status: ExitStatus | undefined;
  const exited = exitOf(child).then((result) => {
    status = result;
    return result;
  });

  const stop = onStopAll(() => endGroup(child, pid, exited, options.stopTimeoutMs ?? 5_000));
  return {
    name: options.name,
    pid,
    lines,
    exited,
    exitStatus: () => status,
    waitForLine: (pattern, timeoutMs = 10_000) =>
      waitUntil(
        () => lines.find((line) => pattern.test(line)),
        { name: options.name, lines, exitStatus: () => status },
        `a line like ${pattern}`,
        timeoutMs,
      ),
    signal: (name) => void child.kill(name),
    stop: async () => {
      await stop();
      return exited;
    },
  };
}

function exitOf(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", () => resolve({ code: 127, signal: null }));
  });
}

async function endGroup(child: ChildProcess, pid: number, exited: Promise<ExitStatus>, timeoutMs: number) {
  child.kill("SIGTERM");
  const timer = setTimeout(() => killGroup(pid), timeoutMs);
  await exited;
  clearTimeout(timer);
  killGroup(pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}

function lineSplitter(take: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new TextDecoder();
  let rest = "";
  return (chunk) => {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    for (const part of parts) take(part);
  };
}

type Watched = Pick<RunningProcess, "name" | "lines" | "exitStatus">;

/** Polls `attempt` until it returns something; fails at the process's exit or after `timeoutMs`, with its output. */
export async function waitUntil<T>(
  attempt: () => Promise<T | undefined> | T | undefined,
  watched: Watched,
  what: string,
  timeoutMs: number,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const exited = watched.exitStatus();
    const value = await attempt();
    if (value !== undefined) return value;
    if (exited !== undefined) throw failure(watched, `ended (${JSON.stringify(exited)}) before ${what}`);
    if (performance.now() > deadline) throw failure(watched, `no ${what} within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function failure(watched: Watched, message: string): Error {
  return new Error(`${watched.name}: ${message}\n${watched.lines.slice(-40).join("\n")}`);
}

/** Waits until something accepts connections there. */
export async function waitUntilListening(server: Watched, address: SocketAddress, timeoutMs = 10_000) {
  await waitUntil(() => accepts(address), server, `listener on ${JSON.stringify(address)}`, timeoutMs);
}

/** Where to connect to: a TCP port on 127.0.0.1, or the path of a Unix socket. */
export type SocketAddress = { readonly port: number; readonly host?: string } | { readonly path: string };

function accepts(address: SocketAddress): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect("path" in address ? { path: address.path } : { host: "127.0.0.1", ...address });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(undefined));
  });
}
