/**
 * Proves, without Helm, that the chart's values, their schema and their documentation name the same things, that the dashboard asks for metrics that
 * exist, and that the pod of `helm test` passes and fails as it should.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { onStopAll, stopAll } from "../harness/cleanup.ts";
import { CHART, documents, type Manifest, ROOT } from "./helm.ts";

const text = (...path: string[]) => readFileSync(join(...path), "utf8");
const schema = JSON.parse(text(CHART, "values.schema.json"));
const [values] = documents(text(CHART, "values.yaml"));

afterAll(stopAll);

interface Field {
  readonly path: string;
  readonly schema: Manifest;
}

/** Every property of the schema, those of references included, down to what may have any properties. */
function fields(of: Manifest, prefix = ""): Field[] {
  return Object.entries<Manifest>(of.properties ?? {}).flatMap(([key, property]) => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    return [{ path, schema: property }, ...fields(property, path)];
  });
}

function at(path: string): unknown {
  return path.split(".").reduce((value: Manifest, key) => value?.[key], values);
}

describe("values.schema.json", () => {
  const all = fields(schema);

  test("describes every field, and refuses unknown ones at every level that it describes", () => {
    for (const each of all)
      expect([each.path, typeof each.schema.description]).toEqual([each.path, "string"]);
    const open = all.filter((each) => each.schema.properties && each.schema.additionalProperties !== false);
    expect(open.map((each) => each.path)).toEqual([]);
    expect(schema.additionalProperties).toBe(false);
  });

  test("every field has a default in values.yaml, and docs/kubernetes.md tells of it", () => {
    const told = text(ROOT, "docs", "kubernetes.md");
    const leaves = all.filter((each) => each.schema.properties === undefined && each.path !== "global");
    expect(leaves.length).toBeGreaterThan(70);
    expect(leaves.filter((each) => at(each.path) === undefined).map((each) => each.path)).toEqual([]);
    expect(leaves.filter((each) => !told.includes(`\`${each.path}\``)).map((each) => each.path)).toEqual([]);
  });
});

test("the chart's appVersion is the package's, and so is the image of the examples", () => {
  const { version } = JSON.parse(text(ROOT, "package.json"));
  expect(documents(text(CHART, "Chart.yaml"))[0]).toMatchObject({ version, appVersion: version });
  for (const name of ["sidecar.yaml", "sidecar-shorthand.yaml"]) {
    expect(text(ROOT, "deploy", "examples", name)).toContain(`image: uwsgi-gateway:${version}\n`);
  }
});

test("every metric of the dashboard is one that docs/operations.md tells of", () => {
  const told = text(ROOT, "docs", "operations.md");
  const dashboard = text(CHART, "files", "dashboard.json");
  const asked = new Set([...dashboard.matchAll(/\b(?:uwsgi_gateway|process)_\w+/g)].map(([name]) => name));
  expect(asked.size).toBeGreaterThan(15);
  const known = (name: string) =>
    told.includes(`\`${name.replace(/^uwsgi_gateway_/, "").replace(/_bucket$/, "")}\``);
  expect([...asked].filter((name) => !known(name))).toEqual([]);
});

describe("the script of `helm test`", () => {
  const node = join(ROOT, "node_modules", ".bin", "node");
  const script = text(CHART, "files", "helm-test.mjs");

  async function run(...words: string[]): Promise<{ code: number; said: string }> {
    const child = spawn(node, ["--input-type=module", "--eval", script, ...words]);
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (said += bytes));
    const [code] = await once(child, "close");
    return { code, said };
  }

  test("passes where all answer as they should, and names what does not", async () => {
    const server = createServer((request, response) =>
      response.writeHead(request.url === "/readyz" ? 503 : 404).end(),
    );
    onStopAll(() => void server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await run("5000", `${url}/=404,200`)).toEqual({ code: 0, said: `ok: ${url}/ answers 404\n` });
    const failed = await run("0", `${url}/=404`, `${url}/readyz=200`);
    expect(failed.code).not.toBe(0);
    expect(failed.said).toContain(`${url}/readyz: 503, expected 200`);
  });

  test("fails where nobody answers", async () => {
    // The discard port, where nothing listens.
    const { code, said } = await run("0", "http://127.0.0.1:9/=200");
    expect(code).not.toBe(0);
    expect(said).toContain("http://127.0.0.1:9/: ");
  });
});
