/**
 * Proves that an endpoint that fails costs the client what it costs behind NGINX (section 6 of the wire rules): which failures another endpoint
 * may make good, for which methods, and which status is left where none can. Each case has rules of its own in both servers, over endpoints that
 * fail in one way each; `endpoints.test.ts` goes on with what is the gateway's own.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import {
  freePort,
  type Gateway,
  type Nginx,
  rawExchange,
  startGateway,
  startNginx,
  startScriptedUpstream,
  stopAll,
  temporaryFolder,
  type UpstreamScript,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { type Rule, routeManifest } from "./routes.ts";
import type { RuleId } from "./rules.ts";
import { HOST } from "./side-by-side.ts";

afterAll(stopAll);

/** Each is a server that does this after a whole request; the first two are nobody at all. */
const ENDPOINTS = [
  "dead unix",
  "dead tcp",
  "good",
  "closes",
  "resets",
  "silent",
  "half head",
  "garbage",
  "half body",
  "stalls",
  "503",
  "404",
] as const;
type Endpoint = (typeof ENDPOINTS)[number];

interface Case {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly method?: string;
  /** Named, and out of use: `down` there, `weight: 0` here. */
  readonly out?: true;
  /** The same wish, as each of the two writes it. */
  readonly directives?: string;
  readonly options?: Rule;
  /** Statuses of as many requests as make each endpoint the first one once or more, sorted; 0 for an answer that was cut short. */
  readonly same?: readonly number[];
  readonly differs?: RuleId;
  readonly nginx?: readonly number[];
  readonly gateway?: readonly number[];
}

const BOTH_GOOD = [200, 200, 200, 200];
const HALF = (status: number) => [200, 200, status, status];
const ALL = (status: number) => [status, status, status, status];

const CASES: readonly Case[] = [
  // One endpoint: which status.
  { name: "nobody at a Unix socket", endpoints: ["dead unix"], same: ALL(502) },
  { name: "nobody at a TCP port", endpoints: ["dead tcp"], same: ALL(502) },
  { name: "closes without a word", endpoints: ["closes"], same: ALL(502) },
  { name: "resets", endpoints: ["resets"], same: ALL(502) },
  { name: "half a head", endpoints: ["half head"], same: ALL(502) },
  { name: "never answers", endpoints: ["silent"], same: ALL(504) },
  { name: "half a body", endpoints: ["half body"], same: ALL(0) },
  { name: "half a body, then silence", endpoints: ["stalls"], same: ALL(0) },
  {
    name: "there, and out of use",
    endpoints: ["good"],
    out: true,
    differs: "no-endpoint-503",
    nginx: ALL(502),
    gateway: ALL(503),
  },
  // Two: who is asked next.
  { name: "GET: refused", endpoints: ["dead unix", "good"], same: BOTH_GOOD },
  {
    name: "POST: refused, so nothing was sent",
    endpoints: ["dead tcp", "good"],
    method: "POST",
    same: BOTH_GOOD,
  },
  ...["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].map(
    (method): Case => ({
      name: `${method}: reset after it was sent`,
      endpoints: ["resets", "good"],
      method,
      same: BOTH_GOOD,
    }),
  ),
  ...["POST", "PATCH", "LOCK"].map(
    (method): Case => ({
      name: `${method}: reset after it was sent`,
      endpoints: ["resets", "good"],
      method,
      same: HALF(502),
    }),
  ),
  {
    name: "PURGE: reset after it was sent",
    endpoints: ["resets", "good"],
    method: "PURGE",
    differs: "retry-known-methods",
    nginx: BOTH_GOOD,
    gateway: HALF(502),
  },
  {
    name: "POST, where the rule says so: reset after it was sent",
    endpoints: ["resets", "good"],
    method: "POST",
    directives: "uwsgi_next_upstream error timeout non_idempotent;",
    options: { retries: { nonIdempotent: true } },
    same: BOTH_GOOD,
  },
  { name: "GET: closed without a word", endpoints: ["closes", "good"], same: BOTH_GOOD },
  { name: "GET: half a head", endpoints: ["half head", "good"], same: BOTH_GOOD },
  { name: "GET: no answer in time", endpoints: ["silent", "good"], same: BOTH_GOOD },
  {
    name: "GET: a head that cannot be read, where the rule says so",
    endpoints: ["garbage", "good"],
    directives: "uwsgi_next_upstream error timeout invalid_header;",
    same: BOTH_GOOD,
  },
  {
    name: "GET: a head that cannot be read",
    endpoints: ["garbage", "good"],
    differs: "bad-head-retried",
    nginx: HALF(502),
    gateway: BOTH_GOOD,
  },
  {
    name: "GET: half a body was on its way already",
    endpoints: ["half body", "good"],
    same: [0, 0, 200, 200],
  },
  { name: "none is left", endpoints: ["resets", "dead unix"], same: ALL(502) },
  {
    name: "one try only",
    endpoints: ["resets", "good"],
    directives: "uwsgi_next_upstream_tries 1;",
    options: { retries: { attempts: 0 } },
    same: HALF(502),
  },
  // Statuses that send a request on.
  { name: "503 is an answer", endpoints: ["503", "good"], same: HALF(503) },
  {
    name: "503, where the rule says so",
    endpoints: ["503", "good"],
    directives: "uwsgi_next_upstream error timeout http_503;",
    options: { retries: { statuses: [503] } },
    same: BOTH_GOOD,
  },
  {
    name: "503, and POST",
    endpoints: ["503", "good"],
    method: "POST",
    directives: "uwsgi_next_upstream error timeout http_503;",
    options: { retries: { statuses: [503] } },
    same: HALF(503),
  },
  {
    name: "404, where the rule says so",
    endpoints: ["404", "good"],
    directives: "uwsgi_next_upstream error timeout http_404;",
    options: { retries: { statuses: [404] } },
    same: BOTH_GOOD,
  },
  {
    name: "503 from both: the real answer",
    endpoints: ["503", "503"],
    directives: "uwsgi_next_upstream error timeout http_503;",
    options: { retries: { statuses: [503] } },
    same: ALL(503),
  },
];

