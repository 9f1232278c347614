/**
 * Proves which host a request is for, and what the app is told of it (section 2 of the wire rules): Host, absolute-form targets, and
 * what is refused.
 */
import { afterAll, beforeAll, describe } from "bun:test";
import { stopAll } from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { type Case, get, HOST, type Pair, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const ALIAS = "alias.test";

/** A GET with these lines after the first. */
const raw = (target: string, ...lines: readonly string[]) =>
  [`GET ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n");
const forHost = (host: string) => raw("/", `Host: ${host}`);
const REFUSED = { status: 400, app: 0, ending: "closed" } as const;

describeWith(["uwsgi", "nginx"], "a site with names", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({
      hostnames: [HOST, ALIAS, "*.wild.test"],
      location: "uwsgi_param V_HOST $host;",
      rule: { uwsgi: { params: { V_HOST: "$host" } } },
    });
  });

  const asSent = (host: string, variable = host): Case => ({
    name: JSON.stringify(host),
    send: forHost(host),
    same: { status: 200, app: { HTTP_HOST: host, SERVER_NAME: HOST, V_HOST: variable } },
  });
  const refused = (host: string): Case => ({
    name: `refused: ${JSON.stringify(host)}`,
    send: forHost(host),
    same: REFUSED,
  });

  describe("Host", () => {
    runCases(
      () => pair,
      [
        asSent(HOST),
        asSent(ALIAS),
        asSent("a.b.wild.test"),
        asSent("SiTe.TeST", HOST),
        asSent(`${HOST}.`, HOST),
        asSent(`${HOST}:8080`, HOST),
        asSent(`${HOST}.:8080`, HOST),
        asSent(`${HOST}:`, HOST),
        refused("a/b"),
        refused("a b"),
        refused("a..b"),
        refused("."),
        refused(":80"),
        refused("a\x00b"),
      ],
    );
  });

  describe("Host that is no host", () => {
    const strict = (host: string): Case => ({
      name: JSON.stringify(host),
      send: forHost(host),
      differs: "host-strict",
      nginx: { status: 200, app: { HTTP_HOST: host } },
      gateway: REFUSED,
    });
    const odd = ["a@b", "a\\b", "[::1", `${HOST},${ALIAS}`, `${HOST}:x`, `${HOST}:65536`];
    runCases(() => pair, odd.map(strict));
  });

  describe("other ways", () => {
    runCases(
      () => pair,
      [
        { name: "missing on 1.1", send: raw("/"), same: REFUSED },
        { name: "empty", send: raw("/", "Host:"), same: REFUSED },
        { name: "twice", send: raw("/", `Host: ${HOST}`, `Host: ${ALIAS}`), same: REFUSED },
        { name: "twice the same", send: raw("/", `Host: ${HOST}`, `Host: ${HOST}`), same: REFUSED },
        {
          name: "on HTTP/1.0",
          send: `GET / HTTP/1.0\r\nHost: ${ALIAS}\r\n\r\n`,
          same: { status: 200, app: { HTTP_HOST: ALIAS, SERVER_NAME: HOST } },
        },
        {
          name: "a host that nobody serves",
          send: forHost("stranger.test"),
          differs: "no-default-site",
          nginx: { status: 200, app: { HTTP_HOST: "stranger.test", SERVER_NAME: HOST } },
          gateway: { status: 404, app: 0, ending: "open" },
        },
        {
          name: "missing on 1.0",
          send: "GET / HTTP/1.0\r\n\r\n",
          same: { status: 200, app: { HTTP_HOST: undefined, SERVER_NAME: HOST }, ending: "closed" },
        },
        {
          name: "an address",
          send: forHost("127.0.0.1"),
          differs: "no-default-site",
          nginx: { status: 200, app: { HTTP_HOST: "127.0.0.1", SERVER_NAME: HOST } },
          gateway: { status: 404, app: 0, ending: "open" },
        },
      ],
    );
  });

  describe("an absolute-form target", () => {
    runCases(
      () => pair,
      [
        {
          name: "names the host that Host names",
          send: raw(`http://${HOST}/a/../b?c`, `Host: ${HOST}`),
          same: {
            status: 200,
            app: { REQUEST_URI: "/a/../b?c", PATH_INFO: "/b", QUERY_STRING: "c", V_HOST: HOST },
          },
        },
        {
          name: "beats Host",
          send: raw(`http://${ALIAS}/`, `Host: ${HOST}`),
          differs: "absolute-form-host",
          nginx: { status: 200, app: { V_HOST: ALIAS, SERVER_NAME: HOST, HTTP_HOST: HOST } },
          gateway: { status: 200, app: { V_HOST: ALIAS, SERVER_NAME: HOST, HTTP_HOST: ALIAS } },
        },
        {
          name: "with a port, https, no path",
          send: raw(`https://${HOST}:444`, `Host: ${HOST}`),
          differs: "absolute-form-host",
          nginx: { app: { REQUEST_URI: "/", PATH_INFO: "/", REQUEST_SCHEME: "http", HTTP_HOST: HOST } },
          gateway: {
            app: { REQUEST_URI: "/", PATH_INFO: "/", REQUEST_SCHEME: "http", HTTP_HOST: `${HOST}:444` },
          },
        },
        {
          name: "a query and no path",
          send: raw(`http://${HOST}?a=b`, `Host: ${HOST}`),
          differs: "absolute-form-host",
          nginx: { app: { PATH_INFO: "/", QUERY_STRING: "a=b", REQUEST_URI: "?a=b" } },
          gateway: { app: { PATH_INFO: "/", QUERY_STRING: "a=b", REQUEST_URI: "/?a=b" } },
        },
        { name: "still needs Host on 1.1", send: raw(`http://${HOST}/`), same: REFUSED },
        { name: "with user information", send: raw(`http://me@${HOST}/`, `Host: ${HOST}`), same: REFUSED },
        {
          name: "of another scheme",
          send: raw(`ftp://${HOST}/`, `Host: ${HOST}`),
          differs: "http-schemes-only",
          nginx: { status: 200, app: { HTTP_HOST: HOST } },
          gateway: REFUSED,
        },
        { name: "empty authority", send: raw("http:///a", `Host: ${HOST}`), same: REFUSED },
        {
          name: "two slashes are a path",
          send: get(`//${ALIAS}/a`),
          same: { status: 200, app: { HTTP_HOST: HOST } },
        },
      ],
    );
  });
});

