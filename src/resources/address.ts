import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";

/** `sun_path` of Linux holds 108 bytes, the last one a NUL. */
export const MAX_UNIX_PATH_BYTES = 107;

export const SOCKET_FORM_MESSAGE = 'must be "unix:/absolute/path" or "host:port"';
export const SOCKET_PORT_MESSAGE = "must have a port from 1 to 65535";
export const SOCKET_ABSOLUTE_MESSAGE = 'must give an absolute path after "unix:"';
export const SOCKET_NUL_MESSAGE = "must not contain NUL";

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
  if (digits === undefined) return { message: SOCKET_FORM_MESSAGE };
  if (port < 1 || port > 65535) return { message: SOCKET_PORT_MESSAGE };
  const host = bracketed ?? plain!;
  const ip = canonicalIp(host === "localhost" ? "127.0.0.1" : host);
  if (ip === undefined)
    return { message: `must have an IP address or "localhost" as its host, not "${host}"` };
  return { address: endpointAddress(ip, port) };
}

function unixAddress(path: string): { address: string } | { message: string } {
  if (!path.startsWith("/")) return { message: SOCKET_ABSOLUTE_MESSAGE };
  if (path.includes("\0")) return { message: SOCKET_NUL_MESSAGE };
  if (Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES) {
    return { message: `must have a path of at most ${MAX_UNIX_PATH_BYTES} bytes` };
  }
  return { address: `unix:${path}` };
}
