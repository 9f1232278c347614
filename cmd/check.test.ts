/** Proves what `check` prints and how it exits, under both runtimes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "check-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function check(runtime: "bun" | "node", ...args: string[]) {
  const command = [join(ROOT, "node_modules", ".bin", runtime), join(ROOT, "cmd", "check.ts"), ...args];
  const child = Bun.spawn(command, { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

function route(name: string, fields: string): string {
  return `{apiVersion: uwsgi-gateway.io/v1alpha1, kind: UwsgiRoute, metadata: {name: ${name}, namespace: web}, spec: {rules: [{${fields}}]}}\n`;
}

describe.each(["bun", "node"] as const)("check under %s", (runtime) => {
  test("says that the example is fine", async () => {
    const { out, err, code } = await check(runtime, join(ROOT, "deploy", "examples", "site"));
    expect({ out, err, code }).toEqual({
      out: "ok: 4 objects, 2 route objects of our class, 7 rules\n",
      err: "",
      code: 0,
    });
  });

  test("prints each problem with file, object and field", async () => {
    await writeFile(join(folder, "a.yaml"), route("a", "static: {root: srv}"));
    await writeFile(
      join(folder, "b.yaml"),
      `${route("b", "backendRefs: [{name: s, port: 80}]")}---\nkind: [\n`,
    );
    const { out, code } = await check(runtime, "a.yaml", "b.yaml");
    expect(out.replace(/(does not parse).*/, "$1")).toBe(
      [
        "b.yaml:4: does not parse",
        "b.yaml: UwsgiRoute web/b: spec.rules[0].backendRefs[0]: names Service web/s, which does not exist",
        'a.yaml: UwsgiRoute web/a: spec.rules[0].static.root: must be an absolute path, beginning with "/"',
        "3 problems\n",
      ].join("\n"),
    );
    expect(code).toBe(1);
  });
});

test("problems of structure, of meaning and of what is refused come in one run", async () => {
  const file = join(folder, "many.yaml");
  await writeFile(
    file,
    route(
      "a",
      'nope: 1, matches: [{path: {value: x}}], backendRefs: [{socket: "unix:/s"}], uwsgi: {params: {UWSGI_FILE: app, P: "$nope"}}',
    ),
  );
  const { out } = await check("node", file);
  for (const field of ["nope", "matches[0].path.value", "uwsgi.params.UWSGI_FILE", "uwsgi.params.P"]) {
    expect(out).toContain(`web/a: spec.rules[0].${field}: `);
  }
  expect(out).toEndWith("4 problems\n");
});

test("a conflict is a problem", async () => {
  const file = join(folder, "conflict.yaml");
  await writeFile(file, `${route("a", "static: {root: /a}")}---\n${route("b", "static: {root: /b}")}`);
  const { out, code } = await check("node", file);
  expect(out).toContain(
    'web/b: spec.rules[0].matches[0]: asks for prefix path "/" of any host, which goes to UwsgiRoute web/a',
  );
  expect(code).toBe(1);
});

test("a warning is printed, and is no problem", async () => {
  const file = join(folder, "warning.yaml");
  const service =
    "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: web}, spec: {ports: [{port: 80}]}}";
  await writeFile(file, `${route("a", "backendRefs: [{name: s, port: 80}]")}---\n${service}`);
  const { out, code } = await check("node", file);
  expect(out).toContain("warning: UwsgiRoute web/a: requests get 503");
  expect(out).toContain("ok: 2 objects");
  expect(code).toBe(0);
});

test("nothing to read, and a kind that is misspelt, are warnings", async () => {
  const empty = await mkdtemp(join(folder, "empty-"));
  expect(await check("node", empty)).toEqual({
    out: `warning: ${empty}: holds no object that the gateway reads\nok: 0 objects, 0 route objects of our class, 0 rules\n`,
    err: "",
    code: 0,
  });
  const file = join(folder, "misspelt.yaml");
  await writeFile(
    file,
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n---\napiVersion: networking.k8s.io/v1\nkind: Ingres\nmetadata: {name: i}\n",
  );
  const { out, code } = await check("node", file);
  expect(out).toStartWith(
    `${file}:4: warning: holds kind Ingres of networking.k8s.io/v1, which is not read: is Ingress meant?\n`,
  );
  expect(code).toBe(0);
});

test("UWSGI_SCRIPT passes where it is allowed", async () => {
  const file = join(folder, "script.yaml");
  await writeFile(
    file,
    route("a", 'backendRefs: [{socket: "unix:/s"}], uwsgi: {params: {UWSGI_SCRIPT: app}}'),
  );
  expect((await check("node", file)).code).toBe(1);
  expect((await check("node", "--allow-uwsgi-script", file)).code).toBe(0);
});

test("help, and bad usage", async () => {
  const help = await check("node", "--help");
  expect(help.out).toStartWith("Usage: check [options] FILE…|DIR…");
  expect(help.code).toBe(0);
  for (const args of [[], ["--nope", "x"], [join(folder, "nowhere")]]) {
    const { out, err, code } = await check("node", ...args);
    expect(out).toBe("");
    expect(err).toStartWith("check: ");
    expect(code).toBe(2);
  }
});
