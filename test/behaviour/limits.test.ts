/**
 * Proves the bounds on requests (sections 1 and 4 of the wire rules), each exactly at its edge and one above: header line, head, number of
 * headers, target, body, and what uWSGI itself can take. NGINX beside it has the same limits where it has them at all.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rawExchange, stopAll, waitUntil } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { metric } from "./routes.ts";
import { type Case, get, HOST, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const KIB = 1024;
const MIB = KIB * KIB;
const REACHES = { status: 200, app: 1 } as const;
const tooLarge = (status: number) => ({ status, app: 0, ending: "closed" }) as const;

/** A field line of so many bytes, its line end included. */
const fieldLine = (name: string, bytes: number) => `${name}: ${"v".repeat(bytes - name.length - 4)}`;

describeWith(["uwsgi", "nginx"], "the request head", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({
      uwsgiOptions: ["--buffer-size", "65535", "--max-vars", "2048"],
      server: "large_client_header_buffers 4 8k;",
      rule: { uwsgi: { bufferSize: 65_535, maxVars: 2048 } },
    });
  });

  const target = (bytes: number) => get(`/${"t".repeat(bytes - 1)}`);
  const fields = (count: number) => get("/", ...Array.from({ length: count - 1 }, (_, i) => `X-${i}: v`));
  /** A whole head of so many bytes, in lines that are not too long themselves. */
  const head = (bytes: number) => {
    const lines = ["A", "B", "C"].map((name) => fieldLine(`X-${name}`, 8000));
    const rest = bytes - get("/", ...lines).length;
    return get("/", ...lines, fieldLine("X-D", rest));
  };

  runCases(
    () => pair,
    [
      { name: "a target of 8 KiB less its line's other words", send: target(8 * KIB - 20), same: REACHES },
      {
        name: "a target of 8 KiB",
        send: target(8 * KIB),
        differs: "target-limit",
        nginx: tooLarge(414),
        gateway: REACHES,
      },
      { name: "a target of 8 KiB and a byte", send: target(8 * KIB + 1), same: tooLarge(414) },
      { name: "a target of 64 KiB", send: target(64 * KIB), same: tooLarge(414) },
      { name: "a target without an end", send: `GET /${"t".repeat(20_000)}`, same: tooLarge(414) },
      {
        name: "a header line of 8 KiB less two",
        send: get("/", fieldLine("X-A", 8 * KIB - 2)),
        same: REACHES,
      },
      {
        name: "a header line of 8 KiB and one",
        send: get("/", fieldLine("X-A", 8 * KIB + 2)),
        differs: "too-large-431",
        nginx: tooLarge(400),
        gateway: tooLarge(431),
      },
      {
        name: "a header line without an end",
        send: `GET / HTTP/1.1\r\nHost: ${HOST}\r\nX-A: ${"v".repeat(20_000)}`,
        differs: "too-large-431",
        nginx: tooLarge(400),
        gateway: tooLarge(431),
      },
      { name: "a head of 31 KiB", send: head(31 * KIB), same: REACHES },
      {
        name: "a head of 33 KiB",
        send: get(
          "/",
          ...["A", "B", "C", "D"].map((name) => fieldLine(`X-${name}`, 8100)),
          fieldLine("X-E", 1400),
        ),
        differs: "too-large-431",
        nginx: tooLarge(400),
        gateway: tooLarge(431),
      },
      { name: "1000 headers", send: fields(1000), same: REACHES },
      {
        name: "1001 headers",
        send: fields(1001),
        differs: "too-large-431",
        nginx: tooLarge(400),
        gateway: tooLarge(431),
      },
    ],
  );

  // NGINX counts buffers, so that its own edge depends on how the lines fall into them.
  for (const [bytes, status] of [
    [32 * KIB, 200],
    [32 * KIB + 2, 431],
  ] as const) {
    test(`a head of ${bytes} bytes, in lines that are short enough: ${status}`, async () => {
      const lines = ["A", "B", "C", "D"].map((name) => fieldLine(`X-${name}`, 8000));
      const rest = bytes - get("/", ...lines).length - 2;
      const sent = get("/", ...lines, fieldLine("X-E", rest + 2));
      expect(sent.length).toBe(bytes);
      const { response, ending } = await rawExchange(pair.gateway.port, sent);
      expect([response.status, ending]).toEqual([status, status === 200 ? "open" : "closed"]);
    });
  }
});

