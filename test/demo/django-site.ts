/** The Django project of `project/`, made ready in a folder and started under a real uWSGI. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type RunningProcess, startProcess } from "../harness/processes.ts";

const PROJECT = join(import.meta.dirname, "project");
const VENV = join(import.meta.dirname, "..", "..", ".cache", "venv");
const DEBIAN_PYTHON = "/usr/bin/python3";
const DEBIAN_PLUGIN = "/usr/lib/uwsgi/plugins/python3_plugin.so";

export const ADMIN_LOGIN = { name: "admin", password: "admin" };

/** A uWSGI, and the Python that has the same version and the same Django as the one inside it. */
export interface PythonStack {
  readonly python: string;
  readonly uwsgi: readonly string[];
}

/**
 * Debian's packages, else the virtualenv that `test/setup/install.sh` makes. Debian's uWSGI holds Debian's Python, so
 * `python3` from the PATH, which may be another one, is not asked.
 */
export function findPythonStack(): PythonStack {
  const python = join(VENV, "bin", "python");
  if (existsSync(DEBIAN_PLUGIN) && hasDjango(DEBIAN_PYTHON)) {
    return { python: DEBIAN_PYTHON, uwsgi: ["/usr/bin/uwsgi", "--plugins", "python3"] };
  }
  if (existsSync(python) && hasDjango(python)) {
    return { python, uwsgi: [join(VENV, "bin", "uwsgi"), "--home", VENV] };
  }
  throw new Error("no uWSGI with Django here: run `make setup`");
}

function hasDjango(python: string): boolean {
  return spawnSync(python, ["-c", "import django"]).status === 0;
}

export interface DjangoSite {
  /** Path of the Unix socket that uWSGI listens on. */
  readonly socket: string;
  /** Where the static files were collected. */
  readonly staticRoot: string;
  readonly django: string;
  readonly process: RunningProcess;
}

export interface DjangoSiteOptions {
  readonly stack: PythonStack;
  /** Holds the database, the static files and the socket. */
  readonly state: string;
  readonly processes?: number;
  /** A stream or a WebSocket holds a thread for as long as it lasts. */
  readonly threads?: number;
}

export async function startDjangoSite(options: DjangoSiteOptions): Promise<DjangoSite> {
  const { stack, state } = options;
  const staticRoot = join(state, "static");
  const socket = join(state, "uwsgi.sock");
  const environment = { DEMO_STATE: state, PYTHONDONTWRITEBYTECODE: "1", PYTHONUNBUFFERED: "1" };
  mkdirSync(state, { recursive: true });

  const manage = (...words: string[]) => {
    const env = {
      ...process.env,
      ...environment,
      DJANGO_SUPERUSER_PASSWORD: ADMIN_LOGIN.password,
    };
    const result = spawnSync(stack.python, ["manage.py", ...words], { cwd: PROJECT, env, encoding: "utf8" });
    if (result.status !== 0)
      throw new Error(`manage.py ${words[0]} failed:\n${result.stdout}${result.stderr}`);
    return result.stdout.trim();
  };
  manage("migrate", "--verbosity", "0");
  manage("collectstatic", "--noinput", "--verbosity", "0");
  manage("createsuperuser", "--noinput", "--username", ADMIN_LOGIN.name, "--email", "admin@example.com");
  const django = manage("--version");

  const processes = options.processes ?? 2;
  const running = startProcess({
    name: "uwsgi",
    command: [
      ...stack.uwsgi,
      ...["--socket", socket, "--chmod-socket=666", "--module", "myapp.wsgi"],
      ...["--pythonpath", PROJECT, "--need-app", "--master", "--die-on-term", "--no-orphans"],
      ...["--processes", String(processes), "--threads", String(options.threads ?? 8)],
    ],
    cwd: state,
    env: environment,
  });
  await running.waitForLine(new RegExp(`spawned uWSGI worker ${processes} `), 20_000);
  return { socket, staticRoot, django, process: running };
}
