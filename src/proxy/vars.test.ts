/** Proves which vars an app gets for a request: the standard set, the client's fields, the route's params, and what never reaches it. */

import { describe, expect, test } from "bun:test";
import { REQUEST_LIMITS, RequestHeadReader } from "../http1/request-head.ts";
import type { ForwardTarget } from "../routing/table.ts";
import { planVars } from "../routing/var-plan.ts";
import type { ForwardSettings, UwsgiSettings } from "../snapshot/snapshot.ts";
import { decodePacket } from "../uwsgi/decoder.ts";
import { encodePair, PacketWriter } from "../uwsgi/encoder.ts";
import { ClientIdentity } from "./identity.ts";
import { Request } from "./request.ts";
import { buildPacket } from "./vars.ts";

interface Case {
  readonly line?: string;
  readonly fields?: readonly string[];
  readonly uwsgi?: Partial<UwsgiSettings>;
  readonly trusted?: boolean;
  readonly serverName?: string;
  readonly contentLength?: number;
}

function packetOf(request: Request, { uwsgi, serverName, contentLength = -1 }: Case): Buffer {
  const settings = {
    uwsgi: {
      modifier1: 0,
      modifier2: 0,
      scriptName: "",
      documentRoot: "/srv",
      mergeSlashes: true,
      bufferSizeBytes: 4096,
      maxVars: 64,
      params: [],
      ...uwsgi,
    },
  } as unknown as ForwardSettings;
  const target = {
    settings,
    vars: planVars(settings),
    serverName,
    serverNameVar: serverName === undefined ? undefined : encodePair("SERVER_NAME", serverName),
  } as ForwardTarget;
  const { method, path } = request;
  const as = { method, path, contentLength, redirectQuery: undefined };
  const late = { id: "id-1", epochMs: () => Date.UTC(2026, 0, 2) };
  return buildPacket(new PacketWriter(), request, target, as, late);
}

/** The vars as the app sees them: of a name that comes twice, the last. */
function varsOf(given: Case): Record<string, string> {
  const { line = "GET / HTTP/1.1", fields = ["Host: h"], trusted = false } = given;
  const head = new RequestHeadReader(REQUEST_LIMITS);
  const wire = Buffer.from(`${[line, ...fields].join("\r\n")}\r\n\r\n`, "latin1");
  expect(head.read(wire, 0, wire.length)).toBe(wire.length);
  const request = new Request(head, new ClientIdentity("192.0.2.7", 5555, 8080, "http", trusted));
  request.load();
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
  const { vars } = decodePacket(packetOf(request, given))!;
  return Object.fromEntries(vars.map(([name, value]) => [text(name), text(value)]));
}