describeWith(["uwsgi", "nginx"], "the request body", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({
      server: `
        location /small { client_max_body_size 10; include uwsgi_params; uwsgi_pass UPSTREAM; }
        location /any { client_max_body_size 0; include uwsgi_params; uwsgi_pass UPSTREAM; }`,
      rules: [
        ["/small", "10"],
        ["/any", "0"],
      ].map(([value, maxBodySize]) => ({
        matches: [{ path: { type: "PathPrefix", value } }],
        backendRefs: [{ socket: "UPSTREAM" }],
        request: { maxBodySize },
      })),
    });
  });

  const post = (path: string, fields: readonly string[], body = "") =>
    [`POST ${path} HTTP/1.1`, `Host: ${HOST}`, ...fields, "", body].join("\r\n");
  const announced = (path: string, length: number) => post(path, [`Content-Length: ${length}`]);
  const chunked = (path: string, ...chunks: readonly string[]) =>
    post(
      path,
      ["Transfer-Encoding: chunked"],
      `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`,
    );

  runCases(
    () => pair,
    [
      {
        name: "1 MiB by default",
        send: request("POST", "/", [], "b".repeat(MIB)),
        same: { ...REACHES, appBody: { length: MIB } },
      },

      { name: "at a route's own limit", send: request("POST", "/small", [], "0123456789"), same: REACHES },
      {
        name: "1 MiB and a byte, by default: before any of it is read",
        send: announced("/", MIB + 1),
        differs: "closes-at-once",
        nginx: { status: 413, app: 0, ending: "open" },
        gateway: tooLarge(413),
      },
      {
        name: "one above a route's own limit, all of it sent",
        send: request("POST", "/small", [], "0123456789a"),
        differs: "short-body-dropped",
        nginx: tooLarge(413),
        gateway: { status: 413, app: 0, ending: "open" },
      },
      {
        name: "no limit",
        send: request("POST", "/any", [], "b".repeat(2 * MIB)),
        same: { ...REACHES, appBody: { length: 2 * MIB } },
      },
      {
        name: "chunked, one above in one chunk",
        send: chunked("/small", "0123456789a"),
        same: { status: 413, app: 0, ending: "closed" },
      },
      {
        name: "chunked, one above in the second chunk",
        send: chunked("/small", "01234567", "012"),
        same: { status: 413, app: 0, ending: "closed" },
      },
    ],
  );
});

