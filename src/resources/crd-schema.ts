import type { z } from "zod";
import { type CelRule, re2 } from "./crd-rules.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A structural schema of Kubernetes: the part of OpenAPI v3 that a CustomResourceDefinition may use. */
export interface StructuralSchema {
  readonly type?: "array" | "boolean" | "integer" | "object" | "string";
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly items?: StructuralSchema;
  readonly additionalProperties?: StructuralSchema;
  readonly "x-kubernetes-validations"?: readonly CelRule[];
  readonly [validation: string]: unknown;
}

const MAX_INT32 = 2 ** 31 - 1;

/**
 * A JSON schema of zod's as a structural one, with the rules by place. Throws `TypeError` on a shape that structural schemas lack, on a
 * field without description, on a string, list or mapping without bound (the API server reckons with the worst
 * case, and refuses rules that may cost too much), and on rules for a place that does not exist.
 */
export function structuralSchema(
  schema: JsonSchema,
  path: string,
  rules: ReadonlyMap<string, readonly CelRule[]>,
): StructuralSchema {
  const converter = new Converter(rules);
  const converted = converter.convert(schema, path);
  const unused = [...rules.keys()].filter((place) => !converter.places.has(place));
  if (unused.length > 0) throw new TypeError(`rules for places that are not there: ${unused.join(", ")}`);
  return converted;
}

class Converter {
  readonly places = new Set<string>();
  readonly #rules: ReadonlyMap<string, readonly CelRule[]>;

  constructor(rules: ReadonlyMap<string, readonly CelRule[]>) {
    this.#rules = rules;
  }

  convert(schema: JsonSchema, path: string): StructuralSchema {
    this.places.add(path);
    const { description } = schema;
    const rules = this.#rules.get(path);
    return {
      ...(description === undefined ? {} : { description }),
      ...this.#body(schema, path),
      ...(rules === undefined ? {} : { "x-kubernetes-validations": rules }),
    };
  }

  #body(schema: JsonSchema, path: string): StructuralSchema {
    if (schema.anyOf !== undefined) return this.#union(schema.anyOf as readonly JsonSchema[], path);
    switch (schema.type) {
      case "string":
        return stringBody(schema, path);
      case "integer":
      case "number":
        return integerBody(schema, path);
      case "boolean":
        return { type: "boolean" };
      case "array":
        return this.#list(schema, path);
      case "object":
        return typeof schema.additionalProperties === "object"
          ? this.#mapping(schema, schema.additionalProperties, path)
          : this.#object(schema, path);
      default:
        throw new TypeError(`${path}: no structural schema for type ${schema.type}`);
    }
  }

  #list(schema: JsonSchema, path: string): StructuralSchema {
    const items = this.convert(schema.items as JsonSchema, `${path}[]`);
    const bounds = picked(schema, ["minItems", "maxItems"]);
    return { type: "array", ...bounded(bounds, "maxItems", path), items };
  }

  #mapping(schema: JsonSchema, values: JsonSchema, path: string): StructuralSchema {
    const bounds = bounded(picked(schema, ["maxProperties"]), "maxProperties", path);
    return { type: "object", ...bounds, additionalProperties: this.convert(values, `${path}{}`) };
  }

  /** Without `additionalProperties: false`: unknown fields are refused by strict field validation, else pruned. */
  #object(schema: JsonSchema, path: string): StructuralSchema {
    const properties: Record<string, StructuralSchema> = {};
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      const converted = this.convert(field as JsonSchema, `${path}.${name}`);
      if (converted.description === undefined) throw new TypeError(`${path}.${name} has no description`);
      properties[name] = converted;
    }
    return { type: "object", ...picked(schema, ["required"]), properties };
  }

  /** Two unions can be said: a number or a string, and anything at all, with bounds that hold where they apply. */
  #union(options: readonly JsonSchema[], path: string): StructuralSchema {
    const number = options.find((each) => each.type === "integer");
    const text = options.find((each) => each.type === "string");
    const object = options.find((each) => each.type === "object");
    if (options.length !== 2 || text === undefined) throw new TypeError(`${path}: no such union`);
    const { type: _, ...texts } = stringBody(text, path);
    if (number !== undefined) {
      return { "x-kubernetes-int-or-string": true, ...picked(number, ["minimum"]), ...texts };
    }
    const { type: __, ...fields } = this.#object(object ?? {}, path);
    return { "x-kubernetes-preserve-unknown-fields": true, ...texts, ...fields };
  }
}

function stringBody(schema: JsonSchema, path: string): StructuralSchema {
  if (schema.enum !== undefined) return { type: "string", enum: schema.enum };
  const bounds = bounded(picked(schema, ["minLength", "maxLength"]), "maxLength", path);
  if (schema.pattern === undefined) return { type: "string", ...bounds };
  if (!/^\^.*\$$/.test(schema.pattern)) throw new TypeError(`${path}: its pattern is not anchored`);
  return { type: "string", ...bounds, pattern: re2(schema.pattern) };
}

function integerBody(schema: JsonSchema, path: string): StructuralSchema {
  if (schema.enum !== undefined) return { type: "integer", format: "int32", enum: schema.enum };
  const { minimum, maximum } = schema;
  if (minimum === undefined || maximum === undefined) throw new TypeError(`${path} has no bounds`);
  return { type: "integer", format: maximum <= MAX_INT32 ? "int32" : "int64", minimum, maximum };
}

function picked(schema: JsonSchema, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    names.filter((name) => schema[name] !== undefined).map((name) => [name, schema[name]]),
  );
}

function bounded(bounds: Record<string, unknown>, name: string, path: string): Record<string, unknown> {
  if (bounds[name] === undefined) throw new TypeError(`${path} has no ${name}`);
  return bounds;
}
