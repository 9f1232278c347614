/** A real Apache with mod_proxy_uwsgi, one child process, all of its files in a temporary folder. For the benchmark. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./cleanup.ts";
import { freePort } from "./ports.ts";
import { type RunningProcess, startProcess, waitUntilListening } from "./processes.ts";
import { programPath } from "./programs.ts";

const MODULES = "/usr/lib/apache2/modules";

export interface ApacheOptions {
  /** What stands in the main server: `ProxyPass`, `Alias`. */
  readonly server: string;
  /** Threads of the one child process (MPM event). */
  readonly threads?: number;
}

export interface Apache {
  readonly port: number;
  readonly process: RunningProcess;
  stop(): Promise<unknown>;
}

export async function startApache(options: ApacheOptions): Promise<Apache> {
  const apache = programPath("apache2");
  if (apache === undefined) throw new Error("no Apache here (make setup)");
  const folder = temporaryFolder("apache");
  const port = await freePort();
  const config = join(folder, "apache.conf");
  writeFileSync(config, configuration(options, port, folder));
  const running = startProcess({
    name: "apache",
    command: [apache, "-d", folder, "-f", config, "-DFOREGROUND"],
    cwd: folder,
  });
  try {
    await waitUntilListening(running, { port });
  } catch (error) {
    throw new Error(`${error}\n${readFileSync(join(folder, "error.log"), "utf8")}`);
  }
  return { port, process: running, stop: running.stop };
}

function configuration(options: ApacheOptions, port: number, folder: string): string {
  const threads = options.threads ?? 64;
  const modules = ["mpm_event", "authz_core", "alias", "dir", "mime", "proxy", "proxy_uwsgi"];
  const root = process.getuid?.() === 0;
  return `
${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join("\n")}
ServerName localhost
ServerRoot ${folder}
PidFile ${folder}/pid
Mutex file:${folder}
ErrorLog ${folder}/error.log
LogLevel warn
Listen 127.0.0.1:${port}
${root ? "User www-data\nGroup www-data" : ""}
StartServers 1
ServerLimit 1
ThreadLimit ${threads}
ThreadsPerChild ${threads}
MaxRequestWorkers ${threads}
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
TypesConfig /etc/mime.types
<Directory />
  Require all granted
</Directory>
${options.server}
`;
}
