/** Proves: nothing outside the root, nothing hidden and nothing but regular files is ever served, and nothing blocks. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { openContained, openUnchanged } from "./contained-file.ts";
import { openDescriptors, TestSite } from "./site.fixture.ts";

let site: TestSite;
beforeEach(() => {
  site = new TestSite();
  site.write("a.txt", "a");
  site.write("sub/b.txt", "b");
  writeFileSync(join(site.base, "secret.txt"), "secret");
  mkdirSync(join(site.base, "root-beside"));
  writeFileSync(join(site.base, "root-beside/index.html"), "beside");
});
afterEach(() => site.remove());

function link(target: string, name: string) {
  symlinkSync(target, join(site.root, name));
}

describe("symlinks", () => {
  test("inside the root are followed", () => {
    link("a.txt", "relative.txt");
    link(join(site.root, "sub"), "absolute");
    link("absolute/b.txt", "twice.txt");
    expect(site.get("/relative.txt").body).toBe("a");
    expect(site.get("/absolute/b.txt").body).toBe("b");
    expect(site.get("/twice.txt").body).toBe("b");
    expect(site.get("/absolute").status).toBe(301);
  });

  test("out of the root are 404: files, folders, variants, and a name that begins like the root's", () => {
    link("../secret.txt", "file.txt");
    link("/etc/passwd", "passwd");
    link("..", "up");
    link("../root-beside", "beside");
    link("../secret.txt", "a.txt.gz");
    for (const path of ["/file.txt", "/passwd", "/up", "/up/", "/up/secret.txt", "/beside/", "/beside"]) {
      expect([path, site.get(path).status]).toEqual([path, 404]);
    }
    const plain = site.get("/a.txt", { "accept-encoding": "gzip" });
    expect([plain.body, plain.fields["Content-Encoding"]]).toEqual(["a", undefined!]);
  });

  test("that dangle or go in circles are 404", () => {
    link("nowhere", "dangling");
    link("circle", "circle");
    expect(site.get("/dangling").status).toBe(404);
    expect(site.get("/circle").status).toBe(404);
  });

  test("a root that is a symlink, swapped as a ConfigMap is", () => {
    mkdirSync(join(site.base, "v1"));
    mkdirSync(join(site.base, "v2"));
    writeFileSync(join(site.base, "v1/x.txt"), "one");
    writeFileSync(join(site.base, "v2/x.txt"), "two!");
    symlinkSync("v1", join(site.base, "current"));
    site.action = { ...site.action, root: join(site.base, "current") };
    expect(site.get("/x.txt").body).toBe("one");
    symlinkSync("v2", join(site.base, "next"));
    renameSync(join(site.base, "next"), join(site.base, "current"));
    site.nowMs += 1000;
    expect(site.get("/x.txt").body).toBe("two!");
  });

  test("a ConfigMap's own links, through a folder with a dot", () => {
    site.write("..2024/c.txt", "c");
    link("..2024", "..data");
    link("..data/c.txt", "c.txt");
    expect(site.get("/c.txt").body).toBe("c");
    expect(site.get("/..data/c.txt").status).toBe(404);
  });
});

test("dot segments and NUL never get through, even if a caller lets them", () => {
  for (const path of ["/../secret.txt", "/sub/../../secret.txt", "/..", "/sub/..", "/a.txt\0", "/\0/a.txt"]) {
    for (const dotFiles of [false, true]) {
      site.action = { ...site.action, dotFiles };
      expect([path, site.get(path).status]).toEqual([path, 404]);
    }
  }
});

test("dot files and folders: only where they are asked for", () => {
  site.write(".env", "SECRET");
  site.write(".well-known/x.txt", "known");
  expect(site.get("/.env").status).toBe(404);
  expect(site.get("/.well-known/x.txt").status).toBe(404);
  expect(site.get("/.well-known").status).toBe(404);
  site.action = { ...site.action, dotFiles: true };
  expect(site.get("/.env").body).toBe("SECRET");
  expect(site.get("/.well-known/x.txt").body).toBe("known");
});

test("FIFOs, devices and sockets are 404 at once", async () => {
  execFileSync("mkfifo", [join(site.root, "fifo")]);
  link("/dev/zero", "zero");
  const server = createServer();
  await new Promise<void>((listening) => server.listen(join(site.root, "socket"), listening));
  const before = openDescriptors();
  for (const path of ["/fifo", "/zero", "/socket"])
    expect([path, site.get(path).status]).toEqual([path, 404]);
  expect(openDescriptors()).toBe(before);
  server.close();
});

test("a FIFO that takes a file's place between look and open does not block", () => {
  execFileSync("mkfifo", [join(site.root, "fifo")]);
  const before = openDescriptors();
  expect(openContained(site.root, join(site.root, "fifo"))).toBe("missing");
  expect(openDescriptors()).toBe(before);
});

test("a file that was swapped after it was checked is not opened", () => {
  const checked = openContained(site.root, join(site.root, "a.txt"));
  if (typeof checked === "string") throw new Error(checked);
  const { identity } = checked;
  unlinkSync(join(site.root, "a.txt"));
  link("../secret.txt", "a.txt");
  const before = openDescriptors();
  expect(openUnchanged(join(site.root, "a.txt"), identity)).toBeUndefined();
  expect(openDescriptors()).toBe(before);
});

test("overlong names are 404", () => {
  expect(site.get(`/${"x".repeat(300)}`).status).toBe(404);
  expect(site.get("/x".repeat(4000)).status).toBe(404);
  expect(site.get(`/${"x".repeat(254)}`).status).toBe(404);
});

test("a file whose name leaves no room for a variant's is served", () => {
  const name = `${"x".repeat(251)}.txt`;
  site.write(name, "long");
  expect(site.get(`/${name}`, { "accept-encoding": "br, gzip" }).body).toBe("long");
});

test.skipIf(process.getuid?.() === 0)("a file that may not be read is 403", () => {
  chmodSync(join(site.root, "a.txt"), 0);
  expect(site.get("/a.txt").status).toBe(403);
});

test("a root that does not exist, or is a file, has nothing", () => {
  for (const root of [join(site.base, "none"), join(site.root, "a.txt")]) {
    site.action = { ...site.action, root };
    for (const path of ["/", "/a.txt"]) expect(site.get(path).status).toBe(404);
  }
});
