/** Proves: dates are written in the one allowed form, read in all three, and refused when they are not dates. */
import { describe, expect, test } from "bun:test";
import { formatHttpDate, parseHttpDate } from "./http-date.ts";

const MOMENT = Date.UTC(1994, 10, 6, 8, 49, 37);

describe("HTTP dates", () => {
  test("are written as IMF-fixdate, the fraction cut off", () => {
    expect(formatHttpDate(MOMENT + 999)).toBe("Sun, 06 Nov 1994 08:49:37 GMT");
  });

  test.each(["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])(
    "are read as %s",
    (text) => {
      expect(parseHttpDate(text)).toBe(MOMENT);
    },
  );

  test("take two digits for 1970 to 2069", () => {
    expect(parseHttpDate("Sunday, 06-Nov-69 08:49:37 GMT")).toBe(Date.UTC(2069, 10, 6, 8, 49, 37));
    expect(parseHttpDate("Sunday, 06-Nov-70 08:49:37 GMT")).toBe(Date.UTC(1970, 10, 6, 8, 49, 37));
  });

  test.each([
    "",
    "yesterday",
    "1994-11-06T08:49:37Z",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 06 Nov 1994 08:49:37 GMT, x",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
  ])("are refused as %j", (text) => {
    expect(parseHttpDate(text)).toBeUndefined();
  });
});
