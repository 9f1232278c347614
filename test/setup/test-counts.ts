/** Counting what `bun test` says at its end. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Reads Bun's closing block: ` 7 pass`, ` 1 skip`, ` 1 todo`, ` 2 fail`, …, `Ran 11 tests across 3 files.`; its
 * `fail` includes files that could not be loaded. A run that tells of no failure but ended badly (`exitStatus` not
 * 0, null for a signal), did not reach its end, or ran nothing, counts as one failure.
 */
export function countsOf(output: string, exitStatus: number | null): TestCounts {
  const end = output.lastIndexOf("\nRan ");
  const block = end < 0 ? "" : (/(?:\n *\d+ [a-z() ]+)*$/.exec(output.slice(0, end))?.[0] ?? "");
  const count = (word: string) => Number(new RegExp(`\\n *(\\d+) ${word}(?:\\n|$)`).exec(block)?.[1] ?? 0);
  const passed = count("pass");
  const skipped = count("skip") + count("todo");
  const told = count("fail");
  const untold = told === 0 && (exitStatus !== 0 || passed + skipped === 0) ? 1 : 0;
  return { passed, failed: told + untold, skipped };
}

export function summaryLine(counts: TestCounts): string {
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  return `${counts.passed} passed, ${counts.failed} failed${skipped}`;
}
