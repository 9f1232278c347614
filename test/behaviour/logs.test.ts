/**
 * Proves the access log: its fields in JSON, NGINX's own lines in `combined`, off and sampled; and that no cookie, credential or
 * Secret shows up in the log, on /routes or in /metrics, whatever goes wrong.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Gateway,
  openRaw,
  rawExchange,
  type ScriptedUpstream,
  type Step,
  startGateway,
  startNginx,
  startScriptedUpstream,
  stopAll,
  temporaryFolder,
  waitUntil,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { accessLine, addRoute, forwardTo, routeManifest } from "./routes.ts";

let upstream: ScriptedUpstream;
let manifests: Readonly<Record<string, string>>;
beforeAll(async () => {
  upstream = await startScriptedUpstream({
    script: async (connection) => {
      const packet = await connection.readPacket();
      await connection.readBytes(Number(packet.get("CONTENT_LENGTH") || 0));
      if (packet.get("PATH_INFO") === "/held") {
        await connection.peerClosed;
        return connection.end();
      }
      await connection.send(
        packet.get("PATH_INFO") === "/missing"
          ? "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"
          : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      );
      connection.end();
    },
  });
  manifests = { "site.json": routeManifest("site.test", [forwardTo(upstream.address)]) };
});
afterAll(stopAll);

const get = (port: number, path: string, more = "") =>
  rawExchange(port, `GET ${path} HTTP/1.1\r\nHost: site.test\r\n${more}\r\n`, { lingerMs: 0 });

describe("a JSON line", () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await startGateway({ manifests });
  });

  test("has every field of a request that was served", async () => {
    const before = Date.now();
    await rawExchange(
      gateway.port,
      'POST /full?q=1 HTTP/1.1\r\nHost: site.test\r\nUser-Agent: tester/1 "x"\r\nReferer: http://r.test/\r\n' +
        "Content-Length: 3\r\n\r\nabc",
    );
    const line = await accessLine(gateway, "/full?q=1");
    expect(line).toEqual({
      level: 30,
      time: expect.any(Number),
      msg: "request",
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
      remoteAddr: "127.0.0.1",
      host: "site.test",
      method: "POST",
      target: "/full?q=1",
      protocol: "HTTP/1.1",
      status: 200,
      bytesIn: 3,
      bytesOut: 5,
      route: "UwsgiRoute/default/site.test/0",
      endpoint: upstream.address,
      totalMs: expect.any(Number),
      connectMs: expect.any(Number),
      firstByteMs: expect.any(Number),
      userAgent: 'tester/1 "x"',
      referer: "http://r.test/",
    });
    const { time, totalMs, connectMs, firstByteMs } = line as unknown as Record<string, number>;
    expect(time!).toBeGreaterThanOrEqual(before);
    expect(connectMs!).toBeLessThanOrEqual(firstByteMs!);
    expect(firstByteMs!).toBeLessThanOrEqual(totalMs!);
  });

  for (const [name, path, steps, expected] of [
    [
      "no rule",
      "/lost",
      ["GET /lost HTTP/1.1\r\nHost: nobody.test\r\n\r\n"],
      { status: 404, error: "no_route" },
    ],
    [
      "a refused request",
      "/refused",
      ["GET /refused HTTP/1.1\r\nHost: site.test\r\nA : b\r\n\r\n"],
      { status: 400, error: "bad_field_name", bytesOut: 16 },
    ],
    [
      "a client that goes away",
      "/held",
      ["GET /held HTTP/1.1\r\nHost: site.test\r\n\r\n", { pauseMs: 40 }, { reset: true }],
      { status: 499, error: "client_closed", bytesOut: 0 },
    ],
    ["HEAD", "/head", ["HEAD /head HTTP/1.0\r\nHost: site.test\r\n\r\n"], { method: "HEAD", bytesOut: 0 }],
    [
      "bytes that are no ASCII",
      "/caf\\u00c3\\u00a9",
      ["GET /caf\xc3\xa9 HTTP/1.1\r\nHost: site.test\r\n\r\n"],
      { target: "/caf\xc3\xa9" },
    ],
  ] as readonly (readonly [string, string, readonly Step[], object])[]) {
    test(`of ${name}`, async () => {
      await rawExchange(gateway.port, steps, { timeoutMs: 1_000 });
      const line = await waitUntil(
        () => gateway.lines.find((each) => each.includes(`"target":"${path}"`)),
        gateway.process,
        "the line",
        3_000,
      );
      expect(JSON.parse(line)).toMatchObject(expected);
    });
  }

  test("of a retried request names the last endpoint and the number of further tries", async () => {
    const dead = `unix:${join(temporaryFolder("dead"), "s")}`;
    await addRoute(gateway, "retried.test", [
      forwardTo([dead, upstream.address], { health: { maxFails: 0 }, timeouts: { connect: "300ms" } }),
    ]);
    for (let i = 0; i < 2; i++) {
      const request = `GET /retried-${i} HTTP/1.1\r\nHost: retried.test\r\n\r\n`;
      await rawExchange(gateway.port, request, { lingerMs: 0 });
    }
    const lines = [await accessLine(gateway, "/retried-0"), await accessLine(gateway, "/retried-1")];
    for (const line of lines) expect(line).toMatchObject({ status: 200, endpoint: upstream.address });
    // Whose turn is first is left to chance; of two requests, the dead one's turn is first for one at least.
    const retries = lines.map((line) => line.retries);
    expect(retries).toContain(1);
    for (const each of retries) expect([undefined, 1]).toContain(each);
  });

  test("is one line of at most 4096 bytes, however long the request", async () => {
    const long = '\x7f"\\'.repeat(2000);
    await get(gateway.port, `/long?${"x".repeat(7_000)}`, `User-Agent: ${long}\r\nReferer: ${long}\r\n`);
    await get(gateway.port, "/after-long");
    await accessLine(gateway, "/after-long");
    const line = gateway.lines.find((each) => each.includes('"target":"/long'))!;
    expect(Buffer.byteLength(line) + 1).toBeLessThanOrEqual(4096);
    expect((JSON.parse(line) as { target: string }).target).toEndWith("...");
  });
});

describeWith(["nginx"], "a combined line", () => {
  test("is NGINX's, byte for byte but for the time", async () => {
    const logFile = join(temporaryFolder("log"), "access.log");
    const nginx = await startNginx({
      server: `location / { include uwsgi_params; uwsgi_pass ${upstream.address}; }`,
      serverName: "site.test",
      accessLog: logFile,
    });
    const gateway = await startGateway({ manifests, args: ["--access-log-format", "combined"] });
    const requests = [
      "GET / HTTP/1.1\r\nHost: site.test\r\n\r\n",
      "GET /missing?a=b%20c HTTP/1.1\r\nHost: site.test\r\nUser-Agent: curl/8\r\nReferer: http://r.test/\r\n\r\n",
      'GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: quo"te back\\slash\r\n\r\n',
      "GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: caf\xc3\xa9\tand tab\r\n\r\n",
      "GET /caf\xc3\xa9 HTTP/1.1\r\nHost: site.test\r\n\r\n",
      "HEAD / HTTP/1.1\r\nHost: site.test\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 3\r\n\r\nabc",
      "GET / HTTP/1.1\r\nHost: site.test\r\nAuthorization: Basic dXNlcjpwYXNz\r\n\r\n",
    ];
    for (const request of requests) {
      for (const port of [nginx.port, gateway.port]) await rawExchange(port, request, { lingerMs: 0 });
    }
    const nginxLines = () => readFileSync(logFile, "latin1").split("\n").slice(0, -1);
    const ourLines = () => gateway.lines.filter((line) => !line.startsWith("{"));
    for (const lines of [nginxLines, ourLines]) {
      const all = () => (lines().length >= requests.length ? true : undefined);
      await waitUntil(all, gateway.process, "lines", 3_000);
    }
    const shapes = (lines: readonly string[]) =>
      lines.map((line) => line.replace(/\[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]/, "[TIME]"));
    // NGINX knows the user of Basic credentials; we never log any part of them.
    const theirs = shapes(nginxLines()).map((line) => line.replace("- user [", "- - ["));
    expect(shapes(ourLines())).toEqual(theirs);
  });
});

describe("how much is logged", () => {
  const accessLines = (gateway: Gateway) => gateway.lines.filter((line) => line.includes('"msg":"request"'));

  /** Sends `count` requests over one connection, ends the gateway, and counts its lines. */
  async function loggedOf(count: number, share: string): Promise<number> {
    const gateway = await startGateway({ manifests, args: ["--access-log", share] });
    const client = await openRaw(gateway.port);
    await client.send("GET / HTTP/1.1\r\nHost: site.test\r\n\r\n".repeat(count));
    let answered = 0;
    await client.waitFor(() => {
      answered = Buffer.from(client.received()).toString("latin1").split("hello").length - 1;
      return answered === count;
    });
    expect(answered).toBe(count);
    client.destroy();
    await gateway.stop();
    return accessLines(gateway).length;
  }

  test("all", async () => expect(await loggedOf(300, "all")).toBe(300));
  test("off", async () => expect(await loggedOf(300, "off")).toBe(0));
  test("a fraction, at random", async () => {
    const logged = await loggedOf(800, "0.25");
    // Five standard deviations either way.
    expect(logged).toBeGreaterThan(138);
    expect(logged).toBeLessThan(262);
  });
});

