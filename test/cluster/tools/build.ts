/**
 * `node build.ts GROUP [--optional]` (GROUP: `api` or `node`): builds what is missing of the group into the cache folder, and does nothing where all
 * of it is there. With `--optional` it is no failure that it cannot: it says why, and that the cluster suites will be skipped.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { buildTool, findGo, NoGoError } from "./go.ts";
import { GROUPS, missingTools, type Tool, type ToolGroup, toolsFolder } from "./tools.ts";

const PROGRESS_EVERY_MS = 15_000;
/** Set in the process that runs under `flock`. */
const LOCKED = "UWSGI_GATEWAY_TOOLS_LOCKED";
/** What `flock --nonblock` ends with when another process has the lock. */
const LOCK_IS_TAKEN = 75;

async function main(): Promise<number> {
  const { group, optional } = commandLine(process.argv.slice(2));
  if (missingTools(group).length === 0) return 0;
  try {
    const go = findGo();
    mkdirSync(toolsFolder(), { recursive: true });
    const locked = process.env[LOCKED] === undefined ? underLock() : undefined;
    if (locked !== undefined) return locked;
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
    await buildAll(go, group);
    return 0;
  } catch (error) {
    const needsTrace = !(error instanceof NoGoError);
    console.error(needsTrace ? error : error.message);
    if (!optional) return 1;
    const names = missingTools(group).map((tool) => tool.name);
    console.error(`The cluster suites will be skipped, for want of ${names.join(", ")}.`);
    return 0;
  }
}

function commandLine(words: readonly string[]): { group: ToolGroup; optional: boolean } {
  const [group, ...rest] = words;
  const optional = rest[0] === "--optional";
  if (group === undefined || !Object.hasOwn(GROUPS, group) || rest.length > (optional ? 1 : 0)) {
    console.error(`usage: build.ts ${Object.keys(GROUPS).join("|")} [--optional]`);
    process.exit(2);
  }
  return { group: group as ToolGroup, optional };
}

/**
 * Runs this same command under a lock on the cache folder, which the kernel lifts however the holder ends, and gives its exit code. Without `flock` (not
 * Linux) there is no lock: two builds at once are then only slower, since each program is renamed into place.
 */
function underLock(): number | undefined {
  const run = (...how: string[]) =>
    spawnSync("flock", [...how, join(toolsFolder(), "lock"), process.execPath, ...process.argv.slice(1)], {
      env: { ...process.env, [LOCKED]: "yes" },
      stdio: "inherit",
    });
  const first = run("--nonblock", "--conflict-exit-code", String(LOCK_IS_TAKEN));
  if (first.error !== undefined) return undefined;
  if (first.status !== LOCK_IS_TAKEN) return first.status ?? 1;
  console.log("Another process is building the same tools; waiting for it.");
  return run().status ?? 1;
}

async function buildAll(go: string, group: ToolGroup): Promise<void> {
  const missing = missingTools(group);
  if (missing.length === 0) return;
  console.log(`Building ${missing.map((tool) => tool.name).join(", ")} into ${toolsFolder()}, once.`);
  console.log("This takes some minutes, and about 6 GB of Go's caches.");
  for (const tool of missing) await buildOne(go, tool);
}

async function buildOne(go: string, tool: Tool): Promise<void> {
  const begin = performance.now();
  const elapsed = () => `${Math.round((performance.now() - begin) / 1000)} s`;
  console.log(`  ${tool.name} ...`);
  const progress = setInterval(
    () => console.log(`  ${tool.name} ... ${elapsed()} so far`),
    PROGRESS_EVERY_MS,
  );
  try {
    await buildTool(go, tool, join(toolsFolder(), tool.name));
    console.log(`  ${tool.name}: built in ${elapsed()}`);
  } finally {
    clearInterval(progress);
  }
}

process.exitCode = await main();
