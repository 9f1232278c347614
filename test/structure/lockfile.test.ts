/**
 * Proves that `npm ci` can use the lock file on any machine: npm drops the entries of optional packages for other platforms when
 * it could not fetch them, and then refuses the file; and it is tied to no registry.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const path = join(import.meta.dirname, "..", "..", "package-lock.json");
const { packages } = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockEntry> };

test("every optional package has its entry", () => {
  const missing: string[] = [];
  for (const [user, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (packages[`node_modules/${name}`]?.version === undefined) missing.push(`${name}, of ${user}`);
    }
  }
  expect(missing).toEqual([]);
});

test("no entry names a registry", () => {
  expect(Object.keys(packages).filter((name) => packages[name]!.resolved !== undefined)).toEqual([]);
});
