/** Proves that the benchmark reads wrk's report and the kernel's figures right, and what its ratios are. */
import { describe, expect, test } from "bun:test";
import { cpuUs, processTree, rssBytes } from "./proc.ts";
import { median, medianRatio, quantile } from "./statistics.ts";
import { parseReport } from "./wrk.ts";

describe("wrk's report", () => {
  const report = `Running 3s test @ http://127.0.0.1:12345/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.00ms    1.00ms  20.00ms   90.00%
    Req/Sec    10.00k     1.00k   12.00k    80.00%
  Latency Distribution
     50%  980.00us
     75%    3.10ms
     90%    4.00ms
     99%    1.05s
  30123 requests in 3.01s, 3.70MB read
  Socket errors: connect 0, read 2, write 0, timeout 1
  Non-2xx or 3xx responses: 4
Requests/sec:  10007.64
Transfer/sec:      1.23MB
`;

  test("is read in full", () => {
    expect(parseReport(report)).toEqual({
      requests: 30123,
      requestsPerSecond: 10007.64,
      p50Ms: 0.98,
      p99Ms: 1050,
      errors: 7,
    });
  });

  test("of a run without an answer is an error", () => {
    expect(() => parseReport("0 requests in 3.00s")).toThrow("wrk had no answer");
  });
});

describe("the kernel's figures", () => {
  test("time and memory of this very process", () => {
    const end = performance.now() + 60;
    const before = cpuUs([process.pid]);
    while (performance.now() < end);
    expect(cpuUs([process.pid]) - before).toBeGreaterThanOrEqual(20_000);
    expect(rssBytes([process.pid])).toBeGreaterThan(10_000_000);
  });

  test("a process's children belong to it", () => {
    const child = Bun.spawn(["sleep", "10"]);
    expect(processTree(process.pid)).toContain(child.pid);
    expect(processTree(child.pid)).toEqual([child.pid]);
    child.kill();
  });
});

test("medians of ratios, round by round", () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  // A machine that got twice as slow in the last rounds does not change what the ratio is.
  expect(medianRatio([11, 22, 22], [10, 20, 20])).toBeCloseTo(1.1);
});

test("quantiles are values that were measured", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)]).toEqual([50, 99, 100]);
  expect(quantile([7], 0.99)).toBe(7);
});
