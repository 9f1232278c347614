/** Proves how a file's text becomes objects: documents cut as YAML does, reuse by text, and faults with their lines. */
import { describe, expect, test } from "bun:test";
import { type Accept, EMPTY_CONTENT, type FileContent, parseContent } from "./content.ts";
import { readYaml, splitDocuments } from "./documents.ts";
import { TimeSlice } from "./time-slice.ts";

const acceptAll: Accept = () => [];

function parse(text: string, before = EMPTY_CONTENT, format: "yaml" | "json" = "yaml", accept = acceptAll) {
  return parseContent(text, format, before, { accept, slice: new TimeSlice() });
}

function service(name: string, port = 80): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;
}

function objects(content: FileContent): unknown[] {
  return content.entries.map((entry) => ("object" in entry ? entry.object : entry.invalid));
}

function names(content: FileContent): string[] {
  return content.entries.map((entry) => entry.key.slice(entry.key.lastIndexOf("/") + 1));
}

describe("splitting", () => {
  test.each([
    "a: 1",
    "---\na: 1\n---\nb: 2\n",
    "a: 1\n---\n---\nb: 2",
    "# comment\n---\r\na: 1\r\n--- # more\r\nb: 2\r\n",
    "--- a\n--- |\n text\n---\tb\n",
    "a: |\n  ---\n  not a cut\n---\nb: ---x\n",
    "a: ----\n---a: 1\n",
    "%YAML 1.2\n---\na: 1\n...\n---\nb: 2\n",
    "a: 1\n...\nb: 2\n",
    "",
  ])("%j gives what the whole gives", (text) => {
    const chunks = splitDocuments(text);
    expect(chunks.map((chunk) => chunk.text).join("")).toBe(text);
    for (const { text: piece, offset } of chunks)
      expect(text.slice(offset, offset + piece.length)).toBe(piece);
    const drop = (values: unknown[]) => values.filter((value) => value !== null && value !== undefined);
    expect(drop(chunks.flatMap((chunk) => readYaml(chunk.text)))).toEqual(drop(readYaml(text)));
  });
});

describe("a file", () => {
  test("may hold several documents, lists, and what is not read", async () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${service("c").trimEnd().replaceAll("\n", "\n  ")}\n`;
    const content = await parse(
      `${service("a")}---\n${service("b")}---\nkind: X\napiVersion: y\n---\n${list}`,
    );
    expect(names(content)).toEqual(["a", "b", "c"]);
    expect(content.faults).toEqual([]);
  });

  test("may hold several JSON objects one after the other", async () => {
    const object = (name: string) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, annotations: { a: '}{"\\\\' } },
      spec: {},
    });
    const text = `${JSON.stringify(object("a"), null, 2)}\n${JSON.stringify(object("b"))}${JSON.stringify({ kind: "List", items: [object("c")] })}\n\n`;
    const content = await parse(text, EMPTY_CONTENT, "json");
    expect(names(content)).toEqual(["a", "b", "c"]);
    expect(content.faults).toEqual([]);
    const again = await parse(`${text}${JSON.stringify(object("d"))}`, content, "json");
    expect(names(again)).toEqual(["a", "b", "c", "d"]);
    expect(again.entries[0]).toBe(content.entries[0]!);
    for (const bad of ["{\n}\n{", "{} }", "{} x", '{} {"a": "', "[1] ]{}"]) {
      const { entries, faults } = await parse(bad, EMPTY_CONTENT, "json");
      expect([entries, faults.length]).toEqual([[], 1]);
      expect(faults[0]!.message).toBe("does not parse: not valid JSON");
    }
    expect((await parse("{\n}\n{", EMPTY_CONTENT, "json")).faults[0]!.line).toBe(3);
  });

  test("may be JSON", async () => {
    const object = (name: string) => ({ apiVersion: "v1", kind: "Service", metadata: { name }, spec: {} });
    const one = await parse(JSON.stringify(object("a")), EMPTY_CONTENT, "json");
    expect(names(one)).toEqual(["a"]);
    const items = [object("a"), object("b")];
    const list = await parse(JSON.stringify({ kind: "List", items }), one, "json");
    expect(names(list)).toEqual(["a", "b"]);
  });

  test("reuses every document that did not change", async () => {
    const before = await parse(`${service("a")}---\n${service("b")}`);
    const after = await parse(`${service("a")}---\n${service("b", 81)}---\n${service("c")}`, before);
    expect(objects(after)[0]).toBe(objects(before)[0]);
    expect(objects(after)[1]).not.toBe(objects(before)[1]);
    expect(names(after)).toEqual(["a", "b", "c"]);
  });

  test("reuses every item of a list that did not change", async () => {
    const item = (name: string, port: number) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { ports: [{ port }] },
    });
    const list = (port: number) => JSON.stringify({ kind: "List", items: [item("a", 80), item("b", port)] });
    const before = await parse(list(80), EMPTY_CONTENT, "json");
    const after = await parse(list(81), before, "json");
    expect(objects(after)[0]).toBe(objects(before)[0]);
    expect(objects(after)[1]).not.toBe(objects(before)[1]);
  });

  test("keeps its good documents beside a bad one, which is named by its line", async () => {
    const content = await parse(`${service("a")}---\nkind: [\n---\n${service("b")}`);
    expect(names(content)).toEqual(["a", "b"]);
    expect(content.faults).toEqual([{ line: 7, message: expect.stringContaining("does not parse:") }]);
  });

  test("names what is no object", async () => {
    const content = await parse(`${service("a")}---\nreplicas: 3\n---\nname: [1]\n`);
    expect(content.faults.map((fault) => fault.line)).toEqual([5, 7]);
    expect(content.faults[0]?.message).toContain("is not a Kubernetes object: apiVersion is required");
  });

  test("is never read twice into Secrets' text: JSON faults do not quote it", async () => {
    const content = await parse('{"tls.key": topsecret}', EMPTY_CONTENT, "json");
    expect(content.faults[0]?.message).toStartWith("does not parse: not valid JSON");
    expect(JSON.stringify(content.faults)).not.toContain("topsecret");
  });

  test("does not multiply by aliases, nor overflow by depth", async () => {
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (let i = 1; i < 9; i++) bomb.push(`a${i}: &a${i} [${`*a${i > 1 ? i - 1 : ""},`.repeat(9)}]`);
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    for (const text of [bomb.join("\n"), deep]) {
      const content = await parse(text);
      expect(content.faults.length).toBe(1);
    }
  });

  test("has its objects looked at once more: a refused one is invalid, and keeps its class", async () => {
    const route = "apiVersion: uwsgi-gateway.io/v1alpha1\nkind: UwsgiRoute\nmetadata: {name: r}\n";
    const text = `${route}spec: {ingressClassName: x, rules: [{static: {root: /s}}]}`;
    const problems = [{ field: "spec", message: "is refused" }];
    const content = await parse(text, EMPTY_CONTENT, "yaml", () => problems);
    expect(objects(content)).toEqual([
      expect.objectContaining({ type: "invalid", className: "x", problems }),
    ]);
  });
});
