/**
 * File names are bytes. Inside this folder a path is a binary string, one character per byte (0 to 255), and it
 * becomes what the system calls take only at the last moment.
 */
export type SystemPath = string | Buffer;

const NOT_ASCII = /[\x80-\xff]/;

export function systemPath(binary: string): SystemPath {
  return NOT_ASCII.test(binary) ? Buffer.from(binary, "latin1") : binary;
}

/** The bytes of a configured path (UTF-8), as a binary string. */
export function binaryPath(configured: string): string {
  return Buffer.from(configured, "utf8").toString("latin1");
}

/** A copy that does not keep the larger string alive which `text` may be a slice of. */
export function detached(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}

/**
 * Must this path never be looked up? `.` and `..` cannot come out of a normalized path; they are refused here
 * again because everything else rests on it. Other names with a dot in front only where they are not wanted.
 */
export function isRefused(path: string, dotFiles: boolean): boolean {
  if (path.includes("\0")) return true;
  for (let at = path.indexOf("/."); at >= 0; at = path.indexOf("/.", at + 1)) {
    if (!dotFiles) return true;
    const end = path.indexOf("/", at + 1);
    const name = path.slice(at + 1, end < 0 ? path.length : end);
    if (name === "." || name === "..") return true;
  }
  return false;
}

/** `path` without `prefix` in front, where whole path elements match. */
export function stripPathPrefix(path: string, prefix: string): string {
  if (prefix === "" || !path.startsWith(prefix)) return path;
  return path.length === prefix.length || path[prefix.length] === "/" ? path.slice(prefix.length) : path;
}

/**
 * Percent-encodes a decoded path for a Location field, with one slash in front: two, or a slash and a backslash,
 * would name another host (RFC 3986 section 4.2, and what browsers make of it).
 */
export function encodePath(path: string): string {
  return path.replace(/^\/+/, "/").replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g, percent);
}

/** Leaves a query as the client wrote it, but for bytes that have no place in a field or would start a fragment. */
export function encodeQuery(query: string): string {
  return query.replace(/[^!$-~]/g, percent);
}

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}
