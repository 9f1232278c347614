/** Proves what of a route's uwsgi settings is prepared once: constants as bytes, templates in parts, what replaces a field. */
import { describe, expect, test } from "bun:test";
import type { ForwardSettings, UwsgiSettings } from "../snapshot/snapshot.ts";
import { TemplateError } from "../snapshot/template.ts";
import { encodePair } from "../uwsgi/encoder.ts";
import { planVars, type VarPlan } from "./var-plan.ts";

function planOf(uwsgi: Partial<UwsgiSettings>): VarPlan {
  return planVars({
    uwsgi: { documentRoot: "", scriptName: "", params: [], ...uwsgi },
  } as unknown as ForwardSettings);
}

function param(name: string, value: string, ifNotEmpty = false): Partial<UwsgiSettings> {
  return { params: [{ name, value, ifNotEmpty }] };
}

test("an empty set of params", () => {
  expect(planOf({})).toEqual({
    documentRoot: encodePair("DOCUMENT_ROOT", ""),
    scriptName: "",
    params: [],
    replacedFields: undefined,
  });
});

describe("a param", () => {
  test("without variables is one copy", () => {
    const [planned] = planOf(param("A", "b")).params;
    expect(planned).toMatchObject({ constant: encodePair("A", "b"), removes: false, ifNotEmpty: false });
  });

  test("with variables is read in parts", () => {
    const [planned] = planOf(param("A", "x$host", true)).params;
    expect(planned!.constant).toBeUndefined();
    expect(planned).toMatchObject({
      ifNotEmpty: true,
      parts: [
        { type: "literal", text: "x" },
        { type: "variable", name: "host" },
      ],
    });
  });

  test("that is empty sends an empty var, unless it takes out a field", () => {
    expect(planOf(param("A", "")).params[0]).toMatchObject({ constant: encodePair("A", ""), removes: false });
    expect(planOf(param("HTTP_A", "")).params[0]).toMatchObject({ removes: true });
  });

  test("that cannot be read throws", () => {
    expect(() => planOf(param("A", "$nobody"))).toThrow(TemplateError);
  });
});

test("params named HTTP_ replace the fields of that name, and only those do", () => {
  const params = ["HTTP_HOST", "HTTPS", "X"].map((name) => ({ name, value: "v", ifNotEmpty: false }));
  expect(planOf({ params }).replacedFields).toEqual(new Set(["HTTP_HOST"]));
  expect(planOf(param("X", "v")).replacedFields).toBeUndefined();
});

test("text beyond ASCII becomes its bytes", () => {
  const plan = planOf({ documentRoot: "/caf\u00e9", scriptName: "/\u00fc", ...param("A", "\u20ac") });
  expect(plan.documentRoot.subarray(-5)).toEqual(Buffer.from("caf\u00e9"));
  expect(Buffer.from(plan.scriptName, "latin1")).toEqual(Buffer.from("/\u00fc"));
  expect(plan.params[0]!.constant!.subarray(-3)).toEqual(Buffer.from("\u20ac"));
});
