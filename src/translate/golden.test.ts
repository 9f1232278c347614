/**
 * Golden files: what a set of manifests translates to, snapshot and verdicts. `testdata/x.in.yaml` gives
 * `testdata/x.out.yaml`; `UPDATE_GOLDEN=1 bun test src/translate/golden.test.ts` writes the outputs anew, to be read
 * before they are committed (never in CI). Also: every field, annotation and reason has its case.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { ANNOTATION_NAMES, DOMAIN } from "../resources/annotations.ts";
import { ingressSpecSchema } from "../resources/ingress.ts";
import { parseObject } from "../resources/parse.ts";
import { uwsgiRouteSpecSchema } from "../resources/uwsgiroute.ts";
import type { InvalidObject, SourcedObject } from "./objects.ts";
import { FOLDER_OPTIONS, type TranslateOptions } from "./options.ts";
import { type TranslateResult, translate } from "./translate.ts";
import { ACCEPTED_REASONS, type Condition, RESOLVED_REFS_REASONS } from "./verdict.ts";

const FOLDER = join(import.meta.dir, "testdata");
const NAMES = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".in.yaml"))
  .map((file) => file.slice(0, -".in.yaml".length));
const inputs = NAMES.map((name) => readFileSync(join(FOLDER, `${name}.in.yaml`), "utf8"));
const UPDATE = process.env.UPDATE_GOLDEN === "1";

interface Case {
  readonly objects: SourcedObject[];
  readonly invalid: InvalidObject[];
  readonly options: TranslateOptions;
}

function readCase(text: string): Case {
  const objects: SourcedObject[] = [];
  const invalid: InvalidObject[] = [];
  let options = FOLDER_OPTIONS;
  for (const document of parseAllDocuments(text)) {
    const raw = document.toJS();
    if (raw.kind === "TestOptions") {
      const { kind: _, ...changed } = raw;
      options = { ...options, ...changed };
      continue;
    }
    const result = parseObject(raw);
    if (result.type === "object") objects.push({ object: result.object, file: "in.yaml" });
    if (result.type === "invalid") {
      const { generation } = raw.metadata;
      invalid.push({
        ...{ ...result, ref: result.ref!, file: "in.yaml" },
        ...(generation === undefined ? {} : { generation }),
      });
    }
  }
  return { objects, invalid, options };
}

function outputText({ snapshot, verdicts }: TranslateResult): string {
  const { version: _, format: __, ...content } = snapshot;
  return stringify({ snapshot: content, verdicts }, { aliasDuplicateObjects: false, lineWidth: 110 });
}

describe("translate", () => {
  test.each(NAMES)("%s", (name) => {
    const { objects, invalid, options } = readCase(inputs[NAMES.indexOf(name)]!);
    const actual = outputText(translate({ objects, invalid }, options));
    const file = join(FOLDER, `${name}.out.yaml`);
    if (UPDATE) {
      if (process.env.CI) throw new Error("golden files are not written in CI");
      writeFileSync(file, actual);
    }
    expect(existsSync(file)).toBe(true);
    expect(actual).toBe(readFileSync(file, "utf8"));
  });

  test.each(NAMES)("%s, in any order", (name) => {
    const { objects, invalid, options } = readCase(inputs[NAMES.indexOf(name)]!);
    const forward = translate({ objects, invalid }, options);
    const backward = translate({ objects: objects.toReversed(), invalid }, options);
    expect(backward).toEqual(forward);
  });

  test("every input has an output, and no output is left over", () => {
    const outputs = readdirSync(FOLDER).filter((file) => file.endsWith(".out.yaml"));
    expect(outputs.sort()).toEqual(NAMES.map((name) => `${name}.out.yaml`).sort());
  });
});

describe("the cases cover", () => {
  const kinds: Readonly<Record<string, z.ZodType>> = {
    UwsgiRoute: uwsgiRouteSpecSchema,
    Ingress: ingressSpecSchema,
  };

  test.each(Object.keys(kinds))("every field of a good %s", (kind) => {
    const specs = NAMES.flatMap((name) => goodSpecs(name, kind));
    const given = new Set(specs.flatMap((spec) => valuePaths(spec, "spec")));
    const fields = new Set(schemaPaths(z.toJSONSchema(kinds[kind]!, { io: "input" }), "spec"));
    expect(fields.size).toBeGreaterThan(10);
    expect([...fields].filter((field) => !given.has(field))).toEqual([]);
  });

  test("every annotation", () => {
    const all = inputs.join("\n");
    expect(ANNOTATION_NAMES.filter((name) => !all.includes(`${DOMAIN}/${name}:`))).toEqual([]);
  });

  test("every reason, in a condition of its own type", () => {
    const conditions = NAMES.flatMap((name): Condition[] => {
      const { verdicts } = parse(readFileSync(join(FOLDER, `${name}.out.yaml`), "utf8"));
      return verdicts.flatMap((verdict: { conditions: Condition[] }) => verdict.conditions);
    });
    const told = (type: string) =>
      new Set(conditions.filter((each) => each.type === type).map((each) => each.reason as string));
    expect(ACCEPTED_REASONS.filter((reason) => !told("Accepted").has(reason))).toEqual([]);
    expect(RESOLVED_REFS_REASONS.filter((reason) => !told("ResolvedRefs").has(reason))).toEqual([]);
  });
});

/** The specs of the kind's objects that parse. */
function goodSpecs(name: string, kind: string): unknown[] {
  const documents = parseAllDocuments(inputs[NAMES.indexOf(name)]!).map((document) => document.toJS());
  return documents
    .filter((raw) => raw.kind === kind && parseObject(raw).type === "object")
    .map((raw) => raw.spec);
}

/** The paths of all fields that a value has, `spec.rules[].static.root`. */
function valuePaths(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((each) => valuePaths(each, `${path}[]`))];
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, each]) => valuePaths(each, `${path}.${name}`))];
}

/** The paths of all fields that a JSON schema has. The names in `params` are the user's: what is in them is looked for at `MAYBE`. */
function schemaPaths(schema: unknown, path: string): string[] {
  const { properties, items, additionalProperties, anyOf } = schema as Record<string, unknown>;
  const options = (anyOf as unknown[] | undefined) ?? [];
  return [
    ...(options.length > 0 ? [] : [path]),
    ...options.flatMap((each) => schemaPaths(each, path)),
    ...Object.entries(properties ?? {}).flatMap(([name, each]) => schemaPaths(each, `${path}.${name}`)),
    ...(items === undefined ? [] : schemaPaths(items, `${path}[]`)),
    ...(additionalProperties ? schemaPaths(additionalProperties, `${path}.MAYBE`) : []),
  ];
}
