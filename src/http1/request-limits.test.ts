/** Proves the limits of a request head to the byte, whole and byte by byte, and that no byte of a large head is lost on the way. */

import { describe, expect, test } from "bun:test";
import { everyByte, latin1, run } from "../../test/incremental-reader.ts";
import { type RequestHeadView, requestHead } from "../../test/request-head-view.ts";
import { maxTargetBytes, REQUEST_LIMITS } from "./request-head.ts";

const head = (...lines: string[]) => latin1(`${lines.join("\r\n")}\r\n\r\n`);
const withField = (...lines: string[]) => head("POST / HTTP/1.1", "Host: h", ...lines);

describe("limits", () => {
  const limits = REQUEST_LIMITS;
  const failureFast = (wire: Uint8Array) => {
    const whole = run(requestHead, [wire]).failure;
    expect(run(requestHead, everyByte(wire)).failure).toBe(whole);
    return whole;
  };

  test("the limits are those of the wire rules", () => {
    expect(maxTargetBytes).toBe(8192);
    expect(limits).toMatchObject({ maxFieldLineBytes: 8192, maxHeadBytes: 32_768, maxFields: 1000 });
  });

  test("a target of the longest length passes, one more byte is refused", () => {
    const target = `/${"a".repeat(maxTargetBytes - 1)}`;
    expect(failureFast(head(`GET ${target} HTTP/1.1`))).toBeNull();
    expect(failureFast(head(`GET ${target}a HTTP/1.1`))).toBe("target_too_long");
  });

  test("a target without end is refused before its line ends", () => {
    expect(failureFast(latin1(`GET /${"a".repeat(maxTargetBytes + 100)}`))).toBe("target_too_long");
  });

  test("a field line of the longest length passes, a longer one is refused", () => {
    const line = `A: ${"b".repeat(limits.maxFieldLineBytes - 5)}`;
    expect(failureFast(withField(line))).toBeNull();
    expect(failureFast(withField(`${line}bbb`))).toBe("field_line_too_long");
  });

  test("a field line without end is refused before its line ends", () => {
    expect(failureFast(latin1(`GET / HTTP/1.1\r\nA: ${"b".repeat(9000)}`))).toBe("field_line_too_long");
    expect(failureFast(latin1(`GET / HTTP/1.1\r\n${"b".repeat(9000)}`))).toBe("field_line_too_long");
  });

  const headOf = (size: number) => {
    const line = `A: ${"b".repeat(1000 - 5)}\r\n`;
    const start = "GET / HTTP/1.1\r\n";
    const lines = line.repeat(Math.floor((size - start.length - 4 - 2) / line.length));
    const rest = size - start.length - lines.length - 4 - 2;
    return `${start}${lines}B:${"c".repeat(rest)}\r\n\r\n`;
  };

  test("a head of the greatest size passes, a greater one is refused", () => {
    expect(headOf(limits.maxHeadBytes).length).toBe(limits.maxHeadBytes);
    expect(failureFast(latin1(headOf(limits.maxHeadBytes)))).toBeNull();
    expect(failureFast(latin1(headOf(limits.maxHeadBytes + 2)))).toBe("head_too_large");
    expect(failureFast(latin1(headOf(3 * limits.maxHeadBytes)))).toBe("head_too_large");
  });

  test("no byte of a large head is lost when its first bytes came apart from the rest", () => {
    for (const size of [-40, -4, -3, -2, -1, 0, 1, 2, 3, 4, 40].map((more) => limits.maxHeadBytes + more)) {
      const wire = latin1(`\r\n${headOf(size)}GET /next`);
      const whole = run(requestHead, [wire]);
      for (const cut of [1, 2, 3, 20]) {
        const pieces = [wire.subarray(0, cut), wire.subarray(cut)];
        expect(run(requestHead, pieces)).toEqual(whole);
        const late = wire.length - 12;
        const three = [wire.subarray(0, cut), wire.subarray(cut, late), wire.subarray(late)];
        expect(run(requestHead, three)).toEqual(whole);
      }
    }
  });

  test("1000 fields pass, one more is refused", () => {
    const fields = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: ${i}`);
    const most = head("GET / HTTP/1.1", ...fields(limits.maxFields));
    expect(failureFast(most)).toBeNull();
    expect((run(requestHead, [most]).seen as RequestHeadView).fields).toEqual(fields(1000));
    expect(failureFast(head("GET / HTTP/1.1", ...fields(limits.maxFields + 1)))).toBe("too_many_fields");
  });

  test("a head that comes byte by byte costs time in proportion to its size", () => {
    const elapsed = (wire: Uint8Array) => {
      const started = performance.now();
      run(requestHead, everyByte(wire));
      return performance.now() - started;
    };
    const small = latin1(headOf(4000));
    const large = latin1(headOf(32_000));
    const fastest = (wire: Uint8Array) => Math.min(...Array.from({ length: 5 }, () => elapsed(wire)));
    fastest(large);
    // Eight times the bytes: linear gives 8, quadratic 64.
    expect(fastest(large) / fastest(small)).toBeLessThan(32);
  });
});
