/** Proves: Range fields are read as RFC 9110 section 14 says, and what they can cost is bounded. */
import { describe, expect, test } from "bun:test";
import { parseByteRanges } from "./byte-ranges.ts";

function parse(value: string, size = 10, maxRanges = 3) {
  const result = parseByteRanges(value, size, maxRanges);
  return typeof result === "string" ? result : result.map(({ first, last }) => `${first}-${last}`).join(" ");
}

describe("ranges of 10 bytes, at most 3", () => {
  test.each([
    ["bytes=0-1", "0-1"],
    ["BYTES=0-1", "0-1"],
    ["bytes= 0-1 , 3-3", "0-1 3-3"],
    ["bytes=0-1,,3-3,", "0-1 3-3"],
    ["bytes=5-", "5-9"],
    ["bytes=0-", "0-9"],
    ["bytes=9-9", "9-9"],
    ["bytes=8-100", "8-9"],
    ["bytes=8-99999999999999999999999999", "8-9"],
    ["bytes=-3", "7-9"],
    ["bytes=-100", "0-9"],
    ["bytes=20-30,1-2", "1-2"],
    ["bytes=5-6,0-1", "5-6 0-1"],
  ])("%s: %s", (value, result) => {
    expect(parse(value)).toBe(result);
  });

  test.each(["bytes=10-", "bytes=20-30", "bytes=-0", "bytes=99999999999999999999-"])("%s: 416", (value) => {
    expect(parse(value)).toBe("unsatisfiable");
  });

  test.each([
    "bytes=",
    "bytes=,",
    "bytes=abc",
    "bytes=-",
    "bytes=5-2",
    "bytes=1",
    "bytes=+1-2",
    "bytes=1-2-3",
    "bytes=0-1,x",
  ])("%s cannot be read: 416", (value) => {
    expect(parse(value)).toBe("unsatisfiable");
  });

  test.each(["items=0-1", "0-1", "", "bytes"])("%j is another unit: ignored", (value) => {
    expect(parse(value)).toBe("ignore");
  });

  test("more ranges than allowed are ignored, also when they lie outside", () => {
    expect(parse("bytes=0-0,2-2,4-4")).toBe("0-0 2-2 4-4");
    expect(parse("bytes=0-0,2-2,4-4,6-6")).toBe("ignore");
    expect(parse("bytes=20-,21-,22-,23-")).toBe("ignore");
  });

  test("ranges that add up to more than the whole are ignored", () => {
    expect(parse("bytes=0-4,5-9")).toBe("0-4 5-9");
    expect(parse("bytes=0-9,0-0")).toBe("ignore");
    expect(parse("bytes=0-,0-,0-")).toBe("ignore");
  });

  test("an empty file is sent whole", () => {
    expect(parse("bytes=0-", 0)).toBe("ignore");
    expect(parse("bytes=-5", 0)).toBe("ignore");
  });
});
