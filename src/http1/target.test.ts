/**
 * Proves what a request target and a Host may be, and the one path that comes of them: decoded once, dot segments resolved, slashes
 * merged; nothing that leads above the root, however it is spelled.
 */

import { describe, expect, test } from "bun:test";
import { ProtocolError } from "./protocol-error.ts";
import { normalizePath, readHost, splitTarget, type TargetParts } from "./target.ts";

function split(target: string): { bytes: Buffer; parts: TargetParts } {
  // Bytes around it show a reader that looks beyond its bounds.
  const bytes = Buffer.from(`41${target}2f/../%00`, "latin1");
  const parts = {} as TargetParts;
  splitTarget(bytes, 2, 2 + Buffer.byteLength(target, "latin1"), parts);
  return { bytes, parts };
}

function view(target: string) {
  const { bytes, parts } = split(target);
  const text = (from: number, to: number) => bytes.toString("latin1", from, to);
  return {
    authority: text(parts.authorityFrom, parts.authorityTo),
    path: text(parts.pathFrom, parts.pathTo),
    query: text(parts.queryFrom, parts.queryTo),
  };
}

function normalize(target: string, mergeSlashes = true): string {
  const { bytes, parts } = split(target);
  return normalizePath(bytes, parts, mergeSlashes);
}

function kindOf(act: () => unknown): string {
  try {
    return `no error, but ${JSON.stringify(act())}`;
  } catch (error) {
    if (error instanceof ProtocolError) return error.kind;
    throw error;
  }
}

describe("splitTarget", () => {
  const targets: [target: string, authority: string, path: string, query: string][] = [
    ["/", "", "/", ""],
    ["/a/b", "", "/a/b", ""],
    ["/a?", "", "/a", ""],
    ["/a?b=c&d", "", "/a", "b=c&d"],
    ["/a?b?c", "", "/a", "b?c"],
    ["/a?/../x", "", "/a", "/../x"],
    ["/?", "", "/", ""],
    ["//h/a", "", "//h/a", ""],
    ["/http://h/", "", "/http://h/", ""],
    ["http://h", "h", "", ""],
    ["http://h/", "h", "/", ""],
    ["http://h?q", "h", "", "q"],
    ["http://h:80/a?q", "h:80", "/a", "q"],
    ["HTTPS://h/a", "h", "/a", ""],
    ["http://[::1]:80/a", "[::1]:80", "/a", ""],
    ["http://a@b/c", "a@b", "/c", ""],
  ];
  for (const [target, authority, path, query] of targets) {
    test(target, () => expect(view(target)).toEqual({ authority, path, query }));
  }

  for (const target of [
    "*",
    "a",
    "a/b",
    "http:/h",
    "http://",
    "http:///a",
    "http://?q",
    "https://",
    "ftp://h/",
    "?q",
    "h:80",
    "\\a",
  ]) {
    test(`refused: ${target}`, () => expect(kindOf(() => split(target))).toBe("bad_target"));
  }
});

