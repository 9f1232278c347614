/**
 * Proves that the app is told what NGINX tells it: the standard vars and the path (section 2 of the wire rules), the
 * client's fields as HTTP_*, and the params of a route, variable by variable.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  rawExchange,
  startGateway,
  startNginx,
  startScriptedUpstream,
  stopAll,
  type UwsgiPacket,
} from "../harness/index.ts";
import { describeWith } from "../harness/suite.ts";
import { forwardTo, routeManifest } from "./routes.ts";
import { get, HOST, type Pair, request, runCases, startPair } from "./side-by-side.ts";

afterAll(stopAll);

const path = (pathInfo: string, requestUri: string, query = "") => ({
  status: 200,
  app: { PATH_INFO: pathInfo, REQUEST_URI: requestUri, QUERY_STRING: query },
});

describeWith(["uwsgi", "nginx"], "vars", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair();
  });

  describe("the standard set", () => {
    runCases(
      () => pair,
      [
        {
          name: "a GET",
          send: get("/some/page?a=b"),
          same: {
            status: 200,
            body: "app\n",
            app: {
              QUERY_STRING: "a=b",
              REQUEST_METHOD: "GET",
              CONTENT_TYPE: "",
              CONTENT_LENGTH: "",
              REQUEST_URI: "/some/page?a=b",
              PATH_INFO: "/some/page",
              SERVER_PROTOCOL: "HTTP/1.1",
              REQUEST_SCHEME: "http",
              HTTPS: undefined,
              REMOTE_ADDR: "127.0.0.1",
              REMOTE_PORT: "client's",
              SERVER_PORT: "listener's",
              SERVER_NAME: HOST,
              HTTP_HOST: HOST,
            },
            urlScheme: "http",
          },
        },
        {
          name: "a POST: type and length under both names",
          send: request("POST", "/form", ["Content-Type: text/x"], "12345"),
          same: {
            status: 200,
            app: {
              CONTENT_TYPE: "text/x",
              CONTENT_LENGTH: "5",
              HTTP_CONTENT_TYPE: "text/x",
              HTTP_CONTENT_LENGTH: "5",
            },
            appBody: { length: 5 },
          },
        },
        {
          name: "a POST with an empty body",
          send: request("POST", "/form", ["Content-Length: 0"]),
          same: {
            status: 200,
            app: { CONTENT_LENGTH: "0", HTTP_CONTENT_LENGTH: "0" },
            appBody: { length: 0 },
          },
        },
        {
          name: "a POST without a body",
          send: request("POST", "/form"),
          same: { status: 200, app: { CONTENT_LENGTH: "", HTTP_CONTENT_LENGTH: undefined } },
        },
        {
          name: "HTTP/1.0",
          send: `GET /old HTTP/1.0\r\nHost: ${HOST}\r\n\r\n`,
          same: { status: 200, app: { SERVER_PROTOCOL: "HTTP/1.0" }, ending: "closed" },
        },
        {
          name: "a method nobody knows passes",
          send: request("FROBNICATE", "/"),
          same: { status: 200, app: { REQUEST_METHOD: "FROBNICATE" } },
        },
        {
          name: "HEAD",
          send: request("HEAD", "/"),
          same: { status: 200, app: { REQUEST_METHOD: "HEAD" }, fields: { "content-length": "4" } },
        },
      ],
    );
  });

  describe("the path", () => {
    runCases(
      () => pair,
      [
        {
          name: "decoded once, dots resolved, slashes merged",
          send: get("//a/./b/../c%20d%2Fe%3Fq"),
          same: path("/a/c d/e?q", "//a/./b/../c%20d%2Fe%3Fq"),
        },
        { name: "an empty query", send: get("/?"), same: path("/", "/?") },
        { name: "a query with question marks", send: get("/a??b=?"), same: path("/a", "/a??b=?", "?b=?") },
        {
          name: "a query is not decoded",
          send: get("/?a=%41+%zz"),
          same: path("/", "/?a=%41+%zz", "a=%41+%zz"),
        },
        {
          name: "an escaped percent sign is decoded once",
          send: get("/%2541"),
          same: path("/%41", "/%2541"),
        },
        { name: "UTF-8, escaped", send: get("/caf%C3%A9"), same: path("/caf\xc3\xa9", "/caf%C3%A9") },
        {
          name: "UTF-8, raw",
          send: get("/caf\xc3\xa9?\xc3\xa9"),
          same: path("/caf\xc3\xa9", "/caf\xc3\xa9?\xc3\xa9", "\xc3\xa9"),
        },
        { name: "a plus sign stays", send: get("/a+b"), same: path("/a+b", "/a+b") },
        { name: "a trailing dot segment", send: get("/a/b/.."), same: path("/a/", "/a/b/..") },
        { name: "a trailing dot", send: get("/a/."), same: path("/a/", "/a/.") },
        {
          name: "dots that are no segment",
          send: get("/a/...b/..c/d.."),
          same: path("/a/...b/..c/d..", "/a/...b/..c/d.."),
        },
        { name: "escaped dots are segments", send: get("/a/%2e%2e/b"), same: path("/b", "/a/%2e%2e/b") },
        {
          name: "an escaped slash makes segments",
          send: get("/a%2F..%2Fb"),
          same: path("/b", "/a%2F..%2Fb"),
        },
        { name: "a backslash is no slash", send: get("/a\\..\\b"), same: path("/a\\..\\b", "/a\\..\\b") },
        { name: "slashes at the end", send: get("/a//"), same: path("/a/", "/a//") },
        {
          name: "a fragment",
          send: get("/a#b"),
          differs: "no-fragment",
          nginx: path("/a", "/a#b"),
          gateway: { status: 400, app: 0, ending: "closed" },
        },
        {
          name: "control bytes escaped",
          send: get("/a%0d%0ab%7f"),
          same: path("/a\r\nb\x7f", "/a%0d%0ab%7f"),
        },
        { name: "above the root", send: get("/../x"), same: { status: 400, app: 0, ending: "closed" } },
        {
          name: "above the root later",
          send: get("/a/../../x"),
          same: { status: 400, app: 0, ending: "closed" },
        },
        { name: "an escaped NUL", send: get("/a%00b"), same: { status: 400, app: 0, ending: "closed" } },
        { name: "a bad escape", send: get("/%zz"), same: { status: 400, app: 0, ending: "closed" } },
        { name: "half an escape", send: get("/a%4"), same: { status: 400, app: 0, ending: "closed" } },
        { name: "a raw space", send: get("/a b"), same: { status: 400, app: 0, ending: "closed" } },
        { name: "no slash at the front", send: get("a"), same: { status: 400, app: 0, ending: "closed" } },
      ],
    );
  });

  describe("fields", () => {
    runCases(
      () => pair,
      [
        {
          name: "any name: upper case, _ for -",
          send: get("/", "x-SoMe-name: v", "X1-2: w", "Accept: */*", "User-Agent: t/1"),
          same: {
            app: { HTTP_X_SOME_NAME: "v", HTTP_X1_2: "w", HTTP_ACCEPT: "*/*", HTTP_USER_AGENT: "t/1" },
          },
        },
        {
          name: "raw UTF-8 and obs-text stay bytes",
          send: get("/", "X-A: caf\xc3\xa9 \xff"),
          same: { app: { HTTP_X_A: "caf\xc3\xa9 \xff" } },
        },
        { name: "an empty value", send: get("/", "X-A:"), same: { app: { HTTP_X_A: "" } } },
        {
          name: "spaces around a value",
          send: get("/", "X-A:   b c   "),
          same: { app: { HTTP_X_A: "b c" } },
        },
        {
          name: "tabs around a value",
          send: get("/", "X-A: \t b c \t "),
          differs: "blanks-trimmed",
          nginx: { app: { HTTP_X_A: "\t b c \t" } },
          gateway: { app: { HTTP_X_A: "b c" } },
        },
        {
          name: "duplicates",
          send: get("/", "X-A: 1", "X-B: 9", "x-a: 2", "X-A: 3"),
          differs: "duplicates-joined",
          nginx: { app: { HTTP_X_A: "3", HTTP_X_B: "9" } },
          gateway: { app: { HTTP_X_A: "1, 2, 3", HTTP_X_B: "9" } },
        },
        {
          name: "cookies",
          send: get("/", "Cookie: a=1", "Cookie: b=2; c=3"),
          differs: "duplicates-joined",
          nginx: { app: { HTTP_COOKIE: "b=2; c=3" } },
          gateway: { app: { HTTP_COOKIE: "a=1; b=2; c=3" } },
        },
        {
          name: "Accept, twice",
          send: get("/", "Accept: text/html", "Accept: text/plain"),
          differs: "duplicates-joined",
          nginx: { app: { HTTP_ACCEPT: "text/plain" } },
          gateway: { app: { HTTP_ACCEPT: "text/html, text/plain" } },
        },
        {
          name: "an underscore in a name",
          send: get("/", "X_A: forged", "X-A: true"),
          same: { app: { HTTP_X_A: "true" } },
        },
        {
          name: "only with an underscore",
          send: get("/", "X_B: forged"),
          same: { app: { HTTP_X_B: undefined } },
        },
        {
          name: "other characters in a name",
          send: get("/", "X.A: 1", "X!B: 2", "X~C: 3"),
          same: { status: 200, app: { "HTTP_X.A": undefined, "HTTP_X!B": undefined } },
        },
        {
          name: "authorization",
          send: get("/", "Authorization: Basic YTpi"),
          same: { app: { HTTP_AUTHORIZATION: "Basic YTpi" } },
        },
        {
          name: "ranges and conditions are the app's",
          send: get("/", "Range: bytes=0-1", 'If-None-Match: "a"', "If-Modified-Since: x"),
          same: {
            status: 200,
            app: { HTTP_RANGE: "bytes=0-1", HTTP_IF_NONE_MATCH: '"a"', HTTP_IF_MODIFIED_SINCE: "x" },
          },
        },
      ],
    );
  });
});

