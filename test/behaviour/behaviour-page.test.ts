/**
 * Proves that `docs/behaviour.md` tells users every rule by which the gateway departs from NGINX, as the suite has them, and that each
 * rule is held by at least one case.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PAGE, withTables } from "./behaviour-page.ts";
import { RULES } from "./rules.ts";

test("the page has the rules as they are (bun test/behaviour/behaviour-page.ts writes them)", () => {
  const page = readFileSync(PAGE, "utf8");
  expect(page.split("\n")).toEqual(withTables(page).split("\n"));
});

test("each rule is named by a case", () => {
  const folder = import.meta.dirname;
  const suites = readdirSync(folder).filter((name) => name.endsWith(".test.ts"));
  const text = suites.map((name) => readFileSync(join(folder, name), "utf8")).join("");
  expect(Object.keys(RULES).filter((id) => !text.includes(`"${id}"`))).toEqual([]);
});
