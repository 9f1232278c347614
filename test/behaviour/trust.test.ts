/**
 * Proves that the app never sees what a client forged to look like the gateway's (section 3 of the wire rules): forwarded headers,
 * `Proxy`, hop-by-hop fields; and that trusted proxies are believed. The NGINX beside it is configured as its guide for uWSGI says.
 */
import { afterAll, beforeAll, describe } from "bun:test";
import { stopAll } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { get, HOST, type Pair, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

/** The guide's four lines. */
const PARAMS = {
  Host: "$host",
  "X-Real-IP": "$remote_addr",
  "X-Forwarded-For": "$proxy_add_x_forwarded_for",
  "X-Forwarded-Proto": "$http_x_forwarded_proto",
};
const LOCATION = Object.entries(PARAMS)
  .map(([name, value]) => `uwsgi_param ${name} ${value};`)
  .join("\n");

const FORGED = [
  "X-Forwarded-For: 203.0.113.9",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Host: bank.test",
  "X-Forwarded-Port: 443",
  "X-Forwarded-SSL: on",
  "X-Real-IP: 203.0.113.9",
  "Forwarded: for=203.0.113.9;proto=https",
];
const FORGED_VARS = {
  HTTP_X_FORWARDED_FOR: "203.0.113.9",
  HTTP_X_FORWARDED_PROTO: "https",
  HTTP_X_FORWARDED_HOST: "bank.test",
  HTTP_X_FORWARDED_PORT: "443",
  HTTP_X_FORWARDED_SSL: "on",
  HTTP_X_REAL_IP: "203.0.113.9",
  HTTP_FORWARDED: "for=203.0.113.9;proto=https",
};
const OUR_VARS = {
  HTTP_X_FORWARDED_FOR: "127.0.0.1",
  HTTP_X_FORWARDED_PROTO: "http",
  HTTP_X_FORWARDED_HOST: HOST,
  HTTP_X_FORWARDED_PORT: "listener's",
  HTTP_X_FORWARDED_SSL: undefined,
  HTTP_X_REAL_IP: "127.0.0.1",
  HTTP_FORWARDED: `for=127.0.0.1;host="${HOST}";proto=http`,
};
const absent = (vars: object) => Object.fromEntries(Object.keys(vars).map((name) => [name, undefined]));

describeWith(["uwsgi", "nginx"], "a client that is trusted with nothing", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ rule: { uwsgi: { params: PARAMS } }, location: LOCATION });
  });

  describe("forwarded headers", () => {
    runCases(
      () => pair,
      [
        {
          name: "none sent: the gateway says them all",
          send: get("/"),
          differs: "forwarded-set",
          nginx: { app: absent(OUR_VARS), urlScheme: "http" },
          gateway: { app: OUR_VARS, urlScheme: "http" },
        },
        {
          name: "all forged: none comes through",
          send: get("/", ...FORGED),
          differs: "forwarded-set",
          nginx: { app: { ...FORGED_VARS, "X-Forwarded-For": "203.0.113.9, 127.0.0.1" }, urlScheme: "https" },
          gateway: { app: { ...OUR_VARS, "X-Forwarded-For": "127.0.0.1" }, urlScheme: "http" },
        },
        {
          name: "forged twice, in odd case",
          send: get("/", "x-forwarded-PROTO: https", "X-Forwarded-Proto: https"),
          differs: "forwarded-set",
          nginx: { urlScheme: "https" },
          gateway: { urlScheme: "http", app: { HTTP_X_FORWARDED_PROTO: "http" } },
        },
        {
          name: "forged with underscores",
          send: get("/", "X_Forwarded_Proto: https", "X_Forwarded-SSL: on"),
          differs: "forwarded-set",
          nginx: { urlScheme: "http", app: { HTTP_X_FORWARDED_PROTO: undefined } },
          gateway: { urlScheme: "http", app: OUR_VARS },
        },
        {
          name: "the guide's line for X-Forwarded-Proto is safe",
          send: get("/", "X-Forwarded-Proto: https"),
          differs: "forwarded-set",
          nginx: { app: { "X-Forwarded-Proto": "https" } },
          gateway: { app: { "X-Forwarded-Proto": "http" } },
        },
        {
          name: "the guide's line for X-Forwarded-For does not pass the client's on",
          send: get("/", "X-Forwarded-For: 203.0.113.9"),
          differs: "forwarded-set",
          nginx: { app: { "X-Forwarded-For": "203.0.113.9, 127.0.0.1", "X-Real-IP": "127.0.0.1" } },
          gateway: { app: { "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1" } },
        },
        {
          name: "X-Forwarded-Host is the Host as sent",
          send: "GET / HTTP/1.1\r\nHost: SITE.test:81\r\n\r\n",
          differs: "forwarded-set",
          nginx: { app: { Host: HOST } },
          gateway: { app: { HTTP_X_FORWARDED_HOST: "SITE.test:81", Host: HOST } },
        },
      ],
    );
  });

  describe("fields of one connection", () => {
    const stops = (line: string, name: string, value: string) =>
      ({
        name: line,
        send: get("/", line),
        differs: "hop-by-hop",
        nginx: { status: 200, app: { [name]: value } },
        gateway: { status: 200, app: { [name]: undefined } },
      }) as const;
    runCases(
      () => pair,
      [
        stops("Proxy: http://evil.test", "HTTP_PROXY", "http://evil.test"),
        stops("Connection: close", "HTTP_CONNECTION", "close"),
        stops("Connection: keep-alive", "HTTP_CONNECTION", "keep-alive"),
        stops("Keep-Alive: timeout=5", "HTTP_KEEP_ALIVE", "timeout=5"),
        stops("TE: trailers", "HTTP_TE", "trailers"),
        stops("Trailer: X-Sum", "HTTP_TRAILER", "X-Sum"),
        stops("Proxy-Connection: keep-alive", "HTTP_PROXY_CONNECTION", "keep-alive"),
        stops("Proxy-Authorization: Basic YTpi", "HTTP_PROXY_AUTHORIZATION", "Basic YTpi"),
        stops("Proxy-Whatever: 1", "HTTP_PROXY_WHATEVER", "1"),
        stops("Upgrade: h2c", "HTTP_UPGRADE", "h2c"),
        {
          name: "what Connection names",
          send: get("/", "Connection: X-Hop, close", "X-Hop: 1", "X-Stays: 2"),
          differs: "hop-by-hop",
          nginx: { app: { HTTP_X_HOP: "1", HTTP_X_STAYS: "2" } },
          gateway: { app: { HTTP_X_HOP: undefined, HTTP_X_STAYS: "2", HTTP_CONNECTION: undefined } },
        },
        {
          name: "Connection cannot take Host, type or length away",
          send: `POST / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: host, content-length, content-type\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nhi`,
          same: {
            app: { HTTP_HOST: HOST, CONTENT_LENGTH: "2", CONTENT_TYPE: "a/b" },
            appBody: { length: 2 },
          },
        },
        {
          name: "Connection cannot take the gateway's own headers away",
          send: get("/", "Connection: x-forwarded-for, x-forwarded-proto, x-real-ip, forwarded"),
          differs: "hop-by-hop",
          nginx: { app: absent(OUR_VARS) },
          gateway: { app: OUR_VARS },
        },
        {
          name: "Upgrade in an upgrade is the app's",
          send: get("/", "Connection: Upgrade", "Upgrade: websocket"),
          same: { status: 200, app: { HTTP_UPGRADE: "websocket", HTTP_CONNECTION: "Upgrade" } },
        },
      ],
    );
  });
});