/** Every variable, with the same spelling in both. */
const VARIABLES = [
  ...["args", "document_root", "host", "https", "proxy_add_x_forwarded_for", "query_string", "remote_addr"],
  ...["request_method", "request_uri", "scheme", "server_name", "server_protocol", "uri"],
  ...["http_x_some", "arg_name", "cookie_name", "http_user_agent"],
];

describeWith(["uwsgi", "nginx"], "params", () => {
  let pair: Pair;
  beforeAll(async () => {
    const params: Record<string, unknown> = Object.fromEntries(
      VARIABLES.map((name) => [`V_${name}`, `$${name}`]),
    );
    Object.assign(params, {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the route's.
      JOINED: "<${host}>${request_method}$uri",
      LITERAL: 'caf\u00e9 "quoted"',
      EMPTY: "$arg_absent",
      NOT_EMPTY: { value: "$arg_absent", ifNotEmpty: true },
      HTTP_X_REPLACED: "ours",
      HTTP_X_REMOVED: "",
      SERVER_NAME: "other",
    });
    pair = await startPair({
      uwsgiOptions: ["--buffer-size", "8192"],
      rule: { uwsgi: { params, bufferSize: 8192 } },
      location: `
        ${VARIABLES.map((name) => `uwsgi_param V_${name} $${name};`).join("\n")}
        uwsgi_param JOINED "<\${host}>\${request_method}$uri";
        uwsgi_param LITERAL 'caf\u00e9 "quoted"';
        uwsgi_param EMPTY $arg_absent;
        uwsgi_param NOT_EMPTY $arg_absent if_not_empty;
        uwsgi_param HTTP_X_REPLACED ours;
        uwsgi_param HTTP_X_REMOVED "";
        uwsgi_param SERVER_NAME other;`,
    });
  });

  runCases(
    () => pair,
    [
      {
        name: "every variable",
        send: get("//a/%62?NAME=x%20y&name=z", "X-Some: s1", "Cookie: other=1; name=c v", "User-Agent: ua"),
        same: {
          app: {
            DOCUMENT_ROOT: "/srv/www",
            V_args: "NAME=x%20y&name=z",
            V_query_string: "NAME=x%20y&name=z",
            V_document_root: "/srv/www",
            V_host: HOST,
            V_https: "",
            V_proxy_add_x_forwarded_for: "127.0.0.1",
            V_remote_addr: "127.0.0.1",
            V_request_method: "GET",
            V_request_uri: "//a/%62?NAME=x%20y&name=z",
            V_scheme: "http",
            V_server_name: HOST,
            V_server_protocol: "HTTP/1.1",
            V_uri: "/a/b",
            V_http_x_some: "s1",
            V_arg_name: "x%20y",
            V_cookie_name: "c v",
            V_http_user_agent: "ua",
            JOINED: `<${HOST}>GET/a/b`,
            LITERAL: 'caf\xc3\xa9 "quoted"',
          },
        },
      },
      {
        name: "a cookie's name in another case",
        send: get("/", "Cookie: Name=one; name=two"),
        same: { app: { V_cookie_name: "one" } },
      },
      {
        name: "variables without a value",
        send: get("/"),
        same: {
          app: { V_http_x_some: "", V_arg_name: "", V_cookie_name: "", EMPTY: "", NOT_EMPTY: undefined },
        },
      },
      {
        name: "HTTP_X replaces the client's, an empty literal removes it",
        send: get("/", "X-Replaced: theirs", "x-replaced: more", "X-Removed: theirs"),
        same: { app: { HTTP_X_REPLACED: "ours", HTTP_X_REMOVED: undefined } },
      },
      {
        name: "a param may stand for a standard var",
        send: get("/"),
        same: { app: { SERVER_NAME: "other" } },
      },
      {
        name: "$host: lower case, no port, no dot at the end",
        send: "GET / HTTP/1.1\r\nHost: SITE.test.:8080\r\n\r\n",
        same: { app: { V_host: HOST, HTTP_HOST: "SITE.test.:8080" } },
      },
    ],
  );
});

