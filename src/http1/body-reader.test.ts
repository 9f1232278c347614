/** Proves when a chunked body is known to be whole before any of it is read. */
import { expect, test } from "bun:test";
import { BodyReader } from "./body-reader.ts";

function isWhole(text: string, maxBytes = 100, length = -1): boolean {
  const body = new BodyReader();
  body.begin(length);
  return body.isWholeIn(Buffer.from(`..${text}`), 2, maxBytes);
}

test.each([
  ["5\r\nhello\r\n0\r\n\r\n", true],
  ["0\r\n\r\nGET /next", true],
  ["5\r\nhello\r\n0\r\n", false],
  ["5\r\nhel", false],
  ["", false],
  ["5\r\nhello!\r\n0\r\n\r\n", false],
])("%j: %p", (text, want) => {
  expect(isWhole(text)).toBe(want);
});

test("is not whole beyond the bound, and no longer known once reading has begun", () => {
  const text = "5\r\nhello\r\n0\r\n\r\n";
  expect([isWhole(text, text.length), isWhole(text, text.length - 1)]).toEqual([true, false]);
  const body = new BodyReader();
  body.begin(-1);
  const bytes = Buffer.from(text);
  body.read(bytes, 0, 4, { bodyBytes() {} });
  expect(body.isWholeIn(bytes, 4, 100)).toBe(false);
  body.begin(-1);
  expect(body.isWholeIn(bytes, 0, 100)).toBe(true);
});
