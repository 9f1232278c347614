/**
 * Proves static rules beside NGINX's `alias`, `root` and `gzip_static`: types, conditions, ranges, what cannot be reached, compressed
 * files; and large files to slow readers.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type HttpMessage, openRaw, rawExchange, stopAll, temporaryFolder } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { forgetPeak, peakMib, residentMib } from "./memory.ts";
import { type Case, get, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

/** 2023, in seconds. Whole ones, since NGINX's ETag knows no others. */
const TIME = 1_700_000_000;
const MODIFIED = "Tue, 14 Nov 2023 22:13:20 GMT";
/** Of `a.txt`: ten bytes. */
const ETAG = '"6553f100-a"';

const FILES: Readonly<Record<string, string>> = {
  ...{
    "a.txt": "0123456789",
    "a.css": "b{}",
    "a.js": "f()",
    "a.html": "<p>",
    "a.json": "{}",
    "a.png": "png",
  },
  ...{
    "a.svg": "<svg/>",
    "a.woff2": "font",
    "a.unknown": "?",
    noext: "?",
    "UPPER.TXT": "up",
    "empty.txt": "",
  },
  ...{
    "b c.txt": "blank",
    "caf\u00e9.txt": "utf-8",
    ".env": "secret",
    ".git/config": "secret",
    "c.js": "f(); f()",
  },
  ...{ "sub/index.html": "<i>", "sub/x.txt": "x", "old.js": "edited", "both.css": "plain{}" },
};
const COMPRESSED: Readonly<Record<string, readonly [text: string, time: number]>> = {
  "c.js.gz": ["gzipped", TIME],
  "old.js.gz": ["stale", TIME - 3_600],
  "both.css.gz": ["gzipped", TIME],
  "both.css.br": ["brotli", TIME],
};

function makeSite(): string {
  const outside = temporaryFolder("outside");
  writeFileSync(join(outside, "secret.txt"), "secret");
  const root = temporaryFolder("static");
  for (const folder of ["sub", "empty", ".git"]) mkdirSync(join(root, folder));
  const write = (name: string, text: string, time: number) => {
    writeFileSync(join(root, name), text);
    utimesSync(join(root, name), time, time);
  };
  for (const [name, text] of Object.entries(FILES)) write(name, text, TIME);
  for (const [name, [text, time]] of Object.entries(COMPRESSED)) write(name, text, time);
  symlinkSync("a.txt", join(root, "inside.txt"));
  symlinkSync(join(outside, "secret.txt"), join(root, "link.txt"));
  symlinkSync(outside, join(root, "linked"));
  return root;
}

const NGINX_TYPES = `
  charset utf-8;
  charset_types text/css text/javascript text/plain;
  default_type application/octet-stream;
  types {
    text/plain txt; text/css css; text/javascript js; text/html html; application/json json;
    image/png png; image/svg+xml svg; font/woff2 woff2; application/gzip gz;
  }`;

/** A wrong close comes with the response or not at all. */
const check = (pair: () => Pair, cases: readonly Case[]) =>
  runCases(
    pair,
    cases.map((each) => ({ lingerMs: 20, ...each })),
  );

