/** Proves what an app is told of the client: addresses, the forwarded headers, and when a block of vars is used again. */
import { describe, expect, test } from "bun:test";
import { decodePacket } from "../uwsgi/decoder.ts";
import { PacketWriter } from "../uwsgi/encoder.ts";
import { ClientIdentity, varName } from "./identity.ts";
import { type RequestGiven, requestOf, targetOf } from "./request.fixture.ts";
import type { Request } from "./request.ts";

/** The forwarded headers by name. */
function forwarded(given: RequestGiven): Record<string, string> {
  const request = requestOf(given);
  const all = [...request.client.forwarded(request).values()];
  return Object.fromEntries(all.map(({ name, value }) => [name, value]));
}

/** The repeated vars, read back; fails where their count is wrong. */
function repeated(request: Request, target = targetOf()): Record<string, string> {
  const { bytes, count } = request.client.repeatedVars(request, target);
  const writer = new PacketWriter();
  writer.begin();
  writer.encoded(bytes, count);
  const { vars } = decodePacket(writer.finish(0, 0, 65_535, 1000))!;
  expect(vars.length).toBe(count);
  const text = (part: Uint8Array) => Buffer.from(part).toString("latin1");
  return Object.fromEntries(vars.map(([name, value]) => [text(name), text(value)]));
}

describe("the forwarded headers", () => {
  test("over TLS from an IPv6 client", () => {
    expect(forwarded({ address: "2001:db8::1", scheme: "https", fields: ["Host: a.test:8443"] })).toEqual({
      "X-Forwarded-For": "2001:db8::1",
      "X-Forwarded-Proto": "https",
      "X-Forwarded-Host": "a.test:8443",
      "X-Forwarded-Port": "8080",
      "X-Forwarded-SSL": "on",
      "X-Real-IP": "2001:db8::1",
      Forwarded: 'for="[2001:db8::1]";host="a.test:8443";proto=https',
    });
  });

  test("of an IPv4 client that came over an IPv6 socket name its IPv4 address", () => {
    expect(forwarded({ address: "::ffff:192.0.2.9" })).toMatchObject({
      "X-Forwarded-For": "192.0.2.9",
      Forwarded: 'for=192.0.2.9;host="h";proto=http',
    });
  });

  test("without a Host say nothing of one", () => {
    const without = forwarded({ line: "GET / HTTP/1.0", fields: [] });
    expect(without).not.toHaveProperty("X-Forwarded-Host");
    expect(without["Forwarded"]).toBe("for=192.0.2.7;proto=http");
  });

  test("from a trusted peer: what it says stays, what it leaves out is ours", () => {
    expect(forwarded({ trusted: true, fields: ["Host: h", "X-Forwarded-Proto: https"] })).toMatchObject({
      "X-Forwarded-For": "192.0.2.7",
      "X-Forwarded-Proto": "https",
      "X-Real-IP": "192.0.2.7",
    });
  });

  test("from a trusted peer on several lines are one list", () => {
    const fields = ["Host: h", "X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 198.51.100.2"];
    expect(forwarded({ trusted: true, fields })["X-Forwarded-For"]).toBe(
      "198.51.100.1, 198.51.100.2, 192.0.2.7",
    );
  });
});

describe("the repeated vars", () => {
  test.each([
    ["http", false],
    ["https", false],
    ["http", true],
  ] as const)("over %s, trusted %p, hold what they count", (scheme, trusted) => {
    const vars = repeated(requestOf({ scheme, trusted }));
    expect(vars).toMatchObject({ REMOTE_ADDR: "192.0.2.7", REMOTE_PORT: "5555", SERVER_PORT: "8080" });
    expect(vars["HTTPS"]).toBe(scheme === "https" ? "on" : (undefined as unknown as string));
    // From a trusted peer they depend on the request.
    expect("HTTP_X_FORWARDED_FOR" in vars).toBe(!trusted);
  });

  test("leave the forwarded headers to a route that replaces some", () => {
    const params = [{ name: "HTTP_X_REAL_IP", value: "", ifNotEmpty: false }];
    expect(repeated(requestOf(), targetOf({ params }))).not.toHaveProperty("HTTP_X_FORWARDED_FOR");
  });

  test("are the same object while host, version and route are the same", () => {
    const target = targetOf();
    const request = requestOf();
    const { client } = request;
    const first = client.repeatedVars(request, target);
    expect(client.repeatedVars(request, target)).toBe(first);
    expect(client.repeatedVars(requestOf({ line: "GET /other HTTP/1.1" }), target)).toBe(first);
    expect(client.repeatedVars(requestOf({ fields: ["Host: other"] }), target)).not.toBe(first);
    expect(client.repeatedVars(requestOf({ line: "GET / HTTP/1.0" }), target)).not.toBe(first);
    expect(client.repeatedVars(request, targetOf())).not.toBe(client.repeatedVars(request, target));
  });

  test("name the route's server, else the request's host", () => {
    expect(repeated(requestOf({ fields: ["Host: A.test:1"] }))["SERVER_NAME"]).toBe("a.test");
    expect(repeated(requestOf(), targetOf({}, "example.com"))["SERVER_NAME"]).toBe("example.com");
  });
});

test("field names become var names", () => {
  expect(varName("X-Forwarded-For")).toBe("HTTP_X_FORWARDED_FOR");
});

test("an address is kept as it is but for the IPv4 prefix", () => {
  expect(new ClientIdentity("::1", 1, 2, "http", false).address).toBe("::1");
});
