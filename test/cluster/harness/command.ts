/** Running a program to its end. */
import { spawn } from "node:child_process";

const DEFAULT_TIMEOUT_MS = 60_000;

export interface RunOptions {
  /** Given to its standard input. */
  readonly input?: string;
  readonly cwd?: string;
  /** Added to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Then it is killed. */
  readonly timeoutMs?: number;
}

/** A program ended badly; the message holds its command line and what it said on standard error. */
export class CommandError extends Error {
  override name = "CommandError";
  /** `null` where a signal ended it, or it could not be started. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;

  constructor(command: readonly string[], code: number | null, stdout: string, stderr: string) {
    super(`${command.join(" ")}: ended with ${code ?? "a signal"}\n${stderr || stdout}`);
    this.code = code;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}

/** Resolves with its standard output once it has ended with 0; rejects with `CommandError`. */
export function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(command[0]!, command.slice(1), {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program that ends without reading its input closes the pipe; its exit code says what matters.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    const fail = (code: number | null, because: string) =>
      reject(new CommandError(command, code, text(stdout), because));
    child.once("error", (error) => fail(null, String(error)));
    child.once("close", (code) => (code === 0 ? resolve(text(stdout)) : fail(code, text(stderr))));
  });
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString();
}