describe("normalizePath", () => {
  const paths: [target: string, path: string][] = [
    ["/", "/"],
    ["/?", "/"],
    ["/a/b.c", "/a/b.c"],
    ["/a/", "/a/"],
    ["//a/./b/../c%20d%2Fe%3Fq", "/a/c d/e?q"],
    ["//", "/"],
    ["///", "/"],
    ["/a//", "/a/"],
    ["/a///b", "/a/b"],
    ["/.", "/"],
    ["/./", "/"],
    ["/a/.", "/a/"],
    ["/a/./", "/a/"],
    ["/a/..", "/"],
    ["/a/../", "/"],
    ["/a/b/..", "/a/"],
    ["/a/b/../", "/a/"],
    ["/a/b/../..", "/"],
    ["/a/b/../../c", "/c"],
    ["/a//../b", "/b"],
    ["/...", "/..."],
    ["/a/...", "/a/..."],
    ["/..a", "/..a"],
    ["/a..", "/a.."],
    ["/a/..b/", "/a/..b/"],
    ["/.hidden", "/.hidden"],
    ["/a.", "/a."],
    ["/%41", "/A"],
    ["/%2541", "/%41"],
    ["/%252e%252e/x", "/%2e%2e/x"],
    ["/a%2F%2Fb", "/a/b"],
    ["/a/%2e%2e/b", "/b"],
    ["/a/%2E/b", "/a/b"],
    ["/a%2F..%2Fb", "/b"],
    ["/%c3%A9", "/\xc3\xa9"],
    ["/\xc3\xa9", "/\xc3\xa9"],
    ["/%ff", "/\xff"],
    ["/%0d%0a", "/\r\n"],
    ["/a+b", "/a+b"],
    ["/a;b=c", "/a;b=c"],
    ["/a\\..\\b", "/a\\..\\b"],
    ["/a%5c..%5cb", "/a\\..\\b"],
    ["/%3F%23", "/?#"],
    ["http://h", "/"],
    ["http://h?a", "/"],
    ["http://h//a/../b", "/b"],
  ];
  for (const [target, path] of paths) {
    test(`${target} -> ${JSON.stringify(path)}`, () => expect(normalize(target)).toBe(path));
  }

  const above = [
    "/..",
    "/../x",
    "/../",
    "/a/../..",
    "/a/../../b",
    "//../x",
    "/./../x",
    "/%2e%2e/x",
    "/%2E%2e",
    "/.%2e/x",
    "/%2e./x",
    "/a/%2e%2e/%2e%2e/x",
    "/a%2f..%2f..%2fx",
    "/%2f../x",
    "http://h/../x",
  ];
  for (const target of above) {
    test(`refused, above the root: ${target}`, () =>
      expect(kindOf(() => normalize(target))).toBe("bad_target"));
  }

  for (const target of [
    "/%00",
    "/a%00.html",
    "/%zz",
    "/%",
    "/%4",
    "/%4?1",
    "/a%",
    "/%%41",
    "/%4g",
    "/%g4",
    "/%u0041",
    "/% 1",
    "/%\xb9\xb9",
  ]) {
    test(`refused, a bad escape: ${target}`, () =>
      expect(kindOf(() => normalize(target))).toBe("bad_target"));
  }

  const unmerged: [target: string, path: string][] = [
    ["//a", "//a"],
    ["/a//b", "/a//b"],
    ["/a//", "/a//"],
    ["//", "//"],
    ["/a//../b", "/b"],
    ["/a/.//b", "/a//b"],
    ["/a%2F/b", "/a//b"],
  ];
  for (const [target, path] of unmerged) {
    test(`slashes kept: ${target} -> ${path}`, () => expect(normalize(target, false)).toBe(path));
  }

  for (const target of ["/..", "/a/../..", "/%2e%2e/", "//../.."]) {
    test(`slashes kept, refused: ${target}`, () =>
      expect(kindOf(() => normalize(target, false))).toBe("bad_target"));
  }

  test("a long path of dot segments takes time in proportion to its length", () => {
    const started = performance.now();
    for (let round = 0; round < 50; round++) expect(normalize(`/a${"/b/..".repeat(1600)}`)).toBe("/a/");
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe("readHost", () => {
  const host = (text: string) => {
    const bytes = Buffer.from(`x${text}.:9]`, "latin1");
    return readHost(bytes, 1, 1 + Buffer.byteLength(text, "latin1"));
  };
  const hosts: [text: string, name: string][] = [
    ["example.com", "example.com"],
    ["EXAMPLE.Com", "example.com"],
    ["example.com.", "example.com"],
    ["example.com.:8080", "example.com"],
    ["example.com:8080", "example.com"],
    ["example.com:", "example.com"],
    ["h", "h"],
    ["a_b", "a_b"],
    ["a!$&'()*+;=~%41", "a!$&'()*+;=~%41"],
    ["127.0.0.1:80", "127.0.0.1"],
    ["[::1]", "[::1]"],
    ["[::1]:80", "[::1]"],
    ["[FD00::A]", "[fd00::a]"],
    ["[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]"],
    ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ];
  for (const [text, name] of hosts) test(`${text} -> ${name}`, () => expect(host(text)).toBe(name));

  const bad = [
    "",
    ".",
    ":80",
    "..",
    "a..b",
    "a..",
    "a@b",
    "a b",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "a:b",
    "a:80:80",
    "a:+80",
    "a: 80",
    "a:800000",
    "a:80a",
    "[",
    "[]",
    "[::1",
    "::1",
    "[::1]x",
    "[::1].",
    "[::1]]",
    "[g::]",
    "[::1%25eth0]",
    "a[b]",
    "<a>",
    'a"b',
    "a\tb",
    "a\0b",
    "\xe9",
  ];
  for (const text of bad) {
    test(`refused: ${JSON.stringify(text)}`, () => expect(kindOf(() => host(text))).toBe("bad_host"));
  }
});
