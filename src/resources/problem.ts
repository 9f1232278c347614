import type { z } from "zod";

/** One thing that is wrong with an object: where, and what to do about it. */
export interface Problem {
  /** `spec.rules[0].matches[0].path.value`; `""` for the object as a whole. */
  readonly field: string;
  readonly message: string;
}

type Path = readonly PropertyKey[];

/** `["spec", "rules", 0, "uwsgi"]` -> `spec.rules[0].uwsgi`. Keys that hold dots or slashes go in brackets. */
export function fieldPath(path: Path, base = ""): string {
  let text = base;
  for (const key of path) {
    if (typeof key === "number" || !/^[\w-]+$/.test(String(key))) text += `[${String(key)}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}

/** Zod's issues as problems; an unknown field is named itself, not its parent. */
export function problemsOf(error: z.ZodError, base = ""): Problem[] {
  return error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys")
      return { field: fieldPath(issue.path, base), message: issue.message };
    return issue.keys.map((key) => ({
      field: fieldPath([...issue.path, key], base),
      message: "is not a known field: check its spelling and its place, or remove it",
    }));
  });
}

/** Zod's error map: messages that follow a field's name. Texts given in a schema win over these. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return `is required: give ${expected(issue.expected)}`;
      return `must be ${expected(issue.expected)}, not ${given(issue.input)}`;
    case "invalid_value":
      if (issue.input === undefined) return `is required: give ${oneOf(issue.values)}`;
      return `must be ${oneOf(issue.values)}, not ${given(issue.input)}`;
    case "too_small":
      return `must ${bound(issue.origin, "at least", Number(issue.minimum))}`;
    case "too_big":
      return `must ${bound(issue.origin, "at most", Number(issue.maximum))}`;
    default:
      return undefined;
  }
}

const NAMES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "a mapping",
  record: "a mapping",
  string: "a string",
};

function expected(type: string): string {
  return NAMES[type] ?? `of type ${type}`;
}

function given(input: unknown): string {
  if (input === null) return "empty (null)";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object") return "a mapping";
  return `the ${typeof input} ${JSON.stringify(input)}`.slice(0, 200);
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(", ")}`;
}

function bound(origin: string, limit: string, value: number): string {
  if (origin === "array" || origin === "set")
    return `have ${limit} ${value} ${value === 1 ? "entry" : "entries"}`;
  if (origin === "string") return `have ${limit} ${value} ${value === 1 ? "character" : "characters"}`;
  return `be ${limit} ${value}`;
}
