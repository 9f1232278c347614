/** Proves: conditional requests are judged in the order of RFC 9110 section 13.2.2, with strong and weak tags apart. */
import { describe, expect, test } from "bun:test";
import { evaluateConditions, rangeApplies } from "./preconditions.ts";

const LAST_MODIFIED = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER = "Sun, 06 Nov 1994 08:49:38 GMT";
const CURRENT = {
  etag: '"a-1"',
  lastModified: LAST_MODIFIED,
  lastModifiedMs: Date.UTC(1994, 10, 6, 8, 49, 37),
};

function request(fields: Record<string, string>) {
  return { field: (name: string) => fields[name] };
}

function evaluate(fields: Record<string, string>) {
  return evaluateConditions(request(fields), CURRENT);
}

describe("If-Match", () => {
  test.each([
    ["*", "proceed"],
    ['"a-1"', "proceed"],
    ['"x", "a-1"', "proceed"],
    ['"x","a-1","y"', "proceed"],
    ['W/"a-1"', "failed"],
    ['"x"', "failed"],
    ['"a-1', "failed"],
    ["a-1", "failed"],
    ["", "failed"],
  ] as const)("%s: %s", (value, result) => {
    expect(evaluate({ "if-match": value })).toBe(result);
  });

  test("silences If-Unmodified-Since", () => {
    expect(evaluate({ "if-match": '"a-1"', "if-unmodified-since": EARLIER })).toBe("proceed");
  });

  test("comes before If-None-Match", () => {
    expect(evaluate({ "if-match": '"x"', "if-none-match": '"a-1"' })).toBe("failed");
    expect(evaluate({ "if-match": '"a-1"', "if-none-match": '"a-1"' })).toBe("not-modified");
  });
});

describe("If-Unmodified-Since", () => {
  test.each([
    [LAST_MODIFIED, "proceed"],
    [LATER, "proceed"],
    [EARLIER, "failed"],
    ["not a date", "proceed"],
  ] as const)("%s: %s", (value, result) => {
    expect(evaluate({ "if-unmodified-since": value })).toBe(result);
  });
});

describe("If-None-Match", () => {
  test.each([
    ["*", "not-modified"],
    ['"a-1"', "not-modified"],
    ['W/"a-1"', "not-modified"],
    ['"x", W/"a-1"', "not-modified"],
    ['"with, comma", "a-1"', "not-modified"],
    ['"A-1"', "proceed"],
    ['"a-1-br"', "proceed"],
    ["a-1", "proceed"],
  ] as const)("%s: %s", (value, result) => {
    expect(evaluate({ "if-none-match": value })).toBe(result);
  });

  test("silences If-Modified-Since", () => {
    expect(evaluate({ "if-none-match": '"x"', "if-modified-since": LATER })).toBe("proceed");
  });
});

describe("If-Modified-Since", () => {
  test.each([
    [LAST_MODIFIED, "not-modified"],
    [LATER, "not-modified"],
    ["Sun Nov  6 08:49:37 1994", "not-modified"],
    [EARLIER, "proceed"],
    ["not a date", "proceed"],
  ] as const)("%s: %s", (value, result) => {
    expect(evaluate({ "if-modified-since": value })).toBe(result);
  });
});

describe("If-Range", () => {
  test.each([
    ['"a-1"', true],
    ['W/"a-1"', false],
    ['"x"', false],
    [LAST_MODIFIED, true],
    ["Sunday, 06-Nov-94 08:49:37 GMT", true],
    [LATER, false],
    ["not a date", false],
  ] as const)("%s: %s", (value, result) => {
    expect(rangeApplies(request({ "if-range": value }), CURRENT)).toBe(result);
  });

  test("absent: the range applies", () => {
    expect(rangeApplies(request({}), CURRENT)).toBe(true);
  });
});
