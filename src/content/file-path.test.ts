/** Proves: names stay bytes, dot names and dot segments are seen wherever they stand, redirects stay on this host. */
import { describe, expect, test } from "bun:test";
import { binaryPath, encodePath, encodeQuery, isRefused, stripPathPrefix, systemPath } from "./file-path.ts";

test("names that are not ASCII reach the system as their bytes", () => {
  expect(systemPath("/a.css")).toBe("/a.css");
  expect(systemPath("/\xff")).toEqual(Buffer.from([0x2f, 0xff]));
  expect(systemPath(binaryPath("/é"))).toEqual(Buffer.from("/é"));
});

describe("refused paths", () => {
  test.each(["/.env", "/a/.git/config", "/a/..b", "/.", "/..", "/a/../b", "/a\0.css"])("%j", (path) => {
    expect(isRefused(path, false)).toBe(true);
  });

  test.each(["/..", "/a/..", "/../a", "/a/./b", "/.", "/.a/..", "/a\0"])("%j even with dot files", (path) => {
    expect(isRefused(path, true)).toBe(true);
  });

  test.each(["/.env", "/.well-known/x", "/...", "/a/..b"])("%j not with dot files", (path) => {
    expect(isRefused(path, true)).toBe(false);
  });

  test.each(["", "/", "/a.b", "/a..", "/a./b", "/~x"])("%j never", (path) => {
    expect(isRefused(path, false)).toBe(false);
  });
});

test("a prefix comes off by whole elements", () => {
  expect(stripPathPrefix("/static/a", "/static")).toBe("/a");
  expect(stripPathPrefix("/static", "/static")).toBe("");
  expect(stripPathPrefix("/statics/a", "/static")).toBe("/statics/a");
  expect(stripPathPrefix("/other", "/static")).toBe("/other");
  expect(stripPathPrefix("/a", "")).toBe("/a");
});

test("an encoded path cannot name another host, split the field or start a query", () => {
  expect(encodePath("//evil.com")).toBe("/evil.com");
  expect(encodePath("///evil.com")).toBe("/evil.com");
  expect(encodePath("/\\evil.com")).toBe("/%5Cevil.com");
  expect(encodePath("/a b?c#d%\r\n\xc3\xa9")).toBe("/a%20b%3Fc%23d%25%0D%0A%C3%A9");
  expect(encodePath("/a-b_c~d.e:@!$&'()*+,;=")).toBe("/a-b_c~d.e:@!$&'()*+,;=");
});

test("a query stays as it was written", () => {
  expect(encodeQuery("?a=b%20c&d[]=1|2")).toBe("?a=b%20c&d[]=1|2");
  expect(encodeQuery("?a=\r\n\xe9#x")).toBe("?a=%0D%0A%E9%23x");
  expect(encodeQuery("")).toBe("");
});
