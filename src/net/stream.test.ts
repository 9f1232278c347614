/** Proves how an endpoint's address is taken apart, and that what is none is refused. */
import { describe, expect, test } from "bun:test";
import { parseAddress } from "./stream.ts";

describe("an endpoint's address", () => {
  test.each([
    ["unix:/run/uwsgi/app.sock", { unix: "/run/uwsgi/app.sock" }],
    ["unix:/run/with space:and colon", { unix: "/run/with space:and colon" }],
    ["10.0.0.1:29000", { hostname: "10.0.0.1", port: 29_000 }],
    ["[fd00::1]:1", { hostname: "fd00::1", port: 1 }],
    ["[::ffff:10.0.0.1]:65535", { hostname: "::ffff:10.0.0.1", port: 65_535 }],
    ["localhost:80", { hostname: "localhost", port: 80 }],
  ])("%s", (address, target) => {
    expect(parseAddress(address)).toEqual(target);
  });

  test.each(["", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:123456", "10.0.0.1:1x"])(
    "%p is none: the port",
    (address) => {
      expect(() => parseAddress(address)).toThrow(RangeError);
    },
  );

  test.each([":80", "fd00::1:80", "[fd00::1]", "[fd00::1]80", "[]:80", "[fd00::1", "[host]:80"])(
    "%p is none: the host",
    (address) => {
      expect(() => parseAddress(address)).toThrow(RangeError);
    },
  );
});
