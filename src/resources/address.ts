import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** `sun_path` of Linux holds 108 bytes, the last one a NUL. */
const MAX_UNIX_PATH_BYTES = 107;

/** An IP address in its one canonical spelling, so that one endpoint has one key; `undefined` if it is none. */
export function canonicalIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  return isIPv6(text) ? ipaddr.IPv6.parse(text).toString() : undefined;
}

/** `10.0.0.1:29000`, `[fd00::1]:29000`: `ip` is canonical. */
export function endpointAddress(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** A socket of a manifest (`unix:/run/app.sock`, `127.0.0.1:29000`, `localhost:29000`) as an endpoint's address. */
export function socketAddress(text: string): { address: string } | { message: string } {
  if (text.startsWith("unix:")) return unixAddress(text.slice("unix:".length));
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]+)$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined) return { message: 'must be "unix:/absolute/path" or "host:port"' };
  if (port < 1 || port > 65535) return { message: "must have a port from 1 to 65535" };
  const host = bracketed ?? plain!;
  const ip = canonicalIp(host === "localhost" ? "127.0.0.1" : host);
  if (ip === undefined)
    return { message: `must have an IP address or "localhost" as its host, not "${host}"` };
  return { address: endpointAddress(ip, port) };
}

function unixAddress(path: string): { address: string } | { message: string } {
  if (!path.startsWith("/")) return { message: 'must give an absolute path after "unix:"' };
  if (path.includes("\0")) return { message: "must not contain NUL" };
  if (Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES) {
    return { message: `must have a path of at most ${MAX_UNIX_PATH_BYTES} bytes` };
  }
  return { address: `unix:${path}` };
}
