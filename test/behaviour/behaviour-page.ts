/**
 * The tables of `docs/behaviour.md`, from the rules. `bun test/behaviour/behaviour-page.ts` writes them into the page; the words around
 * them are written by hand.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { RULES, type Rule } from "./rules.ts";

export const PAGE = join(import.meta.dirname, "..", "..", "docs", "behaviour.md");

const MARK = /(<!-- rules of section (\d) -->\n)[\s\S]*?(<!-- end -->)/g;

/** `page` with each table as the rules have it. Throws where a section has rules and no table. */
export function withTables(page: string): string {
  const tables = new Set<number>();
  const filled = page.replace(MARK, (_, begin: string, section: string, end: string) => {
    tables.add(Number(section));
    return `${begin}${table(Number(section))}${end}`;
  });
  for (const [id, { section }] of Object.entries<Rule>(RULES)) {
    if (!tables.has(section)) throw new Error(`${PAGE} has no table for section ${section}, of ${id}`);
  }
  return filled;
}

function table(section: number): string {
  const rows = Object.entries<Rule>(RULES).filter(([, rule]) => rule.section === section);
  const lines = rows.map(([id, { nginx, gateway, why }]) => [`\`${id}\``, nginx, gateway, why].map(cell));
  return [["rule", "NGINX", "the gateway", "why"], ["---", "---", "---", "---"], ...lines]
    .map((cells) => `| ${cells.join(" | ")} |\n`)
    .join("");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

if (import.meta.main) writeFileSync(PAGE, withTables(readFileSync(PAGE, "utf8")));
