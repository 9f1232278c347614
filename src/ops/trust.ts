/** Which peers may speak for others: `--trusted-proxies` as a fast yes or no per address. */

import ipaddr from "ipaddr.js";

/** Answers kept per process. Peers that ask often are few; the rest must not fill the memory. */
const MAX_REMEMBERED = 4096;

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Parses `10.0.0.0/8`, `fd00::/8`, or a single address. An IPv4 range written as IPv4-mapped IPv6
 * (`::ffff:10.0.0.0/104`) is the IPv4 range. Throws `RangeError` with what was expected.
 */
export function parseCidr(text: string): Range {
  try {
    const [address, bits] = text.includes("/") ? ipaddr.parseCIDR(text) : single(text);
    if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96) {
      return [address.toIPv4Address(), bits - 96];
    }
    return [address, bits];
  } catch {
    throw new RangeError("expected an address or a CIDR such as 10.0.0.0/8 or fd00::/8");
  }
}

function single(text: string): Range {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text) && !ipaddr.IPv6.isValid(text)) throw new RangeError(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

/**
 * A test for peer addresses as sockets give them (`10.1.2.3`, `::1`, `::ffff:10.1.2.3`). What is no address is
 * not trusted.
 */
export function createTrust(cidrs: readonly string[]): (address: string) => boolean {
  const ranges = cidrs.map(parseCidr);
  if (ranges.length === 0) return () => false;
  const remembered = new Map<string, boolean>();
  return (address) => {
    const known = remembered.get(address);
    if (known !== undefined) return known;
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    const trusted = isWithin(address, ranges);
    remembered.set(address, trusted);
    return trusted;
  };
}

function isWithin(text: string, ranges: readonly Range[]): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  return ranges.some(
    ([base, bits]) =>
      base.kind() === address.kind() && (address as ipaddr.IPv4).match(base as ipaddr.IPv4, bits),
  );
}
