import type { z } from "zod";
import { fieldPath, type Problem } from "./problem.ts";

/** Taking one part out may leave another without what it needs; then that goes as well, this often. */
const MAX_ROUNDS = 8;
/** Without these everything else is about another object. */
const IDENTITY = ["metadata", "metadata.name", "metadata.namespace"];

type Path = readonly PropertyKey[];

export interface Salvaged {
  readonly body: unknown;
  /** Field paths of what was taken out. */
  readonly removed: readonly string[];
}

/**
 * What is left of an object, as its schema reads it, once the parts that the schema refuses are taken out: to look for further
 * problems in, never to serve. `undefined` where too little is left.
 */
export function salvage(raw: unknown, schema: z.ZodType, error: z.ZodError): Salvaged | undefined {
  const rest = structuredClone(raw);
  const removed: string[] = [];
  let { issues } = error;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const before = removed.length;
    for (const path of issues.flatMap(pathsOf)) {
      if (removed.slice(before).some((field) => contains(field, fieldPath(path)))) continue;
      const field = remove(rest, path);
      if (field === undefined || IDENTITY.includes(field)) return undefined;
      removed.push(field);
    }
    const read = schema.safeParse(rest);
    if (read.success) return { body: read.data, removed };
    ({ issues } = read.error);
  }
  return undefined;
}

/** Problems that do not come of what was taken out: those of a part that holds it may. */
export function independentOf(removed: readonly string[], problems: readonly Problem[]): Problem[] {
  return problems.filter(({ field }) => !removed.some((gone) => contains(field, gone)));
}

function pathsOf(issue: z.core.$ZodIssue): Path[] {
  if (issue.code !== "unrecognized_keys") return [issue.path];
  return issue.keys.map((key) => [...issue.path, key]);
}

/** Deletes what the path leads to, or the nearest part around it that is there and has a name: in a list the others would move. */
function remove(root: unknown, path: Path): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const key = path[length - 1]!;
    const parent = valueAt(root, path.slice(0, length - 1));
    if (typeof key !== "string" || typeof parent !== "object" || parent === null) continue;
    if (Array.isArray(parent) || !Object.hasOwn(parent, key)) continue;
    delete (parent as Record<string, unknown>)[key];
    return fieldPath(path.slice(0, length));
  }
  return undefined;
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function contains(outer: string, inner: string): boolean {
  return outer === "" || inner === outer || inner.startsWith(`${outer}.`) || inner.startsWith(`${outer}[`);
}
