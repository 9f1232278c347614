/** The servers that are compared, each with one worker, all in front of the same uWSGI. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startApache } from "../harness/apache.ts";
import { temporaryFolder } from "../harness/cleanup.ts";
import { startGateway } from "../harness/gateway.ts";
import { startNginx } from "../harness/nginx.ts";
import { freePort } from "../harness/ports.ts";
import { startProcess, waitUntilListening } from "../harness/processes.ts";
import { uwsgiCommand } from "../harness/programs.ts";
import { startUwsgi, type Uwsgi } from "../harness/uwsgi.ts";

export interface Contender {
  readonly name: string;
  /** Its first process; the others descend from it. */
  readonly pid: number;
  /** Without a slash at the end; undefined where it cannot serve such a thing. */
  base(kind: Kind): string | undefined;
}

/** By a Unix socket to the app, by TCP to the app, or files. */
export type Kind = "unix" | "tcp" | "static";

export interface Backend {
  readonly unix: Uwsgi;
  readonly tcp: Uwsgi;
  /** Holds `4k.html` and `10m.bin`. */
  readonly files: string;
}

export const NGINX = "NGINX";
export const GATEWAY = "uwsgi-gateway";
const UNLIMITED = 1_000_000_000;
const GATEWAY_ARGS = ["--max-requests-per-connection", String(UNLIMITED), "--log-level", "warn"];

export async function startBackend(processes: number): Promise<Backend> {
  const app = join(import.meta.dirname, "app.py");
  const options = ["--disable-logging", "--listen", "128"];
  const files = temporaryFolder("files");
  writeFileSync(join(files, "4k.html"), "x".repeat(4096));
  writeFileSync(join(files, "10m.bin"), Buffer.alloc(10 * 1024 * 1024, "x"));
  const backend = {
    unix: await startUwsgi({ app, processes, options }),
    tcp: await startUwsgi({ app, processes, options, socket: "tcp" }),
    files,
  };
  // Apache's child has no rights beyond anybody's.
  chmodSync(files, 0o755);
  chmodSync(dirname(backend.unix.address.slice("unix:".length)), 0o755);
  return backend;
}

export async function startNginxContender(backend: Backend, log = false): Promise<Contender> {
  const nginx = await startNginx({
    http: `keepalive_requests ${UNLIMITED}; sendfile on; tcp_nopush on; client_max_body_size 10m;`,
    server: `
      ${log ? `access_log ${join(temporaryFolder("log"), "access.log")} combined;` : ""}
      location /unix/ { include uwsgi_params; uwsgi_pass ${backend.unix.address}; }
      location /tcp/ { include uwsgi_params; uwsgi_pass ${backend.tcp.address}; }
      location /static/ { alias ${backend.files}/; }`,
  });
  const base = (kind: Kind) => `http://127.0.0.1:${nginx.port}/${kind}`;
  return { name: log ? `${NGINX}, access log` : NGINX, pid: nginx.process.pid, base };
}

export async function startApacheContender(backend: Backend): Promise<Contender> {
  const apache = await startApache({
    server: `
      ProxyPass "/unix/" "${backend.unix.address}|uwsgi://localhost/unix/"
      ProxyPass "/tcp/" "uwsgi://${backend.tcp.address}/tcp/"
      Alias "/static/" "${backend.files}/"`,
  });
  const base = (kind: Kind) => `http://127.0.0.1:${apache.port}/${kind}`;
  return { name: "Apache mod_proxy_uwsgi", pid: apache.process.pid, base };
}

