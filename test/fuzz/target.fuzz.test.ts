/**
 * Fuzzes targets: a path comes out normalized or the target is refused; the short way for simple paths and the long one agree; and
 * normalizing what came out changes nothing.
 */

import { expect, test } from "bun:test";
import { ProtocolError } from "../../src/http1/protocol-error.ts";
import { normalizePath, readHost, splitTarget, type TargetParts } from "../../src/http1/target.ts";
import { fuzz, fuzzTimeoutMs } from "./fuzz.ts";

test(
  "targets",
  () => {
    fuzz("target", (input, random) => {
      const target = Buffer.from(input.filter((byte) => byte > 0x20 && byte !== 0x7f && byte !== 0x23));
      const mergeSlashes = random.below(4) > 0;
      const path = orRefused(() => normalize(target, mergeSlashes));
      if (path === undefined) return;
      expectNormal(path, mergeSlashes);
      expect(normalize(encodeAll(path), mergeSlashes)).toBe(path);
    });
  },
  fuzzTimeoutMs,
);

function normalize(target: Buffer, mergeSlashes: boolean): string {
  const parts = {} as TargetParts;
  splitTarget(target, 0, target.length, parts);
  const { authorityFrom, authorityTo, pathFrom, pathTo, queryFrom, queryTo } = parts;
  expect([authorityFrom, authorityTo, pathFrom, pathTo, queryFrom, queryTo]).toEqual(
    [authorityFrom, authorityTo, pathFrom, pathTo, queryFrom, target.length].sort((a, b) => a - b),
  );
  if (authorityFrom < authorityTo) checkHost(target, authorityFrom, authorityTo);
  const path = normalizePath(target, parts, mergeSlashes);
  if (!parts.complex) expect(normalizePath(target, { ...parts, complex: true }, mergeSlashes)).toBe(path);
  return path;
}

function checkHost(bytes: Buffer, from: number, to: number): void {
  const host = readHost(bytes, from, to);
  expect(host).toMatch(/^(\[[0-9a-f:.]+\]|[^A-Z:@/?[\]\\]+[^A-Z:@/?[\]\\.])$|^[^A-Z:@/?[\]\\.]$/);
  expect(readHost(Buffer.from(host, "latin1"), 0, host.length)).toBe(host);
}

function expectNormal(path: string, mergeSlashes: boolean): void {
  expect(path[0]).toBe("/");
  expect(path).not.toContain("\0");
  const segments = path.split("/");
  expect(segments).not.toContain(".");
  expect(segments).not.toContain("..");
  if (mergeSlashes) expect(path).not.toContain("//");
}

function orRefused<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Each byte but the slashes as an escape. */
function encodeAll(path: string): Buffer {
  const escapes = Array.from(Buffer.from(path, "latin1"), (byte) =>
    byte === 0x2f ? "/" : `%${byte.toString(16).padStart(2, "0")}`,
  );
  return Buffer.from(escapes.join(""));
}
