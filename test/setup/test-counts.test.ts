/** Proves that the suite's last line never looks better than the run was. */
import { describe, expect, test } from "bun:test";
import { countsOf, summaryLine } from "./test-counts.ts";

const output = (...counts: string[]) =>
  [
    " 3 pass",
    "(fail) a test that prints the like",
    "",
    ...counts,
    "Ran 9 tests across 2 files. [1.5s]",
    "",
  ].join("\n");

describe("the last line of a run", () => {
  test("all passed", () => {
    const counts = countsOf(output(" 7 pass", " 0 fail", " 20 expect() calls"), 0);
    expect(summaryLine(counts)).toBe("7 passed, 0 failed");
  });

  test("failed, skipped and to do are not passed", () => {
    const counts = countsOf(
      output(" 4 pass", " 1 skip", " 1 todo", " 2 fail", " 1 error", " 8 expect() calls"),
      1,
    );
    expect(summaryLine(counts)).toBe("4 passed, 2 failed, 2 skipped");
  });

  test("an exit status that no failure explains is a failure", () => {
    expect(summaryLine(countsOf(output(" 7 pass", " 0 fail"), 1))).toBe("7 passed, 1 failed");
  });

  test("a run that was killed, said nothing, or ran nothing, is a failure", () => {
    expect(countsOf("(pass) one\n", null).failed).toBe(1);
    expect(countsOf("", 0).failed).toBe(1);
    expect(countsOf(output(" 0 pass", " 0 fail"), 0).failed).toBe(1);
  });
});
