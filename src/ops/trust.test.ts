// Proves: who is trusted by a list of CIDRs, in both families and IPv4-mapped form, and that memory stays bounded.
import { describe, expect, test } from "bun:test";
import { createTrust, parseCidr } from "./trust.ts";

describe("createTrust", () => {
  const trusts = createTrust(["10.0.0.0/8", "192.168.1.7", "fd00::/8", "::1", "::ffff:172.16.0.0/108"]);

  test.each([
    ["10.1.2.3", true],
    ["11.1.2.3", false],
    ["::ffff:10.1.2.3", true],
    ["::ffff:11.1.2.3", false],
    ["192.168.1.7", true],
    ["192.168.1.8", false],
    ["fd12::1", true],
    ["fe80::1", false],
    ["fe80::1%eth0", false],
    ["::1", true],
    ["172.20.0.1", true],
    ["172.32.0.1", false],
    ["", false],
    ["unix:", false],
    ["10.1.2.3, 1.1.1.1", false],
  ])("%s: %p", (address, expected) => {
    expect(trusts(address)).toBe(expected);
    expect(trusts(address)).toBe(expected);
  });

  test("trusts nobody without a list", () => {
    expect(createTrust([])("127.0.0.1")).toBe(false);
  });

  test("whole families", () => {
    expect(createTrust(["0.0.0.0/0"])("8.8.8.8")).toBe(true);
    expect(createTrust(["0.0.0.0/0"])("2001:db8::1")).toBe(false);
    expect(createTrust(["::/0"])("2001:db8::1")).toBe(true);
    expect(createTrust(["::/0"])("8.8.8.8")).toBe(false);
  });

  test("stays right over many more peers than it remembers", () => {
    for (let i = 0; i < 20_000; i++) {
      const rest = `${(i >> 8) & 255}.${i & 255}.1`;
      expect(trusts(`10.${rest}`)).toBe(true);
      expect(trusts(`12.${rest}`)).toBe(false);
    }
  });

  test.each(["10.0.0.0/33", "10", "10.0.0", "nobody", "", "fd00::/129", "10.0.0.0/"])(
    "refuses %p",
    (text) => {
      expect(() => parseCidr(text)).toThrow(RangeError);
    },
  );
});
