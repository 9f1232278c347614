/** The gateway as users start it: `bun cmd/proxy.ts --manifests …`, on free ports. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import { type RunningProcess, startProcess, waitUntil } from "./processes.ts";

export const REPOSITORY = join(import.meta.dirname, "..", "..");
export const BUN = join(REPOSITORY, "node_modules", ".bin", "bun");

export interface GatewayOptions {
  /** File name -> text, written to a new folder; or the path of a folder. */
  readonly manifests: Readonly<Record<string, string>> | string;
  readonly workers?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Further words of the command line. */
  readonly args?: readonly string[];
  /** How many `--http` listeners to ask for. */
  readonly listeners?: number;
  readonly readyTimeoutMs?: number;
  /** Standard output goes there instead of `lines`. */
  readonly outputFile?: string;
}

export interface Gateway {
  /** The first listener's port on 127.0.0.1. */
  readonly port: number;
  readonly ports: readonly number[];
  /** `http://127.0.0.1:PORT`, no slash at the end. */
  readonly adminUrl: string;
  readonly pid: number;
  /** The folder it watches. */
  readonly manifestsFolder: string;
  /** Output line by line: pino's JSON. */
  readonly lines: readonly string[];
  readonly process: RunningProcess;
  stop(): Promise<unknown>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const manifestsFolder =
    typeof options.manifests === "string" ? options.manifests : manifestFolder(options.manifests);
  const ports: number[] = [];
  for (let i = 0; i < (options.listeners ?? 1); i++) ports.push(await freePort());
  const adminPort = await freePort();
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const running = startProcess({
    name: "gateway",
    command: [
      ...[BUN, join(REPOSITORY, "cmd", "proxy.ts"), "--manifests", manifestsFolder],
      ...ports.flatMap((port) => ["--http", `127.0.0.1:${port}`]),
      ...["--admin", `127.0.0.1:${adminPort}`],
      ...(options.workers === undefined ? [] : ["--workers", String(options.workers)]),
      ...(options.args ?? []),
    ],
    cwd: REPOSITORY,
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.outputFile === undefined ? {} : { outputFile: options.outputFile }),
    stopTimeoutMs: 10_000,
  });
  await waitUntil(() => isReady(adminUrl), running, "200 from /readyz", options.readyTimeoutMs ?? 15_000);
  return {
    port: ports[0]!,
    ports,
    adminUrl,
    pid: running.pid,
    manifestsFolder,
    lines: running.lines,
    process: running,
    stop: running.stop,
  };
}

function manifestFolder(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder("manifests");
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

async function isReady(adminUrl: string): Promise<true | undefined> {
  try {
    const response = await fetch(`${adminUrl}/readyz`, { signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.status === 200 ? true : undefined;
  } catch {
    return undefined;
  }
}