describeWith(["uwsgi", "nginx"], "a route's own shape", () => {
  let pair: Pair;
  beforeAll(async () => {
    const at = (value: string) => ({
      matches: [{ path: { type: "PathPrefix", value } }],
      backendRefs: [{ socket: "UPSTREAM" }],
    });
    pair = await startPair({
      rules: [
        { ...at("/main"), uwsgi: { scriptName: "/main" } },
        { ...at("/slashes"), uwsgi: { mergeSlashes: false } },
      ],
      // `SCRIPT_NAME` and a cut PATH_INFO as uWSGI's documentation has it: `uwsgi_param SCRIPT_NAME /main` and `--manage-script-name`.
      server: `
        location ~ ^/main(?<rest>/.*|$) {
          include uwsgi_params; uwsgi_param SCRIPT_NAME /main; uwsgi_param PATH_INFO $rest; uwsgi_pass UPSTREAM;
        }`,
    });
  });
  runCases(
    () => pair,
    [
      {
        name: "a mount: the rest of the path",
        send: get("/main/a%20b?c"),
        same: { app: { SCRIPT_NAME: "/main", PATH_INFO: "/a b", REQUEST_URI: "/main/a%20b?c" } },
      },
      {
        name: "a mount: its root",
        send: get("/main/"),
        same: { app: { SCRIPT_NAME: "/main", PATH_INFO: "/" } },
      },
      {
        name: "a mount: no slash",
        send: get("/main"),
        same: { app: { SCRIPT_NAME: "/main", PATH_INFO: "" } },
      },
      {
        name: "a mount: not a longer word",
        send: get("/mainly"),
        same: { app: { SCRIPT_NAME: undefined, PATH_INFO: "/mainly" } },
      },
    ],
  );
});