describeWith(["nginx"], "a folder of files", () => {
  let root: string;
  let pair: Pair;
  beforeAll(async () => {
    root = makeSite();
    pair = await startPair({
      scripted: true,
      server: `
        location /static/ { alias ${root}/; gzip_static on; gzip_vary on; ${NGINX_TYPES} }
        location /sub/ { root ${root}; ${NGINX_TYPES} }`,
      rules: [
        { matches: [{ path: { value: "/static/" } }], static: { root, stripPrefix: true } },
        { matches: [{ path: { value: "/sub/" } }], static: { root } },
      ],
    });
  });

  const asking = (...fields: string[]) => get("/static/a.txt", ...fields);

  describe("what a path names", () => {
    check(
      () => pair,
      [
        {
          name: "a file",
          send: asking(),
          same: {
            status: 200,
            body: "0123456789",
            fields: {
              ...{ "content-type": "text/plain; charset=utf-8", "content-length": "10", etag: ETAG },
              ...{ "last-modified": MODIFIED, "accept-ranges": "bytes", vary: undefined },
            },
            ending: "open",
          },
        },
        {
          name: "HEAD",
          send: request("HEAD", "/static/a.txt"),
          same: { fields: { "content-length": "10" }, body: "" },
        },
        ...[
          ["a.css", "text/css; charset=utf-8"],
          ["a.js", "text/javascript; charset=utf-8"],
          ["a.html", "text/html; charset=utf-8"],
          ["a.json", "application/json"],
          ["a.png", "image/png"],
          ["a.svg", "image/svg+xml"],
          ["a.woff2", "font/woff2"],
          ["a.unknown", "application/octet-stream"],
          ["noext", "application/octet-stream"],
          ["UPPER.TXT", "text/plain; charset=utf-8"],
          ["c.js.gz", "application/gzip"],
        ].map(([name, type]) => ({
          name: `the type of ${name}`,
          send: get(`/static/${name}`),
          same: { status: 200, fields: { "content-type": type } },
        })),
        { name: "an empty file", send: get("/static/empty.txt"), same: { status: 200, body: "" } },
        {
          name: "an index",
          send: get("/static/sub/"),
          same: { body: "<i>", fields: { "content-type": "text/html; charset=utf-8" } },
        },
        { name: "no index: 403, and no listing", send: get("/static/empty/"), same: { status: 403 } },
        { name: "the folder itself", send: get("/static/"), same: { status: 403 } },
        {
          name: "a folder without its slash",
          send: get("/static/sub?x=1"),
          differs: "static-redirect",
          nginx: { status: 301 },
          gateway: { status: 301, fields: { location: "/static/sub/?x=1" } },
        },
        { name: "nothing", send: get("/static/none.txt"), same: { status: 404, ending: "open" } },
        { name: "a file with a slash behind", send: get("/static/a.txt/"), same: { status: 404 } },
        { name: "something below a file", send: get("/static/a.txt/b"), same: { status: 404 } },
        { name: "another case", send: get("/static/A.txt"), same: { status: 404 } },
        { name: "a blank", send: get("/static/b%20c.txt"), same: { body: "blank" } },
        { name: "UTF-8", send: get("/static/caf%C3%A9.txt"), same: { body: "utf-8" } },
        { name: "UTF-8, raw", send: get("/static/caf\xc3\xa9.txt"), same: { body: "utf-8" } },
        { name: "a query", send: get("/static/a.txt?v=2"), same: { body: "0123456789" } },
        { name: "dot segments that stay inside", send: get("/static/sub/../a.txt"), same: { status: 200 } },
        { name: "slashes, merged", send: get("/static//sub///x.txt"), same: { body: "x" } },
        { name: "an escaped slash", send: get("/static/sub%2Fx.txt"), same: { body: "x" } },
        {
          name: "a rule that keeps its prefix, as NGINX's root",
          send: get("/sub/x.txt"),
          same: { body: "x" },
        },
      ],
    );
  });

  describe("what cannot be reached", () => {
    check(
      () => pair,
      [
        ...["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt"].map((path) => ({
          name: `${path}: no such route below the site`,
          send: get(`/static/${path}`),
          reply: "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\napp",
          same: { body: "app" },
        })),
        ...["/../../etc/passwd", "/static/sub/../../../etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd"].map(
          (path) => ({
            name: `${path}: above the site`,
            send: get(path),
            same: { status: 400 },
          }),
        ),
        ...["%252e%252e/a.txt", "..%5ca.txt", "....//a.txt"].map((path) => ({
          name: `${path}: not there`,
          send: get(`/static/${path}`),
          same: { status: 404 },
        })),
        { name: "NUL", send: get("/static/a.txt%00.png"), same: { status: 400 } },
        { name: "no escape", send: get("/static/%zz"), same: { status: 400 } },
        ...[".env", ".git/config"].map((path) => ({
          name: path,
          send: get(`/static/${path}`),
          differs: "static-dot-file" as const,
          nginx: { status: 200, body: "secret" },
          gateway: { status: 404 },
        })),
        ...["link.txt", "linked/secret.txt"].map((path) => ({
          name: `${path}, which leads outside`,
          send: get(`/static/${path}`),
          differs: "static-symlink" as const,
          nginx: { status: 200, body: "secret" },
          gateway: { status: 404 },
        })),
        { name: "a link that stays inside", send: get("/static/inside.txt"), same: { body: "0123456789" } },
        ...["POST", "PUT", "DELETE", "OPTIONS", "PATCH"].map((method) => ({
          name: method,
          send: request(method, "/static/a.txt", [], "x"),
          same: { status: 405 },
        })),
        {
          name: "POST where nothing is",
          send: request("POST", "/static/none.txt", [], "x"),
          differs: "static-method",
          nginx: { status: 404 },
          gateway: { status: 405 },
        },
      ],
    );
  });

  describe("conditions", () => {
    check(
      () => pair,
      [
        ...[
          [`If-None-Match: ${ETAG}`, 304],
          [`If-None-Match: W/${ETAG}`, 304],
          [`If-None-Match: "x", ${ETAG}`, 304],
          ["If-None-Match: *", 304],
          ['If-None-Match: "x"', 200],
          [`If-Modified-Since: ${MODIFIED}`, 304],
          ["If-Modified-Since: Thu, 01 Jan 2015 00:00:00 GMT", 200],
          ["If-Modified-Since: rubbish", 200],
          [`If-None-Match: "x"\r\nIf-Modified-Since: ${MODIFIED}`, 200],
          [`If-Match: ${ETAG}`, 200],
          [`If-Match: "x", ${ETAG}`, 200],
          ["If-Match: *", 200],
          [`If-Unmodified-Since: ${MODIFIED}`, 200],
          ["If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT", 200],
          [`Range: bytes=0-1\r\nIf-None-Match: ${ETAG}`, 304],
        ].map(([field, status]) => ({
          name: `${field}`.replace("\r\n", " and "),
          send: asking(`${field}`),
          same: { status: Number(status), ending: "open" as const },
        })),
        ...[`If-Match: W/${ETAG}`, 'If-Match: "x"', "If-Unmodified-Since: Thu, 01 Jan 2015 00:00:00 GMT"].map(
          (field) => ({
            name: field,
            send: asking(field),
            differs: "static-412" as const,
            nginx: { status: 412, ending: "closed" as const },
            gateway: { status: 412, ending: "open" as const },
          }),
        ),
        {
          name: "If-Modified-Since with a later date",
          send: asking("If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"),
          differs: "static-modified-since",
          nginx: { status: 200 },
          gateway: {
            status: 304,
            fields: { etag: ETAG, "last-modified": MODIFIED, "content-length": undefined },
          },
        },
      ],
    );
  });

  describe("ranges", () => {
    check(
      () => pair,
      [
        ...[
          ["0-3", "0123", "0-3"],
          ["4-", "456789", "4-9"],
          ["-3", "789", "7-9"],
          ["0-0", "0", "0-0"],
          ["-100", "0123456789", "0-9"],
          ["5-100", "56789", "5-9"],
          ["0-1, 100-", "01", "0-1"],
        ].map(([range, body, content]) => ({
          name: `bytes=${range}`,
          send: asking(`Range: bytes=${range}`),
          same: {
            status: 206,
            body: body!,
            fields: { "content-range": `bytes ${content}/10`, "content-length": String(body!.length) },
          },
        })),
        ...["10-", "100-200", "-0", "3-1", "abc", "100-,200-"].map((range) => ({
          name: `bytes=${range}: not satisfiable`,
          send: asking(`Range: bytes=${range}`),
          same: { status: 416, fields: { "content-range": "bytes */10" }, ending: "open" as const },
        })),
        { name: "another unit", send: asking("Range: lines=0-3"), same: { status: 200 } },
        { name: "more than the file, twice", send: asking("Range: bytes=0-5,2-8"), same: { status: 200 } },
        {
          name: "of an empty file",
          send: get("/static/empty.txt", "Range: bytes=0-"),
          same: { status: 200 },
        },
        ...[
          [`If-Range: ${ETAG}`, 206],
          [`If-Range: ${MODIFIED}`, 206],
          ['If-Range: "x"', 200],
          [`If-Range: W/${ETAG}`, 200],
          ["If-Range: Thu, 01 Jan 2015 00:00:00 GMT", 200],
        ].map(([field, status]) => ({
          name: `${field}`,
          send: asking("Range: bytes=0-1", `${field}`),
          same: { status: Number(status) },
        })),
        {
          name: "bytes= and nothing",
          send: asking("Range: bytes="),
          differs: "static-range-syntax",
          nginx: { status: 200 },
          gateway: { status: 416 },
        },
        {
          name: "twice: the first counts",
          send: asking("Range: bytes=0-1", "Range: bytes=4-5"),
          same: { status: 206, body: "01" },
        },
        {
          name: "an empty element",
          send: asking("Range: bytes=0-1,"),
          differs: "static-range-syntax",
          nginx: { status: 416 },
          gateway: { status: 206, body: "01" },
        },
        {
          name: "HEAD",
          send: request("HEAD", "/static/a.txt", ["Range: bytes=0-3"]),
          differs: "static-head-range",
          nginx: { status: 206 },
          gateway: { status: 200, fields: { "content-length": "10", "content-range": undefined } },
        },
      ],
    );

    for (const range of ["0-1,4-5", "0-1, 4-5, -2", "-1,0-0"]) {
      test(`bytes=${range}: the same parts, as multipart/byteranges`, async () => {
        const bytes = asking(`Range: bytes=${range}`);
        const [theirs, ours] = await Promise.all(
          [pair.nginx.port, pair.gateway.port].map(async (port) => {
            const { response } = await rawExchange(port, bytes, { lingerMs: 0 });
            expect([response.status, response.complete]).toEqual([206, true]);
            return partsOf(response);
          }),
        );
        expect(ours!.length).toBe(range.split(",").length);
        expect(ours!).toEqual(theirs!);
      });
    }
  });

  describe("compressed files", () => {
    check(
      () => pair,
      [
        {
          name: "the .gz beside it",
          send: get("/static/c.js", "Accept-Encoding: gzip"),
          differs: "static-compressed",
          nginx: { body: "gzipped", fields: { "content-encoding": "gzip", etag: '"6553f100-7"' } },
          gateway: {
            status: 200,
            body: "gzipped",
            fields: {
              ...{ "content-encoding": "gzip", "content-type": "text/javascript; charset=utf-8" },
              ...{ etag: '"6553f100-7-gzip"', vary: "Accept-Encoding", "content-length": "7" },
            },
          },
        },
        {
          name: "the client has the .gz",
          send: get("/static/c.js", "Accept-Encoding: gzip", 'If-None-Match: "6553f100-7-gzip"'),
          differs: "static-compressed",
          nginx: { status: 200 },
          gateway: { status: 304, fields: { vary: "Accept-Encoding", etag: '"6553f100-7-gzip"' } },
        },
        {
          name: "a part of the .gz",
          send: get("/static/c.js", "Accept-Encoding: gzip", "Range: bytes=0-2"),
          differs: "static-compressed",
          nginx: { status: 200, body: "gzipped" },
          gateway: { status: 206, body: "gzi", fields: { "content-range": "bytes 0-2/7" } },
        },
        ...["gzip;q=0", "identity", "deflate", "br"].map((coding) => ({
          name: `Accept-Encoding: ${coding}: the plain file, which varies`,
          send: get("/static/c.js", `Accept-Encoding: ${coding}`),
          same: { body: "f(); f()", fields: { "content-encoding": undefined, vary: "Accept-Encoding" } },
        })),
        ...["*", "x-gzip"].map((coding) => ({
          name: `Accept-Encoding: ${coding}`,
          send: get("/static/c.js", `Accept-Encoding: ${coding}`),
          differs: "static-encoding" as const,
          nginx: { body: "f(); f()" },
          gateway: { body: "gzipped", fields: { "content-encoding": "gzip" } },
        })),
        {
          name: "the plain file, where the client likes it better",
          send: get("/static/c.js", "Accept-Encoding: gzip;q=0.5, identity;q=1"),
          differs: "static-encoding",
          nginx: { body: "gzipped" },
          gateway: { body: "f(); f()", fields: { vary: "Accept-Encoding" } },
        },
        {
          name: "HTTP/1.0",
          send: get("/static/c.js", "Accept-Encoding: gzip").replace("HTTP/1.1", "HTTP/1.0"),
          differs: "static-encoding",
          nginx: { body: "f(); f()" },
          gateway: { body: "gzipped" },
        },
        {
          name: "one that is older than its original",
          send: get("/static/old.js", "Accept-Encoding: gzip"),
          differs: "static-compressed-old",
          nginx: { body: "stale" },
          gateway: { body: "edited", fields: { "content-encoding": undefined } },
        },
      ],
    );

    test("brotli goes before gzip, but for weights", async () => {
      const codingOf = async (accepted: string) => {
        const bytes = get("/static/both.css", `Accept-Encoding: ${accepted}`);
        return (await rawExchange(pair.gateway.port, bytes, { lingerMs: 0 })).response.header(
          "content-encoding",
        );
      };
      expect(await codingOf("gzip, br")).toBe("br");
      expect(await codingOf("gzip;q=1, br;q=0.5")).toBe("gzip");
      expect(await codingOf("gzip, br;q=0")).toBe("gzip");
    });
  });

  describe("a changed file", () => {
    /** The kernel's notice takes its way through another thread. */
    const SEEN_WITHIN_MS = 100;
    const responseFor = async (path: string) =>
      (await rawExchange(pair.gateway.port, get(path), { lingerMs: 0 })).response;

    test("is seen in no time, whether edited or renamed over", async () => {
      const path = join(root, "changing.txt");
      writeFileSync(path, "first");
      expect((await responseFor("/static/changing.txt")).text).toBe("first");
      for (let i = 0; i < 10; i++) {
        const text = `change ${i}`;
        if (i % 2 === 0) writeFileSync(path, text);
        else {
          writeFileSync(join(root, "new"), text);
          renameSync(join(root, "new"), path);
        }
        const deadline = performance.now() + SEEN_WITHIN_MS;
        let served = await responseFor("/static/changing.txt");
        while (served.text !== text && performance.now() < deadline) {
          served = await responseFor("/static/changing.txt");
        }
        expect([served.text, served.header("content-length")]).toEqual([text, String(text.length)]);
      }
    });
  });

  describe("a file of 10 MiB", () => {
    const content = Buffer.from(Uint32Array.from({ length: 10 << 18 }, (_, i) => i).buffer);
    beforeAll(() => writeFileSync(join(root, "large.bin"), content));
    const digest = createHash("sha256").update(content).digest("hex");

    test("to a reader that stops, then goes on: whole; and others are served meanwhile", async () => {
      const client = await openRaw(pair.gateway.port);
      await client.send(get("/static/large.bin"));
      await client.waitFor(() => client.receivedBytes > 0);
      client.pause();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect((await rawExchange(pair.gateway.port, asking(), { lingerMs: 0 })).response.status).toBe(200);
      client.resume();
      const headBytes = Buffer.from(client.received()).indexOf("\r\n\r\n") + 4;
      await client.waitFor(() => client.receivedBytes >= headBytes + content.length);
      const received = Buffer.from(client.received());
      const body = received.subarray(headBytes);
      expect(createHash("sha256").update(body).digest("hex")).toBe(digest);
      client.destroy();
    });

    test("to 30 readers that stop: in bounded memory", async () => {
      const { pid, port } = pair.gateway;
      const before = residentMib(pid);
      forgetPeak(pid);
      const clients = await Promise.all(Array.from({ length: 30 }, () => openRaw(port)));
      for (const each of clients) {
        each.pause();
        await each.send(get("/static/large.bin"));
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect((await rawExchange(port, asking(), { lingerMs: 0 })).response.status).toBe(200);
      for (const each of clients) each.destroy();
      // Not the 300 MiB that they asked for.
      expect(peakMib(pid) - before).toBeLessThan(64);
    });

    test("a part from its end", async () => {
      const from = content.length - 5;
      const bytes = get("/static/large.bin", `Range: bytes=${from}-`);
      const { response } = await rawExchange(pair.gateway.port, bytes, { lingerMs: 0 });
      expect(Buffer.from(response.body).equals(content.subarray(from))).toBe(true);
    });
  });
});

/** Each part's fields and text; the boundary, and what stands before the first one, are the server's own. */
function partsOf(response: HttpMessage): string[] {
  const boundary = /boundary=(\S+)$/.exec(response.header("content-type") ?? "")?.[1];
  if (boundary === undefined) throw new Error(`no boundary: ${response.header("content-type")}`);
  const pieces = `\r\n${response.text}`.split(`\r\n--${boundary}`);
  expect(pieces.at(-1)).toMatch(/^--(\r\n)?$/);
  return pieces.slice(1, -1);
}
