/**
 * Proves that the CustomResourceDefinition follows the schema that the gateway parses with: the chart's file is what the sources
 * make, every field is there with a description, everything is bounded, and a shape that structural schemas lack is
 * no silent gap. What an API server makes of it, `test/cluster/crd.test.ts` shows.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { uwsgiRouteDefinition, uwsgiRouteDefinitionText, uwsgiRouteSchema } from "./crd.ts";
import { CEL_RULES, re2 } from "./crd-rules.ts";
import { type StructuralSchema, structuralSchema } from "./crd-schema.ts";
import { uwsgiRouteSpecSchema } from "./uwsgiroute.ts";

const FILE = join(import.meta.dirname, "../../charts/uwsgi-gateway/crds/uwsgiroutes.yaml");

function every(schema: StructuralSchema, path: string): [string, StructuralSchema][] {
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, each]) =>
    every(each, `${path}.${name}`),
  );
  const items = schema.items === undefined ? [] : every(schema.items, `${path}[]`);
  const values =
    schema.additionalProperties === undefined ? [] : every(schema.additionalProperties, `${path}{}`);
  return [[path, schema], ...fields, ...items, ...values];
}

const SCHEMA = uwsgiRouteSchema();
const PLACES = new Map(every(SCHEMA, ""));

test("the chart's file is what the sources make: run `make generate`", () => {
  expect(readFileSync(FILE, "utf8")).toBe(uwsgiRouteDefinitionText());
});

describe("the definition", () => {
  test("reads back as it is", () => {
    expect(parse(uwsgiRouteDefinitionText())).toEqual(uwsgiRouteDefinition());
  });

  test("names what the sources read", () => {
    const { group, names, scope, versions } = uwsgiRouteDefinition().spec;
    expect([group, versions[0].name, names.kind, names.shortNames, scope]).toEqual([
      "uwsgi-gateway.io",
      "v1alpha1",
      "UwsgiRoute",
      ["uwr"],
      "Namespaced",
    ]);
  });

  test("has every field of the source, with a description", () => {
    const names = (schema: unknown, path: string): string[] =>
      Object.entries((schema as { properties?: object }).properties ?? {}).flatMap(([name, field]) => [
        `${path}.${name}`,
        ...names(field, `${path}.${name}`),
        ...names((field as { items?: unknown }).items ?? {}, `${path}.${name}[]`),
      ]);
    const expected = names(z.toJSONSchema(uwsgiRouteSpecSchema, { io: "input" }), ".spec");
    expect(expected.length).toBeGreaterThan(40);
    expect(expected.filter((path) => !PLACES.get(path)?.description)).toEqual([]);
  });

  test("says nothing that a structural schema cannot", () => {
    for (const [path, schema] of PLACES) {
      const refused = ["$ref", "$schema", "anyOf", "oneOf", "propertyNames"].filter((key) => key in schema);
      expect([path, ...refused]).toEqual([path]);
      expect(schema.additionalProperties as unknown).not.toBe(false);
      const typed = schema.type ?? schema["x-kubernetes-int-or-string"];
      expect(typed ?? schema["x-kubernetes-preserve-unknown-fields"]).toBeDefined();
    }
  });

  test("has patterns that begin and end where the text does", () => {
    const patterns = [...PLACES.values()].flatMap(({ pattern }) => (pattern === undefined ? [] : [pattern]));
    expect(patterns.length).toBeGreaterThan(8);
    expect(patterns.filter((pattern) => !/^\^.*\$$/.test(String(pattern)))).toEqual([]);
  });

  test("has rules whose messages fit in an answer: one line, no full stop", () => {
    for (const rules of CEL_RULES.values()) {
      for (const { message } of rules)
        expect(message).toMatch(/^(must|is|has|needs|goes|hostnames|"m") [^\n]+[^.\n]$|^"m" /);
    }
  });
});

describe("the conversion refuses", () => {
  const none = new Map();
  test.each([
    [
      "a list without bound",
      z.object({ a: z.array(z.string().max(1)).describe("A.") }),
      "s.a has no maxItems",
    ],
    ["text without bound", z.object({ a: z.string().describe("A.") }), "s.a has no maxLength"],
    [
      "a mapping without bound",
      z.object({ a: z.record(z.string(), z.string().max(1)).describe("A.") }),
      "s.a has no maxProperties",
    ],
    ["a field without description", z.object({ a: z.boolean() }), "s.a has no description"],
    [
      "a pattern that is not anchored",
      z.object({ a: z.string().max(1).regex(/^a/).describe("A.") }),
      "s.a: its pattern is not anchored",
    ],
    ["a number with a fraction", z.object({ a: z.number().describe("A.") }), "s.a has no bounds"],
    [
      "a union of two mappings",
      z.object({ a: z.union([z.object({}), z.object({})]).describe("A.") }),
      "s.a: no such union",
    ],
    [
      "what has no type",
      z.object({ a: z.unknown().describe("A.") }),
      "s.a: no structural schema for type undefined",
    ],
  ])("%s", (_, schema, message) => {
    expect(() => structuralSchema(z.toJSONSchema(schema), "s", none)).toThrow(message);
  });

  test("a rule for a place that is not there", () => {
    const rules = new Map([["s.b", [{ rule: "true", message: "m" }]]]);
    expect(() => structuralSchema(z.toJSONSchema(z.object({})), "s", rules)).toThrow(
      "rules for places that are not there: s.b",
    );
  });
});

test("patterns are spelled as RE2 reads them", () => {
  expect(re2(/^\/[^\0/]+$/)).toBe("^/[^\\x00/]+$");
});
