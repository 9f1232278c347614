/** Fuzzes the request and response head readers: bytes parse or fail as a protocol error, alike however they are split. */

import { expect, test } from "bun:test";
import { REQUEST_LIMITS } from "../../src/http1/request-head.ts";
import type { Fixture } from "../incremental-reader.ts";
import { type RequestHeadView, requestHead } from "../request-head-view.ts";
import { type ResponseHeadView, responseHead } from "../response-head-view.ts";
import { fuzz, fuzzTimeoutMs } from "./fuzz.ts";
import { expectSameHoweverSplit } from "./splits.ts";

/** A line that is too long in a head that is too large is told as the one or the other, by how the bytes came. */
const tooLarge = new Set(["head_too_large", "field_line_too_long"]);

function withOneKind(fixture: Fixture): Fixture {
  return {
    make: fixture.make,
    kindOf(error) {
      const kind = fixture.kindOf(error);
      return kind !== undefined && tooLarge.has(kind) ? "too large" : kind;
    },
  };
}

const noControls = /^[\t\x20-\x7e\x80-\xff]*$/;

test(
  "request heads",
  () => {
    const fixture = withOneKind(requestHead);
    fuzz("request-head", (input, random) => {
      const { finished, seen, used } = expectSameHoweverSplit(fixture, input, random);
      if (!finished) return;
      expect(used).toBeLessThanOrEqual(REQUEST_LIMITS.maxHeadBytes + 4);
      checkRequest(seen as RequestHeadView);
    });
  },
  fuzzTimeoutMs,
);

test(
  "response heads",
  () => {
    const fixture = withOneKind(responseHead);
    fuzz("response-head", (input, random) => {
      const { finished, seen } = expectSameHoweverSplit(fixture, input, random);
      if (!finished) return;
      const head = seen as ResponseHeadView;
      expect(head.status).toBeWithin(100, 1000);
      expect(head.chunked && head.contentLength >= 0).toBe(false);
      expect(head.reason).toMatch(noControls);
      for (const line of head.fields) expect(line).toMatch(noControls);
    });
  },
  fuzzTimeoutMs,
);

/** What every request that is let through must keep, whatever its bytes were: the framing that any other reader would see. */
function checkRequest(head: RequestHeadView): void {
  expect(head.method).toMatch(/^[A-Z_-]{1,32}$/);
  expect(head.target).toMatch(/^[\x21-\x7e\x80-\xff]+$/);
  for (const line of head.fields) expect(line).toMatch(noControls);
  const values = (name: string) =>
    head.fields
      .filter((line) => line.toLowerCase().startsWith(`${name}: `))
      .map((line) => line.slice(name.length + 2));
  const lengths = values("content-length");
  const codings = values("transfer-encoding");
  expect(lengths.length + codings.length).toBeLessThanOrEqual(1);
  expect(values("host").length).toBeLessThanOrEqual(1);
  expect(head.contentLength).toBe(lengths.length === 0 ? -1 : Number(lengths[0]));
  if (codings.length > 0) expect(codings[0]).toMatch(/^chunked$/i);
  expect(head.transferEncoding).toBe(codings[0] ?? null);
}
