/** Proves the small values: durations, sizes, paths, host names and socket addresses, good and bad. */
import { expect, test } from "bun:test";
import { canonicalIp, endpointAddress, socketAddress } from "./address.ts";
import { durationMs } from "./duration.ts";
import { HOSTNAME_PATTERN, hostnameFault } from "./hostname.ts";
import { parsePath } from "./path.ts";
import { fieldPath } from "./problem.ts";
import { quantityBytes } from "./quantity.ts";

test.each([
  ["0s", 0],
  ["500ms", 500],
  ["1m30s", 90_000],
  ["1h1m1s1ms", 3_661_001],
  ["10m", 600_000],
  ["", undefined],
  ["10", undefined],
  ["1.5s", undefined],
  ["-1s", undefined],
  ["1d", undefined],
  ["123456s", undefined],
  ["1s1s1s1s1s", undefined],
])("duration %p is %p ms", (text, ms) => {
  expect(durationMs(text)).toBe(ms);
});

test.each([
  [0, 0],
  [4096, 4096],
  ["4096", 4096],
  ["1k", 1000],
  ["1Ki", 1024],
  ["1.5Gi", 1.5 * 2 ** 30],
  ["10M", 10_000_000],
  ["2Ti", 2 ** 41],
])("size %p is %p bytes", (text, bytes) => {
  expect(quantityBytes(text)).toEqual({ bytes });
});

test.each([
  ["1m", '"m" stands for thousandths in Kubernetes: for mebibytes write "1Mi"'],
  ["0.5", '"0.5" is not a whole number of bytes'],
  ["99999999T", '"99999999T" is not a whole number of bytes'],
  ["1X", '"1X" is not a whole number of bytes'],
  ["x", '"x" is not a whole number of bytes'],
])("size %p is refused", (text, message) => {
  expect(quantityBytes(text)).toEqual({ message });
});

test.each([
  ["/", ""],
  ["/static/", "/static"],
  ["/static", "/static"],
  ["/caf%C3%A9", "/café"],
  ["/a%20b", "/a b"],
  ["/café", "/café"],
  ["/.well-known", "/.well-known"],
])("prefix %p matches %p", (text, value) => {
  expect(parsePath("prefix", text)).toEqual({ path: { type: "prefix", value } });
});

test("an exact path keeps its slash", () => {
  expect(parsePath("exact", "/a/")).toEqual({ path: { type: "exact", value: "/a/" } });
  expect(parsePath("exact", "/")).toEqual({ path: { type: "exact", value: "/" } });
});

test.each([
  "",
  "a",
  "/a?b",
  "/a#b",
  "/a b",
  "/a\0",
  "/%2f",
  "/%00",
  "/%zz",
  "/%C3",
  "//",
  "/a/../b",
  "/a/.",
  "/%2e%2e/a",
])("path %p is refused", (text) => {
  expect(parsePath("prefix", text)).toHaveProperty("message");
});

test.each(["example.com", "*.example.com", "localhost", "a-b.c", "xn--bcher-kva.example"])(
  "host %p is a host name",
  (host) => {
    expect(HOSTNAME_PATTERN.test(host)).toBe(true);
    expect(hostnameFault(host)).toBeUndefined();
  },
);

test.each([
  "Example.com",
  "example.com.",
  "example.com:80",
  "*",
  "*.",
  "a.*.b",
  "-a.b",
  "a_b",
  "[::1]",
  "a..b",
])("host %p is none", (host) => {
  expect(HOSTNAME_PATTERN.test(host)).toBe(false);
});

test("addresses and labels that are too long are no hosts", () => {
  expect(hostnameFault("10.0.0.1")).toContain("must not be an IP address");
  expect(hostnameFault(`${"a".repeat(64)}.com`)).toContain("longer than 63");
});

test.each([
  ["unix:/run/uwsgi/app.sock", "unix:/run/uwsgi/app.sock"],
  ["127.0.0.1:29000", "127.0.0.1:29000"],
  ["localhost:29000", "127.0.0.1:29000"],
  ["[FD00:0:0::1]:1", "[fd00::1]:1"],
])("socket %p is %p", (text, address) => {
  expect(socketAddress(text)).toEqual({ address });
});

test.each([
  "unix:run/app.sock",
  "unix:/a\0b",
  `unix:/${"a".repeat(107)}`,
  "127.0.0.1",
  "127.0.0.1:0",
  "127.0.0.1:65536",
])("socket %p is refused", (text) => {
  expect(socketAddress(text)).toHaveProperty("message");
});

test.each(["app.example.com:1", "10.1:1", "010.0.0.1:1", "[::g]:1", "::1:1"])(
  "socket host %p is refused",
  (text) => {
    expect(socketAddress(text)).toHaveProperty("message");
  },
);

test("one address has one spelling", () => {
  expect(canonicalIp("FD00:0:0:0:0:0:0:1")).toBe("fd00::1");
  expect(canonicalIp("10.0.0.256")).toBeUndefined();
  expect(endpointAddress("10.0.0.1", 80)).toBe("10.0.0.1:80");
  expect(endpointAddress("fd00::1", 80)).toBe("[fd00::1]:80");
});

test("fields are written as people read them", () => {
  expect(fieldPath(["spec", "rules", 0, "matches"])).toBe("spec.rules[0].matches");
  expect(fieldPath(["metadata", "annotations", "a.b/c"])).toBe("metadata.annotations[a.b/c]");
  expect(fieldPath(["a"], "base")).toBe("base.a");
});
