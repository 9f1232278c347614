/**
 * Proves the X-Accel-* fields with which an app steers the gateway (section 5 of the wire rules): they act, and go no further.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  rawExchange,
  startGateway,
  startScriptedUpstream,
  stopAll,
  temporaryFolder,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { forwardTo, routeManifest } from "./routes.ts";
import { type Case, get, HOST, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const HEAD = request("HEAD", "/");
const GET = get("/");
const OK = "HTTP/1.1 200 OK\r\n";
/** A body of two bytes, and the end of the head before it. */
const END = "Content-Length: 2\r\n\r\nok";

/** A wrong close comes with the response or not at all. */
const check = (pair: () => Pair, cases: readonly Case[]) =>
  runCases(
    pair,
    cases.map((each) => ({ lingerMs: 20, ...each })),
  );

describeWith(["nginx"], "X-Accel-*", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ scripted: true });
  });

  check(
    () => pair,
    [
      {
        name: "others pass",
        send: GET,
        reply: `${OK}X-Accel-Own: 1\r\n${END}`,
        same: { fields: { "x-accel-own": "1" } },
      },
      ...["Expires: 60", "Buffering: no", "Buffering: yes", "Limit-Rate: 1000000", "Charset: koi8-r"].map(
        (field) => ({
          name: `${field} is taken out`,
          send: GET,
          reply: `${OK}X-Accel-${field}\r\n${END}`,
          same: { fields: { [`x-accel-${field.split(":")[0]!.toLowerCase()}`]: undefined }, body: "ok" },
        }),
      ),
    ],
  );
});

