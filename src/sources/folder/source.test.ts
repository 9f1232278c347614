/**
 * Proves that the set of objects follows a real folder: edits, renames, deletions and ConfigMap swaps are seen by notice
 * (the slow look is off), bad states keep the last good one, and what is only gone for a moment is not gone.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rename, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Manifests } from "./merge.ts";
import { FolderError, type FolderSource, type FolderSourceOptions, startFolderSource } from "./source.ts";

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function temporaryFolder(): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), "folder-source-"));
  cleanups.push(() => rm(base, { recursive: true, force: true }));
  const folder = join(base, "manifests");
  await mkdir(folder);
  return folder;
}

/** `{ name: port }` of the Services in force. */
type Ports = Record<string, number>;

function ports(manifests: Manifests): Ports {
  const found: Ports = {};
  for (const { object } of manifests.objects) {
    if (object.kind === "Service") found[object.name] = object.ports[0]?.port ?? 0;
  }
  return found;
}

function messages(manifests: Manifests): string[] {
  return [...manifests.problems, ...manifests.invalid.flatMap((each) => each.problems)].map(
    (each) => each.message,
  );
}

class Followed {
  readonly changes: Manifests[] = [];
  source!: FolderSource;
  #waiter: (() => void) | undefined;

  onChange(manifests: Manifests): void {
    this.changes.push(manifests);
    this.#waiter?.();
  }

