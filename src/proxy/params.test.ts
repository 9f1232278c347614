/** Proves the corner cases of NGINX's variables in params; that each has its plain meaning is held by `vars.test.ts`. */
import { describe, expect, test } from "bun:test";
import type { UwsgiSettings } from "../snapshot/snapshot.ts";
import { parseTemplate } from "../snapshot/template.ts";
import { paramValue } from "./params.ts";
import { type RequestGiven, requestOf, targetOf } from "./request.fixture.ts";
import type { SentAs } from "./vars.ts";

interface Given extends RequestGiven {
  readonly uwsgi?: Partial<UwsgiSettings>;
  readonly serverName?: string;
  readonly as?: Partial<SentAs>;
}

function rendered(template: string, given: Given = {}): string {
  const request = requestOf(given);
  const { method, path } = request;
  const as = { method, path, contentLength: -1, redirectQuery: undefined, ...given.as };
  const late = { id: "id-1", epochMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  return paramValue(parseTemplate(template), request, targetOf(given.uwsgi, given.serverName), as, late);
}

describe("$arg_", () => {
  const line = "GET /?A=1&a=2&b&c=&=d&e=%20x&f=g=h HTTP/1.1";
  test.each([
    ["$arg_a", "1"],
    ["$arg_A", "1"],
    ["$arg_b", ""],
    ["$arg_c", ""],
    ["$arg_e", "%20x"],
    ["$arg_f", "g=h"],
    ["$arg_nothing", ""],
  ])("%s is %p: the first of its name in any case, as it came", (template, value) => {
    expect(rendered(template, { line })).toBe(value);
  });
});

describe("$cookie_", () => {
  const fields = ["Host: h", "Cookie: a=1;b=2", "Cookie: c=x=y;  d = 4 ; a=9; =5; E=5; f=6; F=7"];
  test.each([
    ["$cookie_a", "1"],
    ["$cookie_b", "2"],
    ["$cookie_c", "x=y"],
    ["$cookie_d", "4"],
    ["$cookie_e", "5"],
    ["$cookie_F", "6"],
    ["$cookie_nothing", ""],
  ])("%s is %p", (template, value) => {
    expect(rendered(template, { fields })).toBe(value);
  });

  test("is nothing without cookies", () => {
    expect(rendered("$cookie_a")).toBe("");
  });
});

describe("$http_", () => {
  const fields = [
    "Host: H.test:81",
    "X-A: 1",
    "x-a: 2",
    "Cookie: a=1",
    "Cookie: b=2",
    "Connection: close",
    "Proxy: evil",
    "X-Forwarded-Proto: https",
    "X-Real-IP: 198.51.100.1",
  ];
  test.each([
    ["$http_x_a", "1, 2"],
    ["$http_cookie", "a=1; b=2"],
    ["$http_host", "H.test:81"],
    ["$http_nothing", ""],
    // Of this hop, or dangerous: as if they had not come.
    ["$http_connection", ""],
    ["$http_proxy", ""],
    // After the trust rule.
    ["$http_x_forwarded_proto", "http"],
    ["$http_x_real_ip", "192.0.2.7"],
    ["$http_x_forwarded_ssl", ""],
  ])("%s is %p", (template, value) => {
    expect(rendered(template, { fields })).toBe(value);
  });

  test("from a trusted peer keeps what it says", () => {
    expect(rendered("$http_x_forwarded_proto $http_x_real_ip", { fields, trusted: true })).toBe(
      "https 198.51.100.1",
    );
  });

  test("of a handshake is there", () => {
    const upgrade = ["Host: h", "Connection: Upgrade", "Upgrade: websocket"];
    expect(rendered("$http_upgrade", { fields: upgrade })).toBe("websocket");
    expect(rendered("$http_upgrade", { fields: ["Host: h", "Upgrade: websocket"] })).toBe("");
  });
});

describe("who and where", () => {
  test("over TLS", () => {
    expect(rendered("$https $scheme", { scheme: "https" })).toBe("on https");
  });

  test("$proxy_add_x_forwarded_for appends for trusted peers only", () => {
    const fields = ["Host: h", "X-Forwarded-For: 198.51.100.1, 198.51.100.2"];
    expect(rendered("$proxy_add_x_forwarded_for", { fields })).toBe("192.0.2.7");
    expect(rendered("$proxy_add_x_forwarded_for", { fields, trusted: true })).toBe(
      "198.51.100.1, 198.51.100.2, 192.0.2.7",
    );
  });

  test("$host falls back to the server's name where HTTP/1.0 has none", () => {
    const old = { line: "GET / HTTP/1.0", fields: [] };
    expect(rendered("$host", { ...old, serverName: "example.com" })).toBe("example.com");
    expect(rendered("$host,$server_name", old)).toBe(",");
  });

  test("$server_name is the route's own", () => {
    expect(rendered("$server_name", { serverName: "example.com" })).toBe("example.com");
  });
});

test("after an internal redirect: the new path, method and query, and the first target", () => {
  const as = { method: "GET", path: "/inner", redirectQuery: "x=2" };
  const line = "POST /outer?x=1 HTTP/1.1";
  expect(rendered("$request_method $uri $args $arg_x $request_uri", { line, as })).toBe(
    "GET /inner x=2 2 /outer?x=1",
  );
});

describe("bytes", () => {
  test("of literals and of the document root are UTF-8, one character each", () => {
    const utf8 = Buffer.from("caf\u00e9 \u20ac").toString("latin1");
    expect(rendered("caf\u00e9 \u20ac")).toBe(utf8);
    expect(rendered("$document_root", { uwsgi: { documentRoot: "caf\u00e9 \u20ac" } })).toBe(utf8);
  });

  test("of the client pass as they came", () => {
    expect(rendered("$http_x_a", { fields: ["Host: h", "X-A: \xc3\xa9\xff"] })).toBe("\xc3\xa9\xff");
  });
});

test("$time_iso8601 has whole seconds, in UTC", () => {
  expect(rendered("$time_iso8601")).toBe("2026-01-02T03:04:05+00:00");
});
