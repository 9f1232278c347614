/** The Go that builds the tools: which one, whether it is new enough, and building one program with it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { programPath } from "../../harness/programs.ts";
import { linkerFlags, moduleFolder, type Tool } from "./tools.ts";

/** Where Go's own archive is unpacked, by its instructions; not on everyone's PATH. */
const USUAL_PATH = "/usr/local/go/bin/go";
const STANDARD_ERROR_LINES = 30;

/** There is no Go that could build the tools; the message says what to do. */
export class NoGoError extends Error {
  override name = "NoGoError";
}

/** The path of a Go that is new enough for all modules. Throws `NoGoError`. */
export function findGo(): string {
  const go = programPath("go") ?? (existsSync(USUAL_PATH) ? USUAL_PATH : undefined);
  const advice = `Install Go ${requiredVersion()} or newer: \`apt install golang-go\` where Debian's is as new as that (bookworm's 1.19 and trixie's 1.24 are too old), else from go.dev.`;
  if (go === undefined) throw new NoGoError(`There is no \`go\` on the PATH. ${advice}`);
  // It reads the module's go.mod, and so applies Go's own rules about versions and about fetching a newer toolchain.
  const tried = spawnSync(go, ["list", "-m"], {
    cwd: moduleFolder("kubernetes"),
    env: goEnvironment(process.env),
    encoding: "utf8",
  });
  if (tried.status === 0) return go;
  throw new NoGoError(`${go} cannot be used: ${tried.stderr.trim()}\n${advice}`);
}

function requiredVersion(): string {
  const text = readFileSync(join(moduleFolder("kubernetes"), "go.mod"), "utf8");
  return /^go (\d+\.\d+)/m.exec(text)?.[1] ?? "";
}

/**
 * Builds `tool` to `path`: to a name of its own first and then renamed, so that the path never holds half a program. Rejects with the
 * compiler's words.
 */
export async function buildTool(go: string, tool: Tool, path: string): Promise<void> {
  const unfinished = `${path}.${process.pid}.tmp`;
  const child = spawn(
    go,
    ["build", "-trimpath", "-ldflags", linkerFlags(tool.module), "-o", unfinished, tool.package],
    {
      cwd: moduleFolder(tool.module),
      env: goEnvironment(process.env),
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  try {
    await success(child, tool);
    renameSync(unfinished, path);
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function success(child: ChildProcess, tool: Tool): Promise<void> {
  const said: string[] = [];
  child.stderr!.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) return resolve();
      const words = said.join("").trimEnd().split("\n").slice(-STANDARD_ERROR_LINES).join("\n");
      reject(new Error(`building ${tool.name} ended with ${signal ?? code}:\n${words}`));
    });
  });
}

/** Programs that need no C library; a user's own flags and work spaces must not change what is built. */
function goEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };
}