describe("the standard set", () => {
  test("of a GET", () => {
    expect(
      varsOf({ line: "GET /a?b=c HTTP/1.1", fields: ["Host: Example.com:8080"], serverName: "example.com" }),
    ).toEqual({
      QUERY_STRING: "b=c",
      REQUEST_METHOD: "GET",
      CONTENT_TYPE: "",
      CONTENT_LENGTH: "",
      REQUEST_URI: "/a?b=c",
      PATH_INFO: "/a",
      DOCUMENT_ROOT: "/srv",
      SERVER_PROTOCOL: "HTTP/1.1",
      REQUEST_SCHEME: "http",
      REMOTE_ADDR: "192.0.2.7",
      REMOTE_PORT: "5555",
      SERVER_PORT: "8080",
      SERVER_NAME: "example.com",
      HTTP_HOST: "Example.com:8080",
      HTTP_X_FORWARDED_FOR: "192.0.2.7",
      HTTP_X_FORWARDED_PROTO: "http",
      HTTP_X_FORWARDED_HOST: "Example.com:8080",
      HTTP_X_FORWARDED_PORT: "8080",
      HTTP_X_REAL_IP: "192.0.2.7",
      HTTP_FORWARDED: 'for=192.0.2.7;host="Example.com:8080";proto=http',
    });
  });

  test("of a POST: type and length as CONTENT_* and as HTTP_CONTENT_*", () => {
    const fields = ["Host: h", "Content-Type: text/plain", "Content-Length: 3"];
    expect(varsOf({ line: "POST / HTTP/1.1", fields, contentLength: 3 })).toMatchObject({
      CONTENT_TYPE: "text/plain",
      CONTENT_LENGTH: "3",
      HTTP_CONTENT_TYPE: "text/plain",
      HTTP_CONTENT_LENGTH: "3",
    });
  });

  test("of a buffered chunked body: its length, and no HTTP_TRANSFER_ENCODING", () => {
    const vars = varsOf({
      line: "POST / HTTP/1.1",
      fields: ["Host: h", "Transfer-Encoding: chunked"],
      contentLength: 5,
    });
    expect(vars).toMatchObject({ CONTENT_LENGTH: "5" });
    expect(vars).not.toHaveProperty("HTTP_TRANSFER_ENCODING");
  });

  test("REQUEST_URI is raw, PATH_INFO decoded and normalized", () => {
    expect(varsOf({ line: "GET //a/./b/../c%20d%2Fe%3Fq HTTP/1.1" })).toMatchObject({
      REQUEST_URI: "//a/./b/../c%20d%2Fe%3Fq",
      PATH_INFO: "/a/c d/e?q",
    });
    expect(varsOf({ line: "GET /? HTTP/1.1" })).toMatchObject({
      REQUEST_URI: "/?",
      QUERY_STRING: "",
      PATH_INFO: "/",
    });
  });

  test("slashes are kept where the route says so", () => {
    expect(varsOf({ line: "GET //a//b HTTP/1.1", uwsgi: { mergeSlashes: false } }).PATH_INFO).toBe("//a//b");
  });

  test("an absolute-form target beats Host, and REQUEST_URI begins at its path", () => {
    expect(varsOf({ line: "GET http://other:81?q HTTP/1.1" })).toMatchObject({
      HTTP_HOST: "other:81",
      SERVER_NAME: "other",
      REQUEST_URI: "/?q",
      PATH_INFO: "/",
    });
  });

  test("SERVER_NAME is the request's host where the route has none: lower case, no port, no trailing dot", () => {
    expect(varsOf({ fields: ["Host: A.Example.:81"] }).SERVER_NAME).toBe("a.example");
  });

  const mounts: [path: string, scriptName: string, pathInfo: string][] = [
    ["/main", "/main", ""],
    ["/main/a", "/main", "/a"],
    ["/mainly", "", "/mainly"],
    ["/other", "", "/other"],
  ];
  for (const [path, scriptName, pathInfo] of mounts) {
    test(`under scriptName /main, ${path}`, () => {
      expect(varsOf({ line: `GET ${path} HTTP/1.1`, uwsgi: { scriptName: "/main" } })).toMatchObject({
        SCRIPT_NAME: scriptName,
        PATH_INFO: pathInfo,
      });
    });
  }
});

describe("the client's fields", () => {
  test("become HTTP_ vars, values as bytes", () => {
    expect(varsOf({ fields: ["Host: h", "x-Some-Name: caf\xc3\xa9"] }).HTTP_X_SOME_NAME).toBe("caf\xc3\xa9");
  });

  test("are joined where they repeat: with a comma, cookies with a semicolon", () => {
    const vars = varsOf({ fields: ["Host: h", "X-A: 1", "Cookie: a=1", "x-a: 2", "cookie: b=2", "X-A: 3"] });
    expect(vars).toMatchObject({ HTTP_X_A: "1, 2, 3", HTTP_COOKIE: "a=1; b=2" });
  });

  test("with other names than letters, digits and dashes are dropped", () => {
    const vars = varsOf({ fields: ["Host: h", "X_A: forged", "X-A: real", "X.B: 1", "Content_Length: 9"] });
    expect(vars.HTTP_X_A).toBe("real");
    expect(Object.keys(vars).filter((name) => /B|CONTENT_L/.test(name))).toEqual(["CONTENT_LENGTH"]);
    expect(varsOf({ fields: ["Host: h", "X_A: forged"] })).not.toHaveProperty("HTTP_X_A");
  });

  const stopped = [
    "Proxy",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Proxy-Anything",
    "pROXY-other",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Connection",
  ];
  for (const name of stopped) {
    test(`${name} never reaches the app`, () => {
      const key = `HTTP_${name.toUpperCase().replaceAll("-", "_")}`;
      expect(varsOf({ fields: ["Host: h", `${name}: x`] })).not.toHaveProperty(key);
    });
  }

  test("that Connection names never reach the app, on whichever of its lines", () => {
    const lines = [["Connection: close, X-Hop"], ["Connection: close", "Connection: x-hop"]];
    for (const connection of lines) {
      const vars = varsOf({ fields: ["Host: h", "X-Hop: 1", "X-Stays: 1", ...connection] });
      expect(vars).not.toHaveProperty("HTTP_X_HOP");
      expect(vars.HTTP_X_STAYS).toBe("1");
    }
  });

  test("Connection cannot wave away Host, nor what the gateway says of the client", () => {
    const fields = ["Host: h", "Connection: close, host, x-forwarded-for, x-real-ip"];
    expect(varsOf({ fields })).toMatchObject({
      HTTP_HOST: "h",
      HTTP_X_FORWARDED_FOR: "192.0.2.7",
      HTTP_X_REAL_IP: "192.0.2.7",
    });
  });

  test("of a WebSocket handshake reach it whole", () => {
    const fields = ["Host: h", "Connection: Upgrade", "Upgrade: websocket"];
    expect(varsOf({ fields })).toMatchObject({ HTTP_CONNECTION: "Upgrade", HTTP_UPGRADE: "websocket" });
  });
});