describeWith(["nginx"], "an endpoint that fails", () => {
  let nginx: Nginx;
  let gateway: Gateway;

  beforeAll(async () => {
    const addresses = new Map<Endpoint, string>();
    for (const endpoint of ENDPOINTS) addresses.set(endpoint, await start(endpoint));
    const address = (endpoint: Endpoint) => addresses.get(endpoint)!;
    const pools = CASES.map(({ endpoints, out }, i) => {
      const state = out === true ? "down" : "max_fails=0";
      const servers = endpoints.map((endpoint) => `server ${address(endpoint)} ${state};`);
      return `upstream pool${i} { ${servers.join(" ")} }`;
    });
    const locations = CASES.map(
      ({ directives }, i) =>
        `location = /${i} { include uwsgi_params; uwsgi_read_timeout 300ms; ${directives ?? ""} uwsgi_pass pool${i}; }`,
    );
    const rules = CASES.map(({ endpoints, out, options }, i) => ({
      matches: [{ path: { type: "Exact", value: `/${i}` } }],
      backendRefs: endpoints.map((endpoint) => ({ socket: address(endpoint), weight: out === true ? 0 : 1 })),
      timeouts: { read: "300ms" },
      health: { maxFails: 0 },
      ...options,
    }));
    [nginx, gateway] = await Promise.all([
      startNginx({ serverName: HOST, http: pools.join("\n"), server: locations.join("\n") }),
      startGateway({ manifests: manifests(rules) }),
    ]);
  });

  for (const [i, each] of CASES.entries()) {
    const verdict = each.differs === undefined ? "same" : `differs: ${each.differs}`;
    test(`${each.name} — ${verdict}`, async () => {
      const [fromNginx, fromGateway] = await Promise.all(
        [nginx, gateway].map(({ port }) => statuses(port, each.method ?? "GET", `/${i}`)),
      );
      expect({ nginx: fromNginx! }).toEqual({ nginx: [...(each.same ?? each.nginx!)] });
      expect({ gateway: fromGateway! }).toEqual({ gateway: [...(each.same ?? each.gateway!)] });
    });
  }
});

/** Rules by the dozen, a UwsgiRoute for each few: an object has room for so many only. */
function manifests(rules: readonly Rule[]): Record<string, string> {
  const files: Record<string, string> = {};
  for (let from = 0; from < rules.length; from += 10) {
    files[`${from}.json`] = routeManifest(`part-${from}`, rules.slice(from, from + 10), [HOST]);
  }
  return files;
}

/** Of four requests, one after another. */
async function statuses(port: number, method: string, target: string): Promise<number[]> {
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    const length = method === "GET" || method === "HEAD" ? "" : "Content-Length: 2\r\n";
    const send = `${method} ${target} HTTP/1.1\r\nHost: ${HOST}\r\n${length}\r\n${length === "" ? "" : "hi"}`;
    const { response } = await rawExchange(port, send, { lingerMs: 0, timeoutMs: 2_000 });
    seen.push(response.complete ? response.status : 0);
  }
  return seen.sort((a, b) => a - b);
}

async function start(endpoint: Endpoint): Promise<string> {
  if (endpoint === "dead unix") return `unix:${join(temporaryFolder("dead"), "s")}`;
  if (endpoint === "dead tcp") return `127.0.0.1:${await freePort()}`;
  const act = BEHAVIOUR[endpoint];
  const upstream = await startScriptedUpstream({
    script: async (connection, index) => {
      const packet = await connection.readPacket();
      await connection.readBytes(Number(packet.get("CONTENT_LENGTH") || 0));
      await act(connection, index);
    },
  });
  return upstream.address;
}

const says =
  (text: string): UpstreamScript =>
  async (connection) => {
    await connection.send(text);
    connection.end();
  };

const BEHAVIOUR: Readonly<Record<Exclude<Endpoint, "dead unix" | "dead tcp">, UpstreamScript>> = {
  good: says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"),
  closes: (connection) => connection.end(),
  resets: (connection) => connection.reset(),
  silent: async (connection) => {
    await connection.peerClosed;
    connection.end();
  },
  "half head": says("HTTP/1.1 200 OK\r\nContent-Le"),
  garbage: says("HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n"),
  "half body": says("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngo"),
  stalls: async (connection) => {
    await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngo");
    await connection.peerClosed;
    connection.end();
  },
  "503": says("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"),
  "404": says("HTTP/1.1 404 Not Here\r\nContent-Length: 4\r\n\r\nnone"),
};