describe("secrets", () => {
  const SECRET = "s3cr3t-v4lue";
  const BASIC = Buffer.from(`user:${SECRET}`).toString("base64");
  const HEADERS = [
    `Cookie: session=${SECRET}; other=${SECRET}\r\n`,
    `Authorization: Bearer ${SECRET}\r\n`,
    `Authorization: Basic ${BASIC}\r\n`,
    `Proxy-Authorization: Basic ${BASIC}\r\n`,
    `X-Api-Key: ${SECRET}\r\n`,
  ];

  test("are in no log line, not on /routes and not in /metrics, even at level trace and when all goes wrong", async () => {
    const odd = await startScriptedUpstream({
      script: async (connection, index) => {
        const packet = await connection.readPacket();
        await connection.readBytes(Number(packet.get("CONTENT_LENGTH") || 0));
        const cookie = `Set-Cookie: session=${SECRET}; HttpOnly\r\n`;
        const replies = [
          `HTTP/1.1 200 OK\r\n${cookie}Content-Length: 2\r\n\r\nok`,
          `HTTP/1.1 2${SECRET} OK\r\n${cookie}\r\n`,
          `HTTP/1.1 200 OK\r\n${cookie}Bad Name: ${SECRET}\r\n\r\n`,
          `HTTP/1.1 200 OK\r\n${cookie}Content-Length: 99\r\n\r\nshort ${SECRET}`,
          `HTTP/1.1 200 OK\r\n${cookie}X-Accel-Redirect: ${SECRET}\r\n\r\n`,
        ];
        await connection.send(replies[index % replies.length]!);
        connection.end();
      },
    });
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "tls" },
      type: "kubernetes.io/tls",
      data: {
        "tls.crt": Buffer.from(SECRET).toString("base64"),
        "tls.key": Buffer.from(SECRET).toString("base64"),
      },
    };
    const gateway = await startGateway({
      manifests: {
        "site.json": routeManifest("site.test", [forwardTo(odd.address, { uwsgi: { maxVars: 40 } })]),
        "secret.json": JSON.stringify(secret),
        "broken-secret.yaml": `apiVersion: v1\nkind: Secret\nmetadata: { name: other }\nstringData: { password: ${SECRET}\n`,
        "odd-secret.json": JSON.stringify({
          ...secret,
          metadata: { name: "odd" },
          data: { "tls.key": `not base64 ${SECRET}` },
        }),
      },
      args: ["--log-level", "trace"],
    });
    const many = Array.from({ length: 60 }, (_, i) => `X-${i}: 1\r\n`).join("");
    for (const header of HEADERS) {
      const request = (more: string) => `GET / HTTP/1.1\r\nHost: site.test\r\n${header}${more}\r\n`;
      for (let i = 0; i < 5; i++) await rawExchange(gateway.port, request(""), { lingerMs: 0 });
      await rawExchange(gateway.port, request(many), { lingerMs: 0 });
      await rawExchange(gateway.port, request(`Bad Name: ${SECRET}\r\n`), { lingerMs: 0 });
      await rawExchange(gateway.port, request(header), { lingerMs: 0 });
      await rawExchange(gateway.port, request(`Cookie: ${SECRET.repeat(1000)}\r\n`), { lingerMs: 0 });
    }
    const pages = await Promise.all(
      ["/routes", "/metrics", "/readyz", "/healthz"].map(async (path) =>
        (await fetch(`${gateway.adminUrl}${path}`)).text(),
      ),
    );
    await gateway.stop();
    expect(gateway.lines.length).toBeGreaterThan(40);
    const leaks = [SECRET, BASIC, Buffer.from(SECRET).toString("base64")];
    for (const text of [...pages, ...gateway.lines])
      for (const leak of leaks) expect(text).not.toContain(leak);
  });
});
