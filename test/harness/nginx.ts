/** A real NGINX with one server block, all of its files in a temporary folder. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import { type RunningProcess, startProcess, waitUntilListening } from "./processes.ts";
import { programPath } from "./programs.ts";

export interface NginxOptions {
  /** What stands in the `server` block besides `listen`: locations, limits. May `include uwsgi_params;`. */
  readonly server: string;
  /** What stands in the `http` block besides it: upstreams, maps, further servers. */
  readonly http?: string;
  /** Defaults to `localhost`. */
  readonly serverName?: string;
  /** A path for an access log, or `off` (the default). */
  readonly accessLog?: string;
  readonly workers?: number;
}

export interface Nginx {
  readonly port: number;
  readonly process: RunningProcess;
  readonly folder: string;
  /** The error log so far, at level `info`. */
  errorLog(): string;
  stop(): Promise<unknown>;
}

export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const nginx = programPath("nginx");
  if (nginx === undefined) throw new Error("no NGINX here (make setup)");
  const folder = temporaryFolder("nginx");
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  writeFileSync(config, configuration(options, port, folder));
  const running = startProcess({
    name: "nginx",
    command: [nginx, "-p", folder, "-c", config, "-e", join(folder, "error.log")],
    cwd: folder,
  });
  const errorLog = () => readFileSync(join(folder, "error.log"), "utf8");
  try {
    await waitUntilListening(running, { port });
  } catch (error) {
    throw new Error(`${error}\n${errorLog()}`);
  }
  return { port, process: running, folder, errorLog, stop: running.stop };
}

function configuration(options: NginxOptions, port: number, folder: string): string {
  for (const name of ["body", "uwsgi", "proxy", "fastcgi", "scgi"]) mkdirSync(join(folder, name));
  writeFileSync(join(folder, "uwsgi_params"), UWSGI_PARAMS);
  // A worker that drops root's rights could not reach the temporary folders of the test.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `
${user}
worker_processes ${options.workers ?? 1};
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log info;
events { worker_connections 4096; }
http {
  access_log ${options.accessLog ?? "off"};
  client_body_temp_path ${folder}/body;
  uwsgi_temp_path ${folder}/uwsgi;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  scgi_temp_path ${folder}/scgi;
  types { text/html html; text/css css; text/plain txt; application/javascript js; image/png png; }
  ${options.http ?? ""}
  server {
    listen 127.0.0.1:${port};
    server_name ${options.serverName ?? "localhost"};
    ${options.server}
  }
}
`;
}

/** The file that NGINX's packages install as `uwsgi_params`, which differs between them only in its blank lines. */
const UWSGI_PARAMS = `
uwsgi_param QUERY_STRING $query_string;
uwsgi_param REQUEST_METHOD $request_method;
uwsgi_param CONTENT_TYPE $content_type;
uwsgi_param CONTENT_LENGTH $content_length;
uwsgi_param REQUEST_URI $request_uri;
uwsgi_param PATH_INFO $document_uri;
uwsgi_param DOCUMENT_ROOT $document_root;
uwsgi_param SERVER_PROTOCOL $server_protocol;
uwsgi_param REQUEST_SCHEME $scheme;
uwsgi_param HTTPS $https if_not_empty;
uwsgi_param REMOTE_ADDR $remote_addr;
uwsgi_param REMOTE_PORT $remote_port;
uwsgi_param SERVER_PORT $server_port;
uwsgi_param SERVER_NAME $server_name;
`;
