// Proves: both forms of an access line, with hostile bytes in every client-written field; sampling; the length
// bound; that a line costs about a microsecond.
import { describe, expect, test } from "bun:test";
import { type AccessRecord, createAccessLog, renderCombined, renderJson } from "./access-log.ts";
import { LineSink, MAX_ATOMIC_BYTES } from "./line-sink.ts";

const record: AccessRecord = {
  timeMs: Date.UTC(2026, 10, 3, 4, 5, 6, 789),
  requestId: "0123456789abcdef",
  remoteAddress: "10.1.2.3",
  host: "shop.example.com",
  method: "GET",
  target: "/cart?id=1",
  protocol: "HTTP/1.1",
  userAgent: "curl/8.0",
  referer: "https://example.com/",
  status: 200,
  bytesIn: 0,
  bytesOut: 512,
  route: "UwsgiRoute/web/shop/0",
  endpoint: "unix:/run/app.sock",
  totalMs: 12.3456,
  connectMs: 0.05,
  firstByteMs: 11,
  retries: 0,
  error: "",
};

const everyByte = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");

function collect(): { sink: LineSink; lines: string[] } {
  const lines: string[] = [];
  const sink = new LineSink({ fd: -1, immediate: false }, () => {});
  sink.write = (line) => lines.push(line);
  return { sink, lines };
}

describe("JSON", () => {
  test("a plain request", () => {
    expect(JSON.parse(renderJson(record))).toEqual({
      level: 30,
      time: record.timeMs,
      msg: "request",
      requestId: "0123456789abcdef",
      remoteAddr: "10.1.2.3",
      host: "shop.example.com",
      method: "GET",
      target: "/cart?id=1",
      protocol: "HTTP/1.1",
      status: 200,
      bytesIn: 0,
      bytesOut: 512,
      route: "UwsgiRoute/web/shop/0",
      endpoint: "unix:/run/app.sock",
      totalMs: 12.346,
      connectMs: 0.05,
      firstByteMs: 11,
      userAgent: "curl/8.0",
      referer: "https://example.com/",
    });
  });

  test("what was never known is absent; retries and the error kind come when there are any", () => {
    const failed = JSON.parse(
      renderJson({
        ...record,
        route: "",
        endpoint: "",
        connectMs: -1,
        firstByteMs: -1,
        retries: 2,
        error: "connect_failed",
      }),
    );
    expect(failed).toMatchObject({ retries: 2, error: "connect_failed" });
    for (const field of ["route", "endpoint", "connectMs", "firstByteMs"])
      expect(failed).not.toHaveProperty(field);
  });

  test.each(["requestId", "host", "method", "target", "protocol", "userAgent", "referer"] as const)(
    "hostile bytes in %s come back as they were, on one line of ASCII",
    (field) => {
      const line = renderJson({ ...record, [field]: everyByte });
      expect(line).toMatch(/^[ -~]+\n$/);
      expect(JSON.parse(line)[field]).toBe(everyByte);
    },
  );

  test("times", () => {
    const shown = (totalMs: number) => /"totalMs":([^,]+)/.exec(renderJson({ ...record, totalMs }))![1];
    expect([0, 0.0004, 0.0006, 0.9999, 1.5, 60_000.001, 1e7].map(shown)).toEqual([
      ...["0", "0", "0.001", "1", "1.500", "60000.001", "10000000"],
    ]);
  });
});

describe("combined", () => {
  test("as NGINX writes it", () => {
    expect(renderCombined(record)).toBe(
      '10.1.2.3 - - [03/Nov/2026:04:05:06 +0000] "GET /cart?id=1 HTTP/1.1" 200 512 "https://example.com/" "curl/8.0"\n',
    );
  });

  test("absent fields are dashes; an unreadable request too", () => {
    const unread = {
      ...record,
      method: "",
      target: "",
      protocol: "",
      userAgent: "",
      referer: "",
      status: 400,
    };
    expect(renderCombined(unread)).toBe('10.1.2.3 - - [03/Nov/2026:04:05:06 +0000] "-" 400 512 "-" "-"\n');
  });

  test("hostile bytes", () => {
    const line = renderCombined({ ...record, target: '/"\\\n\xff', userAgent: everyByte });
    expect(line).toMatch(/^[ -~]+\n$/);
    expect(line).toContain('"GET /\\x22\\x5C\\x0A\\xFF HTTP/1.1"');
    expect(line.match(/"/g)!.length).toBe(6);
  });
});

describe("createAccessLog", () => {
  test("a line is never longer than one atomic write, however the bytes escape", () => {
    const { sink, lines } = collect();
    for (const format of ["json", "combined"] as const) {
      const log = createAccessLog(format, 1, Math.random, sink);
      for (const byte of ["a", '"', "\xff", "\0"]) {
        const long = byte.repeat(8192);
        log.write({ ...record, target: long, host: long, method: long, userAgent: long, referer: long });
      }
      log.write({ ...record, target: "t".repeat(3000) });
    }
    expect(lines.length).toBe(10);
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(MAX_ATOMIC_BYTES);
      if (line.startsWith("{")) expect(JSON.parse(line).status).toBe(200);
    }
    expect(JSON.parse(lines[0]!).target).toEndWith("a...");
    expect(JSON.parse(lines[4]!).target).toBe("t".repeat(3000));
  });

  test("off, all and sampled", () => {
    const count = (share: number) => {
      const { sink, lines } = collect();
      let turn = 0;
      const log = createAccessLog("json", share, () => (turn++ % 100) / 100, sink);
      for (let n = 0; n < 1000; n++) if (log.wants()) log.write(record);
      return lines.length;
    };
    expect([0, 0.01, 0.5, 1].map(count)).toEqual([0, 10, 500, 1000]);
  });

  test("costs little", () => {
    const sink = new LineSink({ fd: -1, immediate: true }, () => {});
    const log = createAccessLog("json", 1, Math.random, sink);
    const run = (lines: number) => {
      const begun = performance.now();
      for (let n = 0; n < lines; n++) {
        record.totalMs = n / 1000;
        log.write(record);
      }
      return ((performance.now() - begun) * 1000) / lines;
    };
    run(20_000);
    const microseconds = Math.min(run(20_000), run(20_000), run(20_000));
    console.log(`access line: ${microseconds.toFixed(2)} µs`);
    // Well under 1 on an idle machine; loose, so that a busy one does not fail.
    expect(microseconds).toBeLessThan(10);
  });
});
