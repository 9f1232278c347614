/** Proves: memory, watches and descriptors are bounded, and no change of a file goes unnoticed. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openDescriptors, TestSite } from "./site.fixture.ts";
import type { StaticFilesOptions } from "./static-files.ts";

let site: TestSite;
afterEach(() => site.remove());

function start(options: Partial<StaticFilesOptions> = {}) {
  site = new TestSite(options);
  site.write("a.txt", "first");
  site.write("other.txt", "other");
  expect(site.get("/a.txt").body).toBe("first");
}

/** Each changes /a.txt, or what it is served from, into `later`. */
const changes: [string, () => void][] = [
  ["edited in place", () => writeFileSync(join(site.root, "a.txt"), "later")],
  [
    "edited in place, with its old size and second",
    () => {
      const path = join(site.root, "a.txt");
      const before = statSync(path);
      writeFileSync(path, "later");
      utimesSync(path, before.atime, new Date(Math.floor(before.mtimeMs / 1000) * 1000));
    },
  ],
  [
    "edited in place, with its old size and time",
    () => {
      const path = join(site.root, "a.txt");
      const before = statSync(path);
      writeFileSync(path, "later");
      utimesSync(path, before.atime, before.mtime);
    },
  ],
  [
    "replaced by rename",
    () => {
      writeFileSync(join(site.base, "new"), "later");
      renameSync(join(site.base, "new"), join(site.root, "a.txt"));
    },
  ],
  [
    "deleted and made anew",
    () => {
      unlinkSync(join(site.root, "a.txt"));
      writeFileSync(join(site.root, "a.txt"), "later");
    },
  ],
  [
    "replaced by a symlink",
    () => {
      writeFileSync(join(site.root, "b.txt"), "later");
      unlinkSync(join(site.root, "a.txt"));
      symlinkSync("b.txt", join(site.root, "a.txt"));
    },
  ],
  ["given a variant", () => writeFileSync(join(site.root, "a.txt.gz"), "later")],
];

/**
 * Events arrive in the order of their causes: once this one is in, all earlier ones are. Its folder is watched only
 * from here on, so that nothing else can make the marker be read again.
 */
async function eventsDelivered() {
  site.write("marker/m.txt", "before");
  site.get("/marker/m.txt");
  site.write("marker/m.txt", "after");
  while (site.get("/marker/m.txt").body !== "after") await new Promise((resolve) => setImmediate(resolve));
}

const ACCEPT = { "accept-encoding": "gzip" };

describe("with a watch, a change is seen at once", () => {
  test.each(changes)("%s", async (_name, change) => {
    start();
    change();
    await eventsDelivered();
    expect(site.get("/a.txt", ACCEPT).body).toBe("later");
    expect(site.nowMs).toBe(0);
  });

  test("deleted", async () => {
    start();
    unlinkSync(join(site.root, "a.txt"));
    await eventsDelivered();
    expect(site.get("/a.txt").status).toBe(404);
  });

  test("an unrelated change keeps what is cached", async () => {
    start();
    const before = site.serve("/a.txt");
    writeFileSync(join(site.root, "other.txt"), "changed");
    await eventsDelivered();
    expect(site.serve("/a.txt")).toBe(before);
  });
});

describe("without watches, a change is seen when the entry is due to be checked", () => {
  test.each(changes)("%s", (_name, change) => {
    start({ maxWatches: 0 });
    change();
    expect(site.get("/a.txt").body).toBe("first");
    site.nowMs = 999;
    expect(site.get("/a.txt").body).toBe("first");
    site.nowMs = 1000;
    expect(site.get("/a.txt", ACCEPT).body).toBe("later");
  });

  test("deleted, and there again", () => {
    start({ maxWatches: 0 });
    unlinkSync(join(site.root, "a.txt"));
    site.nowMs = 1000;
    expect(site.get("/a.txt").status).toBe(404);
    site.write("a.txt", "again");
    expect(site.get("/a.txt").body).toBe("again");
  });

  test("an index that comes before the one in use", () => {
    start({ maxWatches: 0 });
    site.action = { ...site.action, index: ["index.html", "a.txt"] };
    expect(site.get("/").body).toBe("first");
    site.write("index.html", "index");
    site.nowMs = 1000;
    expect(site.get("/").body).toBe("index");
  });

  test("a variant edited, or gone", () => {
    start({ maxWatches: 0 });
    site.write("v.css", "plain");
    const variant = site.write("v.css.gz", "one");
    expect(site.get("/v.css", ACCEPT).body).toBe("one");
    writeFileSync(variant, "two!");
    site.nowMs = 1000;
    expect(site.get("/v.css", ACCEPT).body).toBe("two!");
    unlinkSync(variant);
    site.nowMs = 2000;
    const answer = site.get("/v.css", ACCEPT);
    expect([answer.body, answer.fields["Vary"]]).toEqual(["plain", undefined!]);
  });

  test.skipIf(process.getuid?.() === 0)("a file that may no longer be read", () => {
    start({ maxWatches: 0 });
    chmodSync(join(site.root, "a.txt"), 0);
    site.nowMs = 1000;
    expect(site.get("/a.txt").status).toBe(403);
  });
});