describeWith(["uwsgi", "nginx"], "what uWSGI can take", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({
      server: "large_client_header_buffers 4 32k;",
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: "/unchecked" } }],
          backendRefs: [{ socket: "UPSTREAM" }],
          uwsgi: { bufferSize: 65_535, maxVars: 2048 },
        },
      ],
    });
  });

  /** The block's bytes beside X-Fill's own value, the same for each request. */
  const fill = (bytes: number) => get("/", fieldLine("X-Fill", bytes));
  const count = (headers: number) => get("/", ...Array.from({ length: headers }, (_, i) => `X-${i}: v`));
  const refusedBy = (rule: "buffer-size-431" | "max-vars-431", name: string, send: string): Case => ({
    name,
    send,
    differs: rule,
    nginx: { status: 502, app: 0 },
    gateway: { status: 431, app: 0 },
  });

  runCases(
    () => pair,
    [
      { name: "3 KiB of headers", send: fill(3 * KIB), same: REACHES },
      refusedBy("buffer-size-431", "5 KiB of headers, over uWSGI's --buffer-size", fill(5 * KIB)),
      refusedBy("max-vars-431", "130 headers, over uWSGI's --max-vars", count(130)),
      {
        name: "a query over --buffer-size",
        send: get(`/?${"q".repeat(5 * KIB)}`),
        differs: "buffer-size-431",
        nginx: { status: 502, app: 0 },
        gateway: { status: 431, app: 0 },
      },
    ],
  );

  /** The first size that is refused, by bisection. */
  async function firstRefused(of: (size: number) => string, status: number, high: number): Promise<number> {
    let passes = 1;
    let refused = high;
    while (refused - passes > 1) {
      const middle = (passes + refused) >> 1;
      const answer = await rawExchange(pair.gateway.port, of(middle), { lingerMs: 0 });
      if (answer.response.status === 200) passes = middle;
      else if (answer.response.status === status) refused = middle;
      else throw new Error(`${answer.response.status} at ${middle}`);
    }
    return refused;
  }
  const edges = [
    ["--buffer-size", (path: string) => (size: number) => get(path, `X-Fill: ${"v".repeat(size)}`), 5000],
    [
      "--max-vars",
      (path: string) => (size: number) => get(path, ...Array.from({ length: size }, (_, i) => `X-${i}: v`)),
      200,
    ],
  ] as const;
  for (const [option, at, high] of edges) {
    test(`${option}: refused from exactly where uWSGI itself would close`, async () => {
      // Both paths are as long, so that both requests are.
      const checked = await firstRefused(at("/checked--"), 431, high);
      const unchecked = await firstRefused(at("/unchecked"), 502, high);
      expect(checked).toBe(unchecked);
    });
  }

  test("each has its own error kind in the access log and the metrics, and a warning that names uWSGI's option", async () => {
    const kinds = [
      ["uwsgi_buffer_size_exceeded", "buffer-size", get("/fill-too-much", fieldLine("X-Fill", 6 * KIB))],
      [
        "uwsgi_max_vars_exceeded",
        "max-vars",
        get("/too-many", ...Array.from({ length: 140 }, (_, i) => `X-${i}: v`)),
      ],
    ] as const;
    for (const [kind, option, send] of kinds) {
      const before = await metric(pair.gateway, "errors_total", `kind="${kind}"`);
      expect((await rawExchange(pair.gateway.port, send)).response.status).toBe(431);
      expect(await metric(pair.gateway, "errors_total", `kind="${kind}"`)).toBe(before + 1);
      const has =
        (...parts: readonly string[]) =>
        () =>
          pair.gateway.lines.find((line) => parts.every((part) => line.includes(part)));
      await waitUntil(
        has('"msg":"request"', `"error":"${kind}"`, '"status":431'),
        pair.gateway.process,
        "access line",
        3000,
      );
      await waitUntil(has('"level":40', option), pair.gateway.process, "warning", 3000);
    }
  });
});

describeWith(["uwsgi", "nginx"], "what the protocol can carry", () => {
  let pair: Pair;
  beforeAll(async () => {
    const params = Object.fromEntries(
      "ABCDEFGHIJ".split("").map((name) => [`PAD_${name}`, "p".repeat(4000)]),
    );
    pair = await startPair({
      scripted: true,
      server: "large_client_header_buffers 4 32k;",
      location: Object.entries(params)
        .map(([name, value]) => `uwsgi_param ${name} ${value};`)
        .join("\n"),
      rule: { uwsgi: { params, bufferSize: 65_535, maxVars: 2048 } },
    });
  });
  const heads = ["A", "B", "C", "D"].map((name) => fieldLine(`X-${name}`, 7900));
  runCases(
    () => pair,
    [
      {
        name: "a block of more than 65535 bytes",
        send: get("/", ...heads),
        reply: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        differs: "block-431",
        nginx: { status: 500, app: 0 },
        gateway: { status: 431, app: 0 },
      },
      {
        name: "a block of some 50000 bytes",
        send: get("/", heads[0]!),
        reply: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        same: { status: 200, app: 1 },
      },
    ],
  );
});