describeWith(["nginx"], "X-Accel-Redirect and -Charset", () => {
  let pair: Pair;
  beforeAll(async () => {
    const other = await startScriptedUpstream({
      script: async (connection) => {
        const packet = await connection.readPacket();
        const length = packet.get("CONTENT_LENGTH") || "0";
        await connection.readBytes(Number(length));
        const says = ["REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "REQUEST_URI"].map((name) =>
          packet.get(name),
        );
        const body = [...says, length].join(" ");
        const fields = `Content-Type: text/other\r\nETag: "other"\r\nSet-Cookie: other=1\r\n`;
        const text = packet.get("REQUEST_METHOD") === "HEAD" ? "" : body;
        await connection.send(
          `HTTP/1.1 201 Created\r\n${fields}Content-Length: ${body.length}\r\n\r\n${text}`,
        );
        connection.end();
      },
    });
    const folder = temporaryFolder("accel");
    mkdirSync(join(folder, "sub"));
    for (const name of ["a.bin", "sub/b c.bin"]) {
      writeFileSync(join(folder, name), "the file's text");
      utimesSync(join(folder, name), 1_700_000_000, 1_700_000_000);
    }
    pair = await startPair({
      scripted: true,
      server: `
        location /other/ { include uwsgi_params; uwsgi_pass ${other.address}; }
        location /files/ { alias ${folder}/; }
        location /koi8-r/ { charset koi8-r; }`,
      rules: [
        forwardTo(other.address, {}, "/other/"),
        { matches: [{ path: { value: "/files/" } }], static: { root: folder, stripPrefix: true } },
      ],
    });
  });

  const to = (target: string, more = "") =>
    `${OK}X-Accel-Redirect: ${target}\r\n${more}Content-Length: 2\r\n\r\nno`;

  check(
    () => pair,
    [
      {
        name: "to another rule: its status and body",
        send: GET,
        reply: to("/other/x?a=b"),
        same: {
          status: 201,
          body: "GET /other/x a=b / 0",
          fields: { "x-accel-redirect": undefined, "content-type": "text/other", etag: '"other"' },
          ending: "open",
        },
      },
      {
        name: "an escaped path is decoded once",
        send: get("/from?q=1"),
        reply: to("/other/a%20b%2525?x=%20"),
        same: { body: "GET /other/a b%25 x=%20 /from?q=1 0" },
      },
      {
        name: "HEAD stays HEAD",
        send: HEAD,
        reply: to("/other/x").slice(0, -2),
        same: { status: 201, body: "" },
      },
      {
        name: "another method becomes GET",
        send: request("DELETE", "/"),
        reply: to("/other/x"),
        same: { body: "GET /other/x  / 0" },
      },
      {
        name: "a POST's body stays behind",
        send: request("POST", "/", ["Content-Type: a/b"], "body"),
        reply: to("/other/x"),
        differs: "redirect-body",
        nginx: { body: "GET /other/x  / 4" },
        gateway: { body: "GET /other/x  / 0" },
      },
      {
        name: "the app's status does not matter",
        send: GET,
        reply: to("/other/x").replace("200 OK", "403 Forbidden"),
        same: { status: 201 },
      },
      {
        name: "keeps the app's Content-Disposition, Cache-Control and Expires, and drops the rest",
        send: GET,
        reply: to(
          "/other/x",
          'Content-Disposition: attachment\r\nCache-Control: private\r\nExpires: 0\r\nX-App: 1\r\nETag: "app"\r\n',
        ),
        same: {
          fields: {
            ...{ "content-disposition": "attachment", "cache-control": "private", expires: "0" },
            ...{ "x-app": undefined, etag: '"other"' },
          },
        },
      },
      {
        name: "keeps the app's cookies beside the other's",
        send: GET,
        reply: to("/other/x", "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"),
        same: { fields: { "set-cookie": ["a=1", "b=2", "other=1"] } },
      },
      {
        name: "the other's Content-Type wins over the app's",
        send: GET,
        reply: to("/other/x", "Content-Type: text/app\r\n"),
        same: { fields: { "content-type": "text/other" } },
      },
      {
        name: "to a file: the app's Content-Type and cookies, the file's validators and length",
        send: GET,
        reply: to("/files/a.bin", "Content-Type: text/app\r\nSet-Cookie: a=1\r\nX-App: 1\r\n"),
        same: {
          status: 200,
          body: "the file's text",
          fields: {
            ...{ "content-type": "text/app", "set-cookie": "a=1", "x-app": undefined },
            ...{ "content-length": "15", "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT" },
          },
        },
      },
      {
        name: "to a file in a folder, its name escaped",
        send: GET,
        reply: to("/files/sub/b%20c.bin", "Content-Type: a/b\r\n"),
        same: { body: "the file's text" },
      },
      {
        name: "to a part of a file",
        send: get("/", "Range: bytes=4-7"),
        reply: to("/files/a.bin", "Content-Type: a/b\r\n"),
        same: { status: 206, body: "file", fields: { "content-range": "bytes 4-7/15" } },
      },
      {
        name: "to a file that the client has",
        send: get("/", "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT"),
        reply: to("/files/a.bin"),
        same: { status: 304 },
      },
      { name: "to a file that is not there", send: GET, reply: to("/files/none.bin"), same: { status: 404 } },
      {
        name: "in circles",
        send: GET,
        reply: to("/again"),
        differs: "redirect-loop",
        nginx: { status: 500, ending: "closed" },
        gateway: { status: 500, ending: "open" },
      },
      ...["other/x", "http://site.test/other/x", "/../other/x", "/files/../other/x", ""].map((target) => ({
        name: `to "${target}"`,
        send: GET,
        reply: to(target),
        differs: "redirect-target" as const,
        nginx: { status: 404 },
        gateway: { status: 502, ending: "open" as const },
      })),
      {
        name: 'to "@name"',
        send: GET,
        reply: to("@name"),
        differs: "redirect-target",
        nginx: { status: 500 },
        gateway: { status: 502 },
      },
      {
        name: "Charset goes into the Content-Type",
        send: GET,
        reply: `${OK}X-Accel-Charset: koi8-r\r\nContent-Type: text/html\r\n${END}`,
        same: { fields: { "content-type": "text/html; charset=koi8-r", "x-accel-charset": undefined } },
      },
      {
        name: "Charset gives way to the app's own",
        send: GET,
        reply: `${OK}X-Accel-Charset: koi8-r\r\nContent-Type: text/html; charset=utf-8\r\n${END}`,
        same: { fields: { "content-type": "text/html; charset=utf-8" } },
      },
    ],
  );
});

test("X-Accel-Limit-Rate slows the client down, and the worker is free before it has everything", async () => {
  let doneAt = 0;
  const upstream = await startScriptedUpstream({
    script: async (connection) => {
      await connection.readPacket();
      await connection.send(
        `${OK}X-Accel-Limit-Rate: 200000\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`,
      );
      connection.end();
      await connection.peerClosed;
      doneAt = performance.now();
    },
  });
  const gateway = await startGateway({
    manifests: { "site.json": routeManifest(HOST, [forwardTo(upstream.address)]) },
  });
  const begun = performance.now();
  const { response } = await rawExchange(gateway.port, GET);
  const tookMs = performance.now() - begun;
  expect([response.body.length, response.header("x-accel-limit-rate")]).toEqual([300_000, undefined]);
  // A second's worth leaves at once, as with NGINX.
  expect(tookMs).toBeGreaterThan(400);
  expect(tookMs).toBeLessThan(1_200);
  expect(doneAt - begun).toBeLessThan(200);
});