test("an unchanged file is kept over a check", () => {
  start({ maxWatches: 0 });
  const before = site.serve("/a.txt");
  site.nowMs = 5000;
  expect(site.serve("/a.txt")).toBe(before);
});

test("a folder that was replaced is watched anew", async () => {
  start();
  site.write("sub/x.txt", "one");
  expect(site.get("/sub/x.txt").body).toBe("one");
  renameSync(join(site.root, "sub"), join(site.base, "old"));
  site.write("sub/x.txt", "two");
  site.nowMs = 1000;
  expect(site.get("/sub/x.txt").body).toBe("two");
  writeFileSync(join(site.root, "sub/x.txt"), "now");
  await eventsDelivered();
  expect(site.get("/sub/x.txt").body).toBe("now");
});

test("a large file that was replaced is never sent with the old one's fields", () => {
  start({ maxWatches: 0, maxCachedFileBytes: 2 });
  site.write("a.txt", "longer than it was");
  const answer = site.get("/a.txt");
  expect([answer.body, answer.fields["Content-Length"]]).toEqual(["longer than it was", "18"]);
  site.write("a.txt", "shorter");
  expect(site.get("/a.txt", { range: "bytes=-3" }).body).toBe("ter");
});

describe("bounds", () => {
  test("bytes", () => {
    site = new TestSite({ maxCacheBytes: 20_000 });
    for (let i = 0; i < 50; i++) {
      site.write(`f${i}`, "x".repeat(4000));
      expect(site.get(`/f${i}`).body.length).toBe(4000);
      expect(site.files.usage.bytes).toBeLessThanOrEqual(20_000);
    }
    expect(site.files.usage.entries).toBe(3);
  });

  test("entries, watches with them; what is in use stays", () => {
    site = new TestSite({ maxCacheEntries: 8 });
    site.write("hot/f", "hot");
    const hot = site.serve("/hot/f");
    for (let i = 0; i < 50; i++) {
      site.write(`d${i}/f`, "x");
      site.get(`/d${i}/f`);
      site.get("/hot/f");
      expect(site.files.usage.entries).toBeLessThanOrEqual(8);
      expect(site.files.usage.watches).toBeLessThanOrEqual(8);
    }
    expect(site.serve("/hot/f")).toBe(hot);
  });

  test("watches", () => {
    site = new TestSite({ maxWatches: 3 });
    for (let i = 0; i < 10; i++) {
      site.write(`d${i}/f`, "x");
      site.get(`/d${i}/f`);
    }
    expect(site.files.usage).toMatchObject({ entries: 10, watches: 3 });
  });

  test("a file over the bound of the whole cache is served all the same", () => {
    site = new TestSite({ maxCacheBytes: 10 });
    site.write("f", "x".repeat(100));
    expect(site.get("/f").body.length).toBe(100);
    expect(site.files.usage).toEqual({ entries: 0, bytes: 0, watches: 0 });
  });

  test("misses are not remembered", () => {
    start();
    for (let i = 0; i < 100; i++) site.get(`/none${i}`);
    expect(site.files.usage.entries).toBe(1);
  });
});

test("rules with equal settings share what is cached, as after a new snapshot; others do not", () => {
  start();
  const before = site.serve("/a.txt");
  site.action = { ...site.action };
  expect(site.serve("/a.txt")).toBe(before);
  site.action = { ...site.action, dotFiles: true };
  expect(site.serve("/a.txt")).not.toBe(before);
});

test("descriptors stay as many as they were after a thousand requests of every kind", () => {
  start({ maxCachedFileBytes: 3, maxWatches: 0 });
  site.write("small.txt", "abc");
  mkdirSync(join(site.root, "folder"));
  symlinkSync("/etc/passwd", join(site.root, "out"));
  const before = openDescriptors();
  const requests: [string, Record<string, string>, string][] = [
    ["/a.txt", {}, "GET"],
    ["/a.txt", {}, "HEAD"],
    ["/a.txt", { range: "bytes=0-1" }, "GET"],
    ["/a.txt", { range: "bytes=0-0,2-2" }, "GET"],
    ["/a.txt", { range: "bytes=99-" }, "GET"],
    ["/a.txt", { "if-none-match": "*" }, "GET"],
    ["/small.txt", {}, "GET"],
    ["/folder", {}, "GET"],
    ["/folder/", {}, "GET"],
    ["/out", {}, "GET"],
    ["/none", {}, "GET"],
    ["/a.txt", {}, "POST"],
  ];
  for (let i = 0; i < 1000; i++) {
    site.nowMs += 300;
    site.get(...requests[i % requests.length]!);
  }
  expect(openDescriptors()).toBe(before);
});

test("closing a response twice does not close another one's descriptor", () => {
  start({ maxCachedFileBytes: 0 });
  const first = site.serve("/a.txt");
  first.close();
  const second = site.serve("/a.txt");
  first.close();
  expect(second.body).toHaveLength(1);
  expect(() => second.close()).not.toThrow();
});

test("close ends the watches and forgets", () => {
  start();
  expect(site.files.usage.watches).toBe(1);
  site.files.close();
  expect(site.files.usage).toEqual({ entries: 0, bytes: 0, watches: 0 });
  rmSync(site.root, { recursive: true });
  expect(site.get("/a.txt").status).toBe(404);
});
