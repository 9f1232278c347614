/**
 * Runs the whole suite and ends with one line: `N passed, N failed`, or `N passed, N failed, N skipped`. Arguments go to
 * `bun test`.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { countsOf, summaryLine } from "./test-counts.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const TEST_TIMEOUT_MS = 30_000;
const RUN_TIMEOUT_MS = 25 * 60_000;

const run = spawn(
  join(ROOT, "node_modules", ".bin", "bun"),
  ["test", "--no-orphans", `--timeout=${TEST_TIMEOUT_MS}`, ...process.argv.slice(2)],
  { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"], timeout: RUN_TIMEOUT_MS, killSignal: "SIGKILL" },
);

let said = "";
run.stdout.on("data", (chunk: Buffer) => process.stdout.write(chunk));
run.stderr.on("data", (chunk: Buffer) => {
  said += chunk.toString();
  process.stderr.write(chunk);
});
run.on("close", (code, signal) => {
  if (signal !== null) console.log(`The test runner ended by ${signal}.`);
  const counts = countsOf(said, code);
  console.log(summaryLine(counts));
  process.exitCode = counts.failed > 0 ? 1 : 0;
});