describe("trust", () => {
  const claims = [
    "X-Forwarded-For: 198.51.100.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: claimed",
    "X-Forwarded-Port: 443",
    "X-Forwarded-SSL: on",
    "X-Real-IP: 198.51.100.1",
    "Forwarded: for=198.51.100.1",
  ];

  test("a client's claims about itself are replaced", () => {
    const honest = varsOf({});
    expect(varsOf({ fields: ["Host: h", ...claims] })).toEqual(honest);
    expect(honest).not.toHaveProperty("HTTP_X_FORWARDED_SSL");
  });

  test("a trusted peer's count: For is appended to, the others kept", () => {
    expect(varsOf({ fields: ["Host: h", ...claims], trusted: true })).toMatchObject({
      HTTP_X_FORWARDED_FOR: "198.51.100.1, 192.0.2.7",
      HTTP_X_FORWARDED_PROTO: "https",
      HTTP_X_FORWARDED_HOST: "claimed",
      HTTP_X_FORWARDED_PORT: "443",
      HTTP_X_FORWARDED_SSL: "on",
      HTTP_X_REAL_IP: "198.51.100.1",
      HTTP_FORWARDED: "for=198.51.100.1",
    });
  });

  test("the NGINX guide's X-Forwarded-Proto line is safe", () => {
    const uwsgi = {
      params: [{ name: "X-Forwarded-Proto", value: "$http_x_forwarded_proto", ifNotEmpty: false }],
    };
    expect(varsOf({ fields: ["Host: h", ...claims], uwsgi })["X-Forwarded-Proto"]).toBe("http");
  });
});

describe("the route's params", () => {
  const withParam = (name: string, value: string, given: Case = {}) =>
    varsOf({ ...given, uwsgi: { params: [{ name, value, ifNotEmpty: false }] } });

  test("replace the client's field of that name, even by nothing", () => {
    const fields = ["Host: h", "X-A: client"];
    expect(withParam("HTTP_X_A", "ours", { fields }).HTTP_X_A).toBe("ours");
    expect(withParam("HTTP_X_A", "", { fields })).not.toHaveProperty("HTTP_X_A");
  });

  test("may be left out when empty", () => {
    const params = [{ name: "A", value: "$arg_a", ifNotEmpty: true }];
    expect(varsOf({ uwsgi: { params } })).not.toHaveProperty("A");
    expect(varsOf({ line: "GET /?a=1 HTTP/1.1", uwsgi: { params } }).A).toBe("1");
  });

  test("hold UTF-8, with and without a variable beside it", () => {
    const utf8 = Buffer.from("é €").toString("latin1");
    expect(withParam("A", "é €").A).toBe(utf8);
    expect(withParam("A", "é €$request_method").A).toBe(`${utf8}GET`);
  });

  const variables: [value: string, expected: string][] = [
    ["$host", "h.example"],
    ["$http_x_some_name", "v"],
    ["$remote_addr:$remote_port", "192.0.2.7:5555"],
    ["$scheme$https", "http"],
    ["$request_uri", "/p%61th?a=1&b=2"],
    ["$uri", "/path"],
    ["$args", "a=1&b=2"],
    ["$query_string", "a=1&b=2"],
    ["$arg_b", "2"],
    ["$cookie_c", "3"],
    ["$request_method", "GET"],
    ["$server_name", "h.example"],
    ["$server_port", "8080"],
    ["$server_protocol", "HTTP/1.1"],
    ["$document_root", "/srv"],
    ["$proxy_add_x_forwarded_for", "192.0.2.7"],
    ["$request_id", "id-1"],
    ["$time_iso8601", "2026-01-02T00:00:00+00:00"],
    ["$ssl_client_verify$ssl_client_s_dn$ssl_server_name", ""],
    [`\${scheme}s`, "https"],
  ];
  for (const [value, expected] of variables) {
    test(`${value} is ${JSON.stringify(expected)}`, () => {
      const line = "GET /p%61th?a=1&b=2 HTTP/1.1";
      const fields = ["Host: H.example.:81", "X-Some-Name: v", "Cookie: a=b; c=3"];
      expect(withParam("P", value, { line, fields }).P).toBe(expected);
    });
  }
});