describeWith(["uwsgi", "nginx"], "slashes kept", () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ server: "merge_slashes off;", rule: { uwsgi: { mergeSlashes: false } } });
  });
  runCases(
    () => pair,
    [
      { name: "as they are", send: get("//a///b//"), same: path("//a///b//", "//a///b//") },
      { name: "with dots between", send: get("/a//b/.././/c"), same: path("/a///c", "/a//b/.././/c") },
      {
        name: "a step up from between two",
        send: get("/a//../b/.//c"),
        differs: "step-up-whole",
        nginx: path("/a/b//c", "/a//../b/.//c"),
        gateway: path("/b//c", "/a//../b/.//c"),
      },
      { name: "escaped ones", send: get("/a/%2F/b"), same: path("/a///b", "/a/%2F/b") },
    ],
  );
});

describeWith(["nginx"], "variables without a fixed value", () => {
  const VARIABLES = ["remote_port", "server_port", "request_id", "time_iso8601"];
  const TLS_VARIABLES = ["ssl_client_verify", "ssl_client_s_dn", "ssl_server_name"];
  let packets: readonly [nginx: UwsgiPacket, gateway: UwsgiPacket];
  beforeAll(async () => {
    const upstream = await startScriptedUpstream({
      script: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    });
    const names = [...VARIABLES, ...TLS_VARIABLES];
    const params = Object.fromEntries(names.map((name) => [`V_${name}`, `$${name}`]));
    const uwsgi = { params };
    const [nginx, gateway] = await Promise.all([
      startNginx({
        server: `location / {
          include uwsgi_params; uwsgi_pass ${upstream.address};
          ${names.map((name) => `uwsgi_param V_${name} $${name};`).join("\n")}
        }`,
      }),
      startGateway({
        manifests: { "site.json": routeManifest(HOST, [forwardTo(upstream.address, { uwsgi })]) },
      }),
    ]);
    for (const { port } of [nginx, gateway]) await rawExchange(port, get("/"), { lingerMs: 0 });
    packets = [upstream.packets[0]!, upstream.packets[1]!];
  });

  test("have the same form", () => {
    for (const packet of packets) {
      expect(packet.get("V_remote_port")).toBe(packet.get("REMOTE_PORT")!);
      expect(packet.get("V_server_port")).toBe(packet.get("SERVER_PORT")!);
      expect(packet.get("V_request_id")).toMatch(/^[0-9a-f]{32}$/);
      expect(packet.get("V_time_iso8601")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/);
    }
  });

  test("are empty where they are about TLS and there is none", () => {
    for (const packet of packets) {
      for (const name of TLS_VARIABLES) expect([name, packet.get(`V_${name}`)]).toEqual([name, ""]);
    }
  });
});