describeWith(["uwsgi", "nginx"], "a site without a name", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ hostnames: [] });
  });
  runCases(
    () => pair,
    [
      {
        name: "any name",
        send: forHost("Any.test:81"),
        differs: "server-name-any-host",
        nginx: { app: { HTTP_HOST: "Any.test:81", SERVER_NAME: "" } },
        gateway: { app: { HTTP_HOST: "Any.test:81", SERVER_NAME: "any.test" } },
      },
      {
        name: "an IPv4 address",
        send: forHost("127.0.0.1:80"),
        differs: "server-name-any-host",
        nginx: { app: { HTTP_HOST: "127.0.0.1:80", SERVER_NAME: "" } },
        gateway: { app: { HTTP_HOST: "127.0.0.1:80", SERVER_NAME: "127.0.0.1" } },
      },
      {
        name: "an IPv6 address",
        send: forHost("[::1]:80"),
        differs: "server-name-any-host",
        nginx: { app: { HTTP_HOST: "[::1]:80", SERVER_NAME: "" } },
        gateway: { app: { HTTP_HOST: "[::1]:80", SERVER_NAME: "[::1]" } },
      },
      {
        name: "an underscore",
        send: forHost("a_b.test"),
        differs: "server-name-any-host",
        nginx: { app: { HTTP_HOST: "a_b.test", SERVER_NAME: "" } },
        gateway: { app: { HTTP_HOST: "a_b.test", SERVER_NAME: "a_b.test" } },
      },
      {
        name: "none, on 1.0",
        send: "GET / HTTP/1.0\r\n\r\n",
        same: { status: 200, app: { HTTP_HOST: undefined } },
      },
    ],
  );
});
