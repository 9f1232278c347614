/**
 * Golden files: what a set of manifests translates to, snapshot and verdicts. `testdata/x.in.yaml` gives
 * `testdata/x.out.yaml`; `UPDATE_GOLDEN=1 bun test src/translate/golden.test.ts` writes the outputs anew, to be read
 * before they are committed (never in CI). Also: every field, annotation and reason has its case.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments, stringify } from "yaml";
import { z } from "zod";
import { ANNOTATION_NAMES, DOMAIN } from "../resources/annotations.ts";
import { parseObject } from "../resources/parse.ts";
import { uwsgiRouteSpecSchema } from "../resources/uwsgiroute.ts";
import type { InvalidObject, SourcedObject } from "./objects.ts";
import { FOLDER_OPTIONS, type TranslateOptions } from "./options.ts";
import { type TranslateResult, translate } from "./translate.ts";
import { ACCEPTED_REASONS, RESOLVED_REFS_REASONS } from "./verdict.ts";

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
    if (result.type === "invalid") invalid.push({ ...result, ref: result.ref!, file: "in.yaml" });
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
  const all = inputs.join("\n");

  test("every field of a UwsgiRoute", () => {
    const missing = [...fieldNames(z.toJSONSchema(uwsgiRouteSpecSchema, { io: "input" }))].filter(
      (name) => !new RegExp(`\\b${name}:`).test(all),
    );
    expect(missing).toEqual([]);
  });

  test("every annotation", () => {
    expect(ANNOTATION_NAMES.filter((name) => !all.includes(`${DOMAIN}/${name}:`))).toEqual([]);
  });

  test("every reason", () => {
    const outputs = NAMES.map((name) => readFileSync(join(FOLDER, `${name}.out.yaml`), "utf8")).join("\n");
    const reasons = [...ACCEPTED_REASONS, ...RESOLVED_REFS_REASONS];
    expect(reasons.filter((reason) => !outputs.includes(`reason: ${reason}\n`))).toEqual([]);
  });
});

/** The names of all properties in a JSON schema. */
function fieldNames(schema: unknown, names = new Set<string>()): Set<string> {
  if (typeof schema !== "object" || schema === null) return names;
  for (const name of Object.keys((schema as { properties?: object }).properties ?? {})) names.add(name);
  for (const part of Object.values(schema)) fieldNames(part, names);
  return names;
}