describeWith(["uwsgi", "nginx"], "a client that is a trusted proxy", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({
      rule: { uwsgi: { params: PARAMS } },
      location: LOCATION,
      gatewayArgs: ["--trusted-proxies", "127.0.0.0/8"],
    });
  });
  runCases(
    () => pair,
    [
      {
        name: "is believed; For is appended to",
        send: get("/", ...FORGED),
        differs: "forwarded-set",
        nginx: { app: FORGED_VARS, urlScheme: "https" },
        gateway: {
          app: { ...FORGED_VARS, HTTP_X_FORWARDED_FOR: "203.0.113.9, 127.0.0.1" },
          urlScheme: "https",
        },
      },
      {
        name: "For in two lines",
        send: get("/", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.1"),
        differs: "forwarded-set",
        nginx: { app: { "X-Forwarded-For": "203.0.113.9, 198.51.100.1, 127.0.0.1" } },
        gateway: {
          app: {
            "X-Forwarded-For": "203.0.113.9, 198.51.100.1, 127.0.0.1",
            HTTP_X_FORWARDED_FOR: "203.0.113.9, 198.51.100.1, 127.0.0.1",
          },
        },
      },
      {
        name: "what it leaves out, the gateway says",
        send: get("/", "X-Forwarded-Proto: https"),
        differs: "forwarded-set",
        nginx: { app: { HTTP_X_FORWARDED_FOR: undefined }, urlScheme: "https" },
        gateway: { app: { ...OUR_VARS, HTTP_X_FORWARDED_PROTO: "https" }, urlScheme: "https" },
      },
      {
        name: "hop-by-hop fields stop all the same",
        send: get("/", "Proxy: http://evil.test"),
        differs: "hop-by-hop",
        nginx: { app: { HTTP_PROXY: "http://evil.test" } },
        gateway: { app: { HTTP_PROXY: undefined } },
      },
    ],
  );
});
