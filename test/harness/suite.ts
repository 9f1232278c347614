/** Test suites that need real servers. */
import { describe, test } from "bun:test";
import { hasProgram, type Program } from "./programs.ts";

/**
 * `describe` for a suite that needs real servers: where one is missing, one test in its place is counted as skipped and
 * its name says what is missing.
 */
export function describeWith(programs: readonly Program[], name: string, body: () => void): void {
  const missing = programs.filter((program) => !hasProgram(program));
  if (missing.length === 0) describe(name, body);
  else describe(name, () => test.skip(`skipped: ${missing.join(", ")} not installed (make setup)`, () => {}));
}
