/**
 * Proves that the sources keep to the import rules and the size limit, and that the checker would see it if they did
 * not: each rule is shown a project that breaks it.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stopAll, temporaryFolder } from "../harness/cleanup.ts";
import { violations } from "./rules.ts";
import { readProject, type SourceFacts } from "./source-facts.ts";

const ROOT = join(import.meta.dirname, "..", "..");

afterAll(stopAll);

describe("this repository", () => {
  let files: SourceFacts[] = [];
  beforeAll(async () => {
    files = await readProject(ROOT);
  });

  test("is seen: its sources and their imports are found", () => {
    const paths = files.map((file) => file.path);
    expect(paths).toContain("src/snapshot/snapshot.ts");
    expect(paths).toContain("test/structure/rules.ts");
    expect(files.find((file) => file.path === "test/structure/rules.ts")?.imports).toEqual([
      "node:path",
      "./source-facts.ts",
    ]);
  });

  test("keeps to its rules", () => {
    expect(violations(files).map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
  });
});

describe("the checker", () => {
  const broken: Record<string, { files: Record<string, string>; told: string }> = {
    "a leaf that imports a sibling": {
      files: { "src/http1/a.ts": 'import { b } from "../net/b.ts";\nb;\n' },
      told: "src/http1/a.ts: http1 is a leaf: src/net/b.ts",
    },
    "a leaf that imports a sibling's type only": {
      files: { "src/ops/a.ts": 'export type { B } from "../net/b.ts";\n' },
      told: "src/ops/a.ts: ops is a leaf: src/net/b.ts",
    },
    "a type import in the middle of an expression": {
      files: { "src/uwsgi/a.ts": 'export type A = import("../net/b.ts").B;\n' },
      told: "src/uwsgi/a.ts: uwsgi is a leaf: src/net/b.ts",
    },
    "an import at run time": {
      files: { "src/snapshot/a.ts": 'export const a = () => import("../net/b.ts");\n' },
      told: "src/snapshot/a.ts: snapshot is a leaf: src/net/b.ts",
    },
    "translate that sees more than its share": {
      files: { "src/translate/a.ts": 'import "../routing/b.ts";\n' },
      told: "src/translate/a.ts: translate sees resources and snapshot only: src/routing/b.ts",
    },
    "input and output in a pure folder": {
      files: { "src/translate/a.ts": 'import { readFileSync } from "node:fs";\nreadFileSync;\n' },
      told: "src/translate/a.ts: translate is pure: node:fs",
    },
    "a status writer that takes the API client itself": {
      files: { "src/status/a.ts": 'import "../kube/client.ts";\n' },
      told: "src/status/a.ts: status speaks to the cluster through src/kube/api.ts only: src/kube/client.ts",
    },
    "a source that imports a main": {
      files: { "src/proxy/a.ts": 'import "../../cmd/proxy.ts";\n' },
      told: "src/proxy/a.ts: nothing imports cmd: cmd/proxy.ts",
    },
    "a source that imports a test": {
      files: { "src/proxy/a.ts": 'import "../../test/harness/ports.ts";\n' },
      told: "src/proxy/a.ts: imports a test: test/harness/ports.ts",
    },
    "the Bun global in the wrong folder": {
      files: { "src/proxy/a.ts": "export const a = Bun.version;\n" },
      told: "src/proxy/a.ts: Bun is named only in net/, content/ and cmd/proxy.ts: Bun",
    },
    "Bun through globalThis": {
      files: { "src/proxy/a.ts": "export const a = globalThis.Bun;\n" },
      told: "src/proxy/a.ts: Bun is named only in net/, content/ and cmd/proxy.ts: Bun",
    },
    "one of Bun's modules in the wrong folder": {
      files: { "src/routing/a.ts": 'import { dlopen } from "bun:ffi";\ndlopen;\n' },
      told: "src/routing/a.ts: Bun is named only in net/, content/ and cmd/proxy.ts: bun:ffi",
    },
    "the cluster's client behind the proxy's main": {
      files: {
        "cmd/proxy.ts": 'import "../src/proxy/a.ts";\n',
        "src/proxy/a.ts": 'export * from "../sources/kube/b.ts";\n',
        "src/sources/kube/b.ts": 'export * from "../../kube/c.ts";\n',
        "src/kube/c.ts":
          'import type { KubeConfig } from "@kubernetes/client-node";\nexport type C = KubeConfig;\n',
      },
      told: "src/kube/c.ts: cmd/proxy.ts reaches @kubernetes/client-node here",
    },
    "the cluster's client outside its folder": {
      files: { "src/status/a.ts": 'import "@kubernetes/client-node/dist/config.js";\n' },
      told: "src/status/a.ts: only kube imports @kubernetes/client-node: @kubernetes/client-node/dist/config.js",
    },
    "the API server behind the back of its speakers": {
      files: { "src/reconcile/a.ts": 'import type { A } from "../kube/api.ts";\nexport type B = A;\n' },
      told: "src/reconcile/a.ts: kube is for sources/kube, status and controller only: src/kube/api.ts",
    },
    "an import without its ending": {
      files: { "src/proxy/a.ts": 'import "./b.js";\n' },
      told: "src/proxy/a.ts: imports end with .ts: ./b.js",
    },
    "a file that is too long": {
      files: { "src/proxy/a.ts": "export {};\n".repeat(401) },
      told: "src/proxy/a.ts: 401 lines, more than 400",
    },
  };

  for (const [name, { files, told }] of Object.entries(broken)) {
    test(`sees ${name}`, async () => {
      expect(await violationsOf(files)).toEqual([told]);
    });
  }

  test("is not misled by comments, strings, templates, own properties and tests", async () => {
    expect(
      await violationsOf({
        "src/http1/a.ts": `
          // import { b } from "../net/b.ts"; Bun.version
          /** See {@link Bun}. */
          export const text = 'import "../net/b.ts"; Bun';
          export const template = \`import "../net/b.ts" \${1} Bun\`;
          export const pattern = /import ".." Bun/;
          import { c } from "./c.ts";
          c;
        `,
        "src/http1/a.test.ts":
          'import { test } from "bun:test";\nimport "../net/b.ts";\ntest; Bun.version;\n',
        "src/net/b.ts": "export const b = Bun.version;\n",
        "cmd/proxy.ts": 'import "../src/net/b.ts";\nBun.version;\n',
      }),
    ).toEqual([]);
  });
});

async function violationsOf(files: Record<string, string>): Promise<string[]> {
  const root = temporaryFolder("structure");
  const compilerOptions = { module: "nodenext", noEmit: true, allowImportingTsExtensions: true, types: [] };
  const all = {
    ...files,
    "tsconfig.json": JSON.stringify({ compilerOptions, include: ["cmd", "src", "test"] }),
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return violations(await readProject(root)).map(({ path, message }) => `${path}: ${message}`);
}
