/**
 * `make demo`: a real Django under a real uWSGI, and the gateway in front of it, until Ctrl-C.
 * DEMO_HTTP_PORT and DEMO_ADMIN_PORT choose other ports.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stopAll, temporaryFolder } from "../harness/cleanup.ts";
import { isFree } from "../harness/ports.ts";
import { type RunningProcess, startProcess, waitUntil } from "../harness/processes.ts";
import { ADMIN_LOGIN, type DjangoSite, findPythonStack, startDjangoSite } from "./django-site.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const PAGES_TIMEOUT_MS = 30_000;

async function main(): Promise<void> {
  const httpPort = await port("DEMO_HTTP_PORT", 8000);
  const adminPort = await port("DEMO_ADMIN_PORT", 9145);
  const state = temporaryFolder("demo");
  console.log("Preparing Django: database, static files, the admin's account ...");
  const site = await startDjangoSite({ stack: findPythonStack(), state });
  const manifests = writeManifests(state, site);
  const gateway = startGatewayProcess(manifests, httpPort, adminPort);
  const url = `http://127.0.0.1:${httpPort}`;
  for (const path of ["/main/", "/admin/login/", "/static/myapp/style.css"])
    await answers(url + path, gateway);
  console.log(introduction(url, `http://127.0.0.1:${adminPort}`, manifests, site));
  for (const running of [site.process, gateway]) {
    running.exited.then((status) => {
      if (!stopping)
        end(
          1,
          `${running.name} ended by itself (${JSON.stringify(status)}); its last words:\n${tail(running)}`,
        );
    });
  }
}

async function port(variable: string, fallback: number): Promise<number> {
  const number = Number(process.env[variable] ?? fallback);
  if (!Number.isInteger(number) || number < 1 || number > 65535) {
    throw new Error(`${variable} is not a port: ${process.env[variable]}`);
  }
  if (!(await isFree(number))) {
    throw new Error(
      `Port ${number} is in use or not allowed. Choose another: ${variable}=${number + 10} make demo`,
    );
  }
  return number;
}

function writeManifests(state: string, site: DjangoSite): string {
  const folder = join(state, "manifests");
  const templates = join(import.meta.dirname, "manifests");
  mkdirSync(folder);
  for (const name of readdirSync(templates)) {
    const text = readFileSync(join(templates, name), "utf8");
    writeFileSync(
      join(folder, name),
      text.replaceAll("@STATIC@", site.staticRoot).replaceAll("@SOCKET@", site.socket),
    );
  }
  return folder;
}

function startGatewayProcess(manifests: string, httpPort: number, adminPort: number): RunningProcess {
  return startProcess({
    name: "gateway",
    command: [
      ...[join(ROOT, "node_modules", ".bin", "bun"), join(ROOT, "cmd", "proxy.ts"), "--manifests", manifests],
      ...["--http", `127.0.0.1:${httpPort}`, "--admin", `127.0.0.1:${adminPort}`],
      // A page with an open stream would otherwise hold up Ctrl-C.
      ...["--access-log-format", "combined", "--drain-timeout", "2s"],
    ],
    cwd: ROOT,
    onLine: (line) => console.log(line),
  });
}

async function answers(url: string, gateway: RunningProcess): Promise<void> {
  const attempt = async () => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      await response.arrayBuffer();
      return response.status === 200 ? true : undefined;
    } catch {
      return undefined;
    }
  };
  await waitUntil(attempt, gateway, `200 from ${url}`, PAGES_TIMEOUT_MS);
}

function introduction(url: string, admin: string, manifests: string, site: DjangoSite): string {
  return `
Django ${site.django} under uWSGI, behind the gateway:
  ${url}/main/            guest book: a form
  ${url}/main/upload      upload a file
  ${url}/main/live        server-sent events, and a WebSocket
  ${url}/main/slow        an answer that takes two seconds
  ${url}/main/request     what the app is told about a request
  ${url}/admin/           Django's admin: ${ADMIN_LOGIN.name} / ${ADMIN_LOGIN.password}
  ${url}/static/myapp/style.css   a file, without uWSGI
The gateway itself:
  ${admin}/routes   the table in use
  ${admin}/metrics  Prometheus metrics
Manifests, live when you edit them: ${manifests}
Ctrl-C stops everything.
`;
}

function tail(running: RunningProcess): string {
  return running.lines.slice(-20).join("\n");
}

let stopping = false;

async function end(status: number, message?: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  if (message !== undefined) console.error(message);
  await stopAll();
  process.exit(status);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => end(0, "\nStopping ..."));
}
main().catch((error: Error) => end(1, error.message));
