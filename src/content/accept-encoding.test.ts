/** Proves: the stored variant is chosen by the client's weights, and a refused one is never sent. */
import { describe, expect, test } from "bun:test";
import { chooseEncoding, PLAIN_ONLY, parseAcceptEncoding } from "./accept-encoding.ts";

function choose(value: string, hasBr = true, hasGzip = true) {
  return chooseEncoding(parseAcceptEncoding(value), hasBr, hasGzip);
}

describe("with both variants", () => {
  test.each([
    ["gzip, deflate, br, zstd", "br"],
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["GZIP", "gzip"],
    ["br;q=0.5, gzip;q=0.8", "gzip"],
    ["br;q=0.5,gzip;q=0.5", "br"],
    ["gzip ; q=0.5", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["br;q=0.0, gzip;q=0.000", "identity"],
    ["*", "br"],
    ["*;q=0", "identity"],
    ["br;q=0, *", "gzip"],
    ["identity, gzip;q=0.5", "identity"],
    ["identity;q=0.5, gzip;q=0.5", "gzip"],
    ["identity;q=0", "identity"],
    ["identity, *;q=0.5", "identity"],
    ["", "identity"],
    ["deflate", "identity"],
    ["br;q=2", "identity"],
    ["br;q=x, gzip", "gzip"],
    ["gzip;q=0.001", "gzip"],
  ])("%j: %s", (value, encoding) => {
    expect(choose(value)).toBe(encoding as ReturnType<typeof choose>);
  });
});

test("only what exists is chosen", () => {
  expect(choose("br, gzip", false, true)).toBe("gzip");
  expect(choose("br, gzip", true, false)).toBe("br");
  expect(choose("br, gzip", false, false)).toBe("identity");
});

test("without the field, the plain file", () => {
  expect(chooseEncoding(PLAIN_ONLY, true, true)).toBe("identity");
});
