// Proves: lines are pino's JSON with nothing but the named fields, in ASCII, and errors leave without waiting.
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineSink, openLineTarget } from "./line-sink.ts";
import { createLogger } from "./log.ts";

const dir = mkdtempSync(join(tmpdir(), "log-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("lines", () => {
  const path = join(dir, "out");
  const sink = new LineSink(openLineTarget(openSync(path, "w")), () => expect.unreachable());
  const log = createLogger("info", { worker: 2 }, sink);
  log.debug("unseen");
  log.info({ file: "naïve 🐍.yaml" }, "réloaded");
  expect(readFileSync(path, "utf8")).toBe("");
  log.error({ err: new Error("no") }, "failed");
  const text = readFileSync(path, "latin1");
  expect(text).toMatch(/^[\n -~]*$/);
  const [first, second] = text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(first).toEqual({
    level: 30,
    time: expect.any(Number),
    worker: 2,
    file: "naïve 🐍.yaml",
    msg: "réloaded",
  });
  expect(second).toMatchObject({ level: 50, msg: "failed", err: { type: "Error", message: "no" } });
});