  /** Resolves, with how long it took, once the newest state passes. Fails by the test's own time limit. */
  async until(passes: (manifests: Manifests) => boolean): Promise<number> {
    const begunMs = performance.now();
    while (!passes(this.source.manifests)) await new Promise<void>((resolve) => (this.#waiter = resolve));
    return performance.now() - begunMs;
  }

  untilPorts(expected: Ports): Promise<number> {
    return this.until((manifests) => Bun.deepEquals(ports(manifests), expected));
  }
}

async function follow(folder: string, options: Partial<FolderSourceOptions> = {}): Promise<Followed> {
  const followed = new Followed();
  followed.source = await startFolderSource({
    folder,
    accept: () => [],
    onChange: (manifests) => followed.onChange(manifests),
    rescanIntervalMs: 600_000,
    ...options,
  });
  cleanups.push(() => followed.source.close());
  return followed;
}

function service(name: string, port: number | string = 80): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n---\n`;
}

describe("a change is seen by its notice", () => {
  /** Far above what it takes, for busy machines; the slow look would come after minutes. */
  const LIMIT_MS = 1000;

  test("an edit in place", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const followed = await follow(folder);
    expect(ports(followed.source.manifests)).toEqual({ a: 80 });
    await writeFile(join(folder, "a.yaml"), service("a", 81));
    expect(await followed.untilPorts({ a: 81 })).toBeLessThan(LIMIT_MS);
  });

  test("a new file, and one that another is renamed over", async () => {
    const folder = await temporaryFolder();
    const followed = await follow(folder);
    await writeFile(join(folder, "a.yml"), service("a"));
    expect(await followed.untilPorts({ a: 80 })).toBeLessThan(LIMIT_MS);
    await writeFile(join(folder, ".a.yml.tmp"), service("a", 81));
    await rename(join(folder, ".a.yml.tmp"), join(folder, "a.yml"));
    expect(await followed.untilPorts({ a: 81 })).toBeLessThan(LIMIT_MS);
  });

  test("a deletion", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    await writeFile(join(folder, "b.yaml"), service("b"));
    const followed = await follow(folder);
    await unlink(join(folder, "a.yaml"));
    expect(await followed.untilPorts({ b: 80 })).toBeLessThan(LIMIT_MS);
  });

  test("a ConfigMap's swap: one link moves, and every file with it", async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, "..1"));
    await writeFile(join(folder, "..1", "a.yaml"), service("a"));
    await writeFile(join(folder, "..1", "b.yaml"), service("b"));
    await symlink("..1", join(folder, "..data"));
    await symlink("..data/a.yaml", join(folder, "a.yaml"));
    await symlink("..data/b.yaml", join(folder, "b.yaml"));
    const followed = await follow(folder);
    expect(ports(followed.source.manifests)).toEqual({ a: 80, b: 80 });
    await mkdir(join(folder, "..2"));
    await writeFile(join(folder, "..2", "a.yaml"), service("a", 81));
    await writeFile(join(folder, "..2", "b.yaml"), service("b", 82));
    await symlink("..2", join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
    await rm(join(folder, "..1"), { recursive: true });
    expect(await followed.untilPorts({ a: 81, b: 82 })).toBeLessThan(LIMIT_MS);
    expect(followed.changes.map(ports)).toEqual([{ a: 81, b: 82 }]);
  });

  test("a link further up that is swapped, and then a change in the folder that it leads to", async () => {
    const base = join(await temporaryFolder(), "..");
    for (const [name, port] of [
      ["r1", 81],
      ["r2", 82],
    ] as const) {
      await mkdir(join(base, name, "manifests"), { recursive: true });
      await writeFile(join(base, name, "manifests", "a.yaml"), service("a", port));
    }
    await symlink("r1", join(base, "current"));
    const followed = await follow(join(base, "current", "manifests"));
    expect(ports(followed.source.manifests)).toEqual({ a: 81 });
    await symlink("r2", join(base, "next"));
    await rename(join(base, "next"), join(base, "current"));
    expect(await followed.untilPorts({ a: 82 })).toBeLessThan(LIMIT_MS);
    await writeFile(join(base, "r2", "manifests", "a.yaml"), service("a", 83));
    expect(await followed.untilPorts({ a: 83 })).toBeLessThan(LIMIT_MS);
  });

  test("a folder further up that is replaced in two steps", async () => {
    const base = join(await temporaryFolder(), "..");
    for (const [name, port] of [
      ["rel", 81],
      ["rel.new", 82],
    ] as const) {
      await mkdir(join(base, name, "manifests"), { recursive: true });
      await writeFile(join(base, name, "manifests", "a.yaml"), service("a", port));
    }
    const followed = await follow(join(base, "rel", "manifests"));
    await rename(join(base, "rel"), join(base, "rel.old"));
    await rename(join(base, "rel.new"), join(base, "rel"));
    expect(await followed.untilPorts({ a: 82 })).toBeLessThan(LIMIT_MS);
  });

  test("the folder swapped as a whole", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const link = `${folder}-link`;
    await symlink(folder, link);
    const followed = await follow(link);
    const next = `${folder}-next`;
    await mkdir(next);
    await writeFile(join(next, "a.yaml"), service("a", 81));
    await symlink(next, `${link}-tmp`);
    await rename(`${link}-tmp`, link);
    expect(await followed.untilPorts({ a: 81 })).toBeLessThan(LIMIT_MS);
    await writeFile(join(next, "a.yaml"), service("a", 82));
    expect(await followed.untilPorts({ a: 82 })).toBeLessThan(LIMIT_MS);
  });
});

describe("a bad state keeps the last good one", () => {
  test("a file that does not parse: its objects stay, others follow", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a") + service("b"));
    const followed = await follow(folder);
    await writeFile(join(folder, "a.yaml"), `${service("a", 81)}kind: [`);
    await followed.until((manifests) => manifests.problems.length === 1);
    expect(ports(followed.source.manifests)).toEqual({ a: 81, b: 80 });
    expect(followed.source.manifests.problems[0]).toMatchObject({ file: join(folder, "a.yaml"), line: 6 });
    await writeFile(join(folder, "c.yaml"), service("c"));
    await followed.untilPorts({ a: 81, b: 80, c: 80 });
    await writeFile(join(folder, "a.yaml"), service("a", 82));
    await followed.untilPorts({ a: 82, c: 80 });
    expect(messages(followed.source.manifests)).toEqual([]);
  });

  test("a bad object: its own last state stays, the rest of the file follows", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a") + service("b"));
    const followed = await follow(folder);
    await writeFile(join(folder, "a.yaml"), service("a", "none") + service("b", 81));
    await followed.untilPorts({ a: 80, b: 81 });
    expect(followed.source.manifests.invalid).toMatchObject([
      { ref: { name: "a" }, file: join(folder, "a.yaml") },
    ]);
    await writeFile(join(folder, "a.yaml"), service("b", 82));
    await followed.untilPorts({ b: 82 });
    expect(followed.source.manifests.invalid).toEqual([]);
  });

  test("a bad object that moves to another file keeps its state, too", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const followed = await follow(folder);
    await writeFile(join(folder, "b.yaml"), service("a", "none"));
    await unlink(join(folder, "a.yaml"));
    await followed.until((manifests) => manifests.invalid.length === 1 && manifests.problems.length === 0);
    expect(ports(followed.source.manifests)).toEqual({ a: 80 });
  });

  test("a refused object, by who looks at it once more", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const followed = await follow(folder, {
      accept: (object) =>
        object.kind === "Service" && object.ports[0]?.port === 81
          ? [{ field: "spec", message: "no 81" }]
          : [],
    });
    await writeFile(join(folder, "a.yaml"), service("a", 81));
    await followed.until((manifests) => messages(manifests).includes("no 81"));
    expect(ports(followed.source.manifests)).toEqual({ a: 80 });
  });

  test("files that cannot be used: not text, too large", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const followed = await follow(folder, { limits: { maxFileBytes: 200 } });
    await writeFile(join(folder, "a.yaml"), new Uint8Array([0x61, 0xff, 0xfe]));
    await followed.until((manifests) => messages(manifests).includes("cannot be read: not UTF-8"));
    expect(ports(followed.source.manifests)).toEqual({ a: 80 });
    await writeFile(join(folder, "a.yaml"), service("b").repeat(3));
    await followed.until((manifests) => messages(manifests).includes("is larger than 200 bytes: split it"));
    expect(ports(followed.source.manifests)).toEqual({ a: 80 });
  });

  test.skipIf(process.getuid?.() === 0)("files that may not be read", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const followed = await follow(folder);
    await chmod(join(folder, "a.yaml"), 0);
    await followed.until((manifests) =>
      messages(manifests).some((each) => each.startsWith("cannot be read")),
    );
    expect(ports(followed.source.manifests)).toEqual({ a: 80 });
  });

  test("a folder that is gone, until it is back", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const followed = await follow(folder);
    await rm(folder, { recursive: true });
    await followed.until((manifests) => manifests.problems.length === 1);
    expect(messages(followed.source.manifests)[0]).toContain("what it held last stays in force");
    expect(ports(followed.source.manifests)).toEqual({ a: 80 });
    await mkdir(folder);
    await writeFile(join(folder, "a.yaml"), service("a", 81));
    await followed.untilPorts({ a: 81 });
    expect(messages(followed.source.manifests)).toEqual([]);
  });
});

describe("what is gone for a moment is not gone", () => {
  test("a file that is emptied and written again", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "a.yaml");
    await writeFile(path, service("a") + service("b"));
    const followed = await follow(folder, { limits: { vanishGraceMs: 400 } });
    await truncate(path);
    await writeFile(join(folder, "mark.yaml"), service("mark"));
    await followed.untilPorts({ a: 80, b: 80, mark: 80 });
    await writeFile(path, service("a", 81));
    await followed.untilPorts({ a: 81, mark: 80 });
    expect(followed.changes.every((manifests) => "a" in ports(manifests))).toBe(true);
  });

  test("a file that is removed and made anew", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "a.yaml");
    await writeFile(path, service("a"));
    const followed = await follow(folder, { limits: { vanishGraceMs: 400 } });
    await unlink(path);
    await writeFile(join(folder, "mark.yaml"), service("mark"));
    await followed.untilPorts({ a: 80, mark: 80 });
    await writeFile(path, service("a", 81));
    await followed.untilPorts({ a: 81, mark: 80 });
    expect(followed.changes.every((manifests) => "a" in ports(manifests))).toBe(true);
  });
});

describe("the folder", () => {
  test("must be there at the start", async () => {
    const folder = await temporaryFolder();
    expect(follow(join(folder, "nowhere"))).rejects.toThrow(FolderError);
    await writeFile(join(folder, "file"), "");
    expect(follow(join(folder, "file"))).rejects.toThrow("manifests folder: ENOTDIR");
  });

  test("may hold what is not read: hidden and other files, subfolders", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, ".hidden.yaml"), service("hidden"));
    await writeFile(join(folder, "README.md"), "text");
    await mkdir(join(folder, "sub.yaml"));
    await writeFile(join(folder, "sub.yaml", "a.yaml"), service("below"));
    await writeFile(
      join(folder, "a.json"),
      '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{}}',
    );
    await symlink("nowhere", join(folder, "dangling.yaml"));
    const followed = await follow(folder);
    expect(ports(followed.source.manifests)).toEqual({ a: 0 });
    expect(messages(followed.source.manifests)).toEqual([]);
  });

  test("gives an object that is there twice from the first file by name, and says so", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "b.yaml"), service("x", 82));
    await writeFile(join(folder, "a.yaml"), service("x", 81) + service("x", 83));
    const followed = await follow(folder);
    expect(ports(followed.source.manifests)).toEqual({ x: 81 });
    expect(messages(followed.source.manifests)).toEqual([
      "holds Service default/x, which is also earlier in this file: remove one",
      `holds Service default/x, which is also in ${join(folder, "a.yaml")}, which comes first: remove one`,
    ]);
    await unlink(join(folder, "a.yaml"));
    await followed.untilPorts({ x: 82 });
    expect(messages(followed.source.manifests)).toEqual([]);
  });

  test("is read up to a number of files", async () => {
    const folder = await temporaryFolder();
    for (const name of ["a", "b", "c"]) await writeFile(join(folder, `${name}.yaml`), service(name));
    const followed = await follow(folder, { limits: { maxFiles: 2 } });
    expect(ports(followed.source.manifests)).toEqual({ a: 80, b: 80 });
    expect(messages(followed.source.manifests)).toEqual([
      "holds 3 manifests; only the first 2 by name are read",
    ]);
  });

  test("is looked at now and then, for what gave no notice", async () => {
    const folder = await temporaryFolder();
    const outside = `${folder}-outside.yaml`;
    await writeFile(outside, service("a"));
    await symlink(outside, join(folder, "a.yaml"));
    const followed = await follow(folder, { rescanIntervalMs: 50 });
    await writeFile(outside, service("a", 81));
    await followed.untilPorts({ a: 81 });
  });

  test("gives unchanged objects as the same values, and no change where there is none", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "a.yaml"), service("a"));
    const followed = await follow(folder);
    const [before] = followed.source.manifests.objects;
    await writeFile(join(folder, "a.yaml"), service("a"));
    await writeFile(join(folder, "b.yaml"), service("b"));
    await followed.untilPorts({ a: 80, b: 80 });
    expect(followed.source.manifests.objects[0]).toBe(before!);
    expect(followed.changes.length).toBe(1);
  });
});
