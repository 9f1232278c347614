/** Proves that docs/operations.md tells of each option, with its variable and default, and of each of the controller's metrics. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { environmentName } from "../../src/ops/command.ts";
import { parseControllerOptions } from "../../src/ops/controller-options.ts";
import { parseProxyOptions } from "../../src/ops/options.ts";

const TOLD = readFileSync(join(import.meta.dirname, "..", "..", "docs", "operations.md"), "utf8");
const [PROXY = "", CONTROLLER = ""] = TOLD.split("\n## The controller\n");

/** `--http HOST:PORT | UWSGI_GATEWAY_HTTP | 0.0.0.0:8080`, of each option that `--help` prints. */
function optionsOf(parse: typeof parseProxyOptions | typeof parseControllerOptions): string[] {
  const parsed = parse(["--help"], {}, "0");
  if (parsed.type !== "print") throw new Error("--help prints nothing");
  const list = parsed.text.split("\nOptions:\n")[1]!.split("\n\n")[0]!;
  const entries = list.split(/\n(?= {2}-)/).map((entry) => entry.replace(/\s+/g, " ").trim());
  return entries.flatMap((entry) => {
    const [, flag, , value = ""] = /^(--[a-z-]+)( <(\S+)>)? /.exec(entry) ?? [];
    if (flag === undefined) return [];
    const fallback = /\(default: (.*)\)$/.exec(entry)?.[1] ?? "";
    return row(`${flag} ${value}`, environmentName(flag), flag === "--temp-dir" ? "the system's" : fallback);
  });
}

const row = (...cells: string[]) => cells.map((cell) => cell.replaceAll(/[`"]/g, "").trim()).join(" | ");

function told(text: string): string[] {
  const rows = text.split("\n").filter((line) => line.startsWith("| `--"));
  return rows.map((line) => {
    const [, option = "", variable = "", fallback = ""] = line.replaceAll("\\|", "\0").split("|");
    return row(option.replaceAll("\0", "|"), variable, fallback);
  });
}

test.each([
  ["proxy", parseProxyOptions, PROXY],
  ["controller", parseControllerOptions, CONTROLLER],
] as const)("each option of the %s", (_, parse, text) => {
  const options = optionsOf(parse);
  expect(options.length).toBeGreaterThan(15);
  expect(told(text).toSorted()).toEqual(options.toSorted());
});

test("each metric of the controller", () => {
  const source = readFileSync(join(import.meta.dirname, "../../src/controller/metrics.ts"), "utf8");
  const names = [...source.matchAll(/#(?:gauge|counter)\("(\w+)"/g)].map(
    ([, name]) => `\`controller_${name}\``,
  );
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !CONTROLLER.includes(name))).toEqual([]);
});
