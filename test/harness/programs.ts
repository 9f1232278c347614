/**
 * Which real servers this machine has. `test/setup/install.sh` installs all of them on Debian; elsewhere the suites that need a
 * missing one are skipped, and say so.
 */

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";

export type Program = "uwsgi" | "nginx" | "apache2" | "wrk" | "h2load" | "curl";

/** Debian keeps servers in /usr/sbin, which is on root's PATH only. */
const EXTRA_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];

export function programPath(name: string): string | undefined {
  for (const folder of [...(process.env["PATH"] ?? "").split(delimiter), ...EXTRA_FOLDERS]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

let uwsgi: readonly string[] | undefined;

/**
 * The words that start a uWSGI which can run Python: Debian's build has it as a plugin, PyPI's has it built in.
 * Empty when there is none.
 */
export function uwsgiCommand(): readonly string[] {
  uwsgi ??= findUwsgi();
  return uwsgi;
}

function findUwsgi(): readonly string[] {
  const path = process.env["UWSGI_BINARY"] ?? programPath("uwsgi");
  if (path === undefined || !existsSync(path)) return [];
  for (const command of [[path, "--plugins", "python3"], [path]]) {
    const result = spawnSync(command[0]!, [...command.slice(1), "--python-version"], { encoding: "utf8" });
    if (result.status === 0 && /^3\./m.test(result.stdout + result.stderr)) return command;
  }
  return [];
}

export function hasProgram(name: Program): boolean {
  return name === "uwsgi" ? uwsgiCommand().length > 0 : programPath(name) !== undefined;
}