/** uWSGI's own HTTP front end, one for each socket of the app, since it sends everything to one. */
export async function startRouterContenders(backend: Backend): Promise<Record<"unix" | "tcp", Contender>> {
  const [binary] = uwsgiCommand();
  const start = async (kind: "unix" | "tcp"): Promise<Contender> => {
    const port = await freePort();
    const running = startProcess({
      name: "uwsgi --http",
      command: [
        ...[binary!, "--plugins", "http", "--master", "--die-on-term"],
        ...["--http", `127.0.0.1:${port}`, "--http-to", backend[kind].address.replace(/^unix:/, "")],
        ...["--http-keepalive", "--disable-logging"],
      ],
      cwd: backend.files,
      stopTimeoutMs: 100,
    });
    await waitUntilListening(running, { port });
    const base = (asked: Kind) => (asked === kind ? `http://127.0.0.1:${port}/${kind}` : undefined);
    return { name: "uWSGI --http", pid: running.pid, base };
  };
  return { unix: await start("unix"), tcp: await start("tcp") };
}

export async function startGatewayContender(backend: Backend, log = false): Promise<Contender> {
  const outputFile = join(temporaryFolder("log"), "stdout.log");
  const gateway = await startGateway({
    manifests: { "bench.yaml": benchRoute(backend) },
    args: [...GATEWAY_ARGS, "--access-log", log ? "all" : "off"],
    outputFile,
  });
  const base = (kind: Kind) => `http://127.0.0.1:${gateway.port}/${kind}`;
  return { name: log ? `${GATEWAY}, access log` : GATEWAY, pid: gateway.pid, base };
}

function benchRoute(backend: Backend): string {
  return `
apiVersion: uwsgi-gateway.io/v1alpha1
kind: UwsgiRoute
metadata: { name: bench, namespace: default }
spec:
  rules:
    - matches: [{ path: { value: /unix } }]
      backendRefs: [{ socket: "${backend.unix.address}" }]
      request: { maxBodySize: 10Mi }
    - matches: [{ path: { value: /tcp } }]
      backendRefs: [{ socket: "${backend.tcp.address}" }]
    - matches: [{ path: { value: /static/ } }]
      static: { root: "${backend.files}", stripPrefix: true }
`;
}

const ROUTES_PER_FILE = 100;

export interface ManyRoutes {
  readonly contender: Contender;
  readonly count: number;
  readonly port: number;
  /** Of the route defined last. */
  readonly host: string;
  readonly lastFile: string;
  /** The text of that file, with the last route under another path. */
  lastFileText(path: string): string;
}

/** The gateway with `count` routes, each with a host name and a path of its own, 100 to a file. */
export async function startManyRoutes(backend: Backend, count: number): Promise<ManyRoutes> {
  const folder = join(temporaryFolder("routes"), "manifests");
  mkdirSync(folder);
  const fileText = (file: number, lastPath: string) => {
    const end = Math.min(count, (file + 1) * ROUTES_PER_FILE);
    const routes: string[] = [];
    for (let i = file * ROUTES_PER_FILE; i < end; i++) {
      routes.push(oneRoute(i, i === count - 1 ? lastPath : "/unix", backend));
    }
    return routes.join("---");
  };
  const fileName = (file: number) => join(folder, `routes-${String(file).padStart(4, "0")}.yaml`);
  const last = Math.ceil(count / ROUTES_PER_FILE) - 1;
  for (let file = 0; file <= last; file++) writeFileSync(fileName(file), fileText(file, "/unix"));
  const gateway = await startGateway({
    manifests: folder,
    args: [...GATEWAY_ARGS, "--access-log", "off"],
    readyTimeoutMs: 120_000,
  });
  const base = () => `http://127.0.0.1:${gateway.port}/unix`;
  return {
    contender: {
      name: `${count.toLocaleString("en")} ${count === 1 ? "route" : "routes"}`,
      pid: gateway.pid,
      base,
    },
    count,
    port: gateway.port,
    host: `app-${count - 1}.example.com`,
    lastFile: fileName(last),
    lastFileText: (path) => fileText(last, path),
  };
}

function oneRoute(index: number, path: string, backend: Backend): string {
  return `
apiVersion: uwsgi-gateway.io/v1alpha1
kind: UwsgiRoute
metadata: { name: app-${index}, namespace: default }
spec:
  hostnames: [app-${index}.example.com]
  rules:
    - matches: [{ path: { value: ${path} } }]
      backendRefs: [{ socket: "${backend.unix.address}" }]
`;
}
