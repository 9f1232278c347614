/** A real uWSGI with a Python app, on a socket of its own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import { type RunningProcess, startProcess, waitUntilListening } from "./processes.ts";
import { uwsgiCommand } from "./programs.ts";

/** The WSGI app that answers with the vars it was sent; see `dumped-request.ts` for reading its answer. */
export const DUMP_VARS_APP = join(import.meta.dirname, "dump_vars.py");

export interface UwsgiOptions {
  /** Path of a WSGI file, or its source text (anything with a line break). Defaults to `DUMP_VARS_APP`. */
  readonly app?: string;
  readonly socket?: "unix" | "tcp";
  /** Listens there, in place of what `socket` says. */
  readonly listen?: { readonly host: string; readonly port: number };
  /** Words before the command, such as those that enter a namespace. */
  readonly wrapper?: readonly string[];
  readonly processes?: number;
  /** Further words of the command line, such as `["--buffer-size", "32768"]`. */
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface Uwsgi {
  /** As `uwsgi_pass` and `backendRefs[].socket` write it: `unix:/path` or `127.0.0.1:port`. */
  readonly address: string;
  readonly process: RunningProcess;
  stop(): Promise<unknown>;
}

export async function startUwsgi(options: UwsgiOptions = {}): Promise<Uwsgi> {
  const command = uwsgiCommand();
  if (command.length === 0) throw new Error("no uWSGI with Python here (make setup)");
  const folder = temporaryFolder("uwsgi");
  const processes = options.processes ?? 1;
  const tcp =
    options.listen ?? (options.socket === "tcp" ? { host: "127.0.0.1", port: await freePort() } : undefined);
  const socketPath = join(folder, "s");
  const socket = tcp === undefined ? socketPath : `${tcp.host}:${tcp.port}`;

  const running = startProcess({
    name: "uwsgi",
    command: [
      ...(options.wrapper ?? []),
      ...command,
      ...["--socket", socket, "--chmod-socket=666"],
      ...["--wsgi-file", appFile(options.app ?? DUMP_VARS_APP, folder), "--need-app"],
      ...["--master", "--die-on-term", "--no-orphans", "--processes", String(processes)],
      ...(options.options ?? []),
    ],
    cwd: options.cwd ?? folder,
    // Its own clean stop takes a second, which nothing here needs.
    stopTimeoutMs: 100,
    env: { PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1", ...options.env },
  });
  await running.waitForLine(new RegExp(`spawned uWSGI worker ${processes} `), 20_000);
  await waitUntilListening(running, tcp ?? { path: socketPath });
  return {
    address: tcp === undefined ? `unix:${socket}` : socket,
    process: running,
    stop: running.stop,
  };
}

function appFile(app: string, folder: string): string {
  if (!app.includes("\n")) return app;
  const path = join(folder, "app.py");
  writeFileSync(path, app);
  return path;
}
