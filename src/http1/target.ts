/**
 * The request target (RFC 9112 section 3.2) and the Host: what is asked for, in the one form that routing, the
 * app and the file system may rely on.
 *
 * Strings here are binary: one character per byte.
 */
import { HEX_VALUE, LOWER, REG_NAME } from "./characters.ts";
import { ProtocolError, type ProtocolErrorKind } from "./protocol-error.ts";

/** Where the parts of a target lie in the head's bytes. */
export interface TargetParts {
  /** `authority` of an absolute-form target; equal when there is none. */
  authorityFrom: number;
  authorityTo: number;
  /** The raw path, percent-encoded as it came. Equal for `http://host`, which means "/". */
  pathFrom: number;
  pathTo: number;
  /** Without the question mark; equal when empty or absent. */
  queryFrom: number;
  queryTo: number;
  /** The path needs decoding or normalizing: it is not already what the app gets. */
  complex: boolean;
}

/** More than any DNS name has (RFC 1035 section 2.3.4). */
const maxHostBytes = 255;
const SLASH = 0x2f;
const DOT = 0x2e;
const PERCENT = 0x25;
const QUESTION = 0x3f;

/** Splits `bytes[from, to)`, the target of any method but CONNECT, into `parts`. Throws `ProtocolError`. */
export function splitTarget(bytes: Buffer, from: number, to: number, parts: TargetParts): void {
  let at = from;
  parts.authorityFrom = parts.authorityTo = from;
  if (bytes[at] !== SLASH) {
    at = skipScheme(bytes, from, to);
    parts.authorityFrom = at;
    while (at < to && bytes[at] !== SLASH && bytes[at] !== QUESTION) at++;
    parts.authorityTo = at;
    if (at === parts.authorityFrom) fail("bad_target");
  }
  parts.pathFrom = at;
  let complex = at === to || bytes[at] === QUESTION;
  let previous = 0;
  while (at < to) {
    const byte = bytes[at]!;
    if (byte === QUESTION) break;
    if (byte === PERCENT || ((byte === SLASH || byte === DOT) && previous === SLASH)) complex = true;
    previous = byte;
    at++;
  }
  parts.pathTo = at;
  parts.queryFrom = Math.min(at + 1, to);
  parts.queryTo = to;
  parts.complex = complex;
}

function skipScheme(bytes: Buffer, from: number, to: number): number {
  for (const scheme of ["http://", "https://"]) {
    if (to - from <= scheme.length) continue;
    let same = true;
    for (let i = 0; i < scheme.length && same; i++) same = LOWER[bytes[from + i]!] === scheme.charCodeAt(i);
    if (same) return from + scheme.length;
  }
  return fail("bad_target");
}

/**
 * The path as the app gets it: percent-decoded once, dot segments resolved, and (unless `mergeSlashes` is false)
 * runs of slashes made one. Decoding comes first, so that an encoded dot or slash cannot slip past, as NGINX does.
 * Throws `bad_target` for a path that leads above the root, an invalid escape or an encoded NUL.
 */
export function normalizePath(bytes: Buffer, parts: TargetParts, mergeSlashes: boolean): string {
  if (!parts.complex) return bytes.toString("latin1", parts.pathFrom, parts.pathTo);
  const decoded = decode(bytes, parts.pathFrom, parts.pathTo);
  const out = Buffer.allocUnsafe(decoded.length + 1);
  let length = 0;
  let at = 0;
  while (at < decoded.length) {
    // At a slash: look at the segment after it.
    let end = at + 1;
    while (end < decoded.length && decoded[end] !== SLASH) end++;
    const size = end - at - 1;
    const isLast = end === decoded.length;
    if (size === 1 && decoded[at + 1] === DOT) {
      if (isLast) out[length++] = SLASH;
    } else if (size === 2 && decoded[at + 1] === DOT && decoded[at + 2] === DOT) {
      // Empty segments are none to step up from: routing, which merges slashes, must see the same path.
      while (length > 0 && out[length - 1] === SLASH) length--;
      if (length === 0) fail("bad_target");
      length = out.lastIndexOf(SLASH, length - 1);
      if (isLast) out[length++] = SLASH;
    } else if (size > 0 || isLast || !mergeSlashes) {
      length += decoded.copy(out, length, at, end);
    }
    at = end;
  }
  return length === 0 ? "/" : out.toString("latin1", 0, length);
}

function decode(bytes: Buffer, from: number, to: number): Buffer {
  const out = Buffer.allocUnsafe(to - from);
  let length = 0;
  for (let at = from; at < to; at++) {
    let byte = bytes[at]!;
    if (byte === PERCENT) {
      if (at + 2 >= to) fail("bad_target");
      const high = HEX_VALUE[bytes[at + 1]!]!;
      const low = HEX_VALUE[bytes[at + 2]!]!;
      if (high > 15 || low > 15) fail("bad_target");
      byte = high * 16 + low;
      if (byte === 0) fail("bad_target");
      at += 2;
    }
    out[length++] = byte;
  }
  return out.subarray(0, length);
}

/**
 * A Host or an authority: the name in lower case, without port and trailing dot, as routing wants it. Throws
 * `bad_host` for anything but a reg-name, an IPv4 address or a bracketed IPv6 address, with an optional port.
 */
export function readHost(bytes: Buffer, from: number, to: number): string {
  let at = from;
  let upper = false;
  if (bytes[at] === 0x5b) {
    at = readIpv6(bytes, at, to);
  } else {
    while (at < to && REG_NAME[bytes[at]!] === 1) {
      const byte = bytes[at]!;
      if (byte >= 0x41 && byte <= 0x5a) upper = true;
      if (byte === DOT && bytes[at + 1] === DOT && at + 1 < to) fail("bad_host");
      at++;
    }
  }
  if (at === from) fail("bad_host");
  checkPort(bytes, at, to);
  const end = bytes[at - 1] === DOT ? at - 1 : at;
  if (end === from || end - from > maxHostBytes) fail("bad_host");
  const host = bytes.toString("latin1", from, end);
  return upper || bytes[from] === 0x5b ? host.toLowerCase() : host;
}

function readIpv6(bytes: Buffer, from: number, to: number): number {
  let at = from + 1;
  while (at < to && (HEX_VALUE[bytes[at]!]! < 16 || bytes[at] === 0x3a || bytes[at] === DOT)) at++;
  if (at === from + 1 || at >= to || bytes[at] !== 0x5d) fail("bad_host");
  return at + 1;
}

function checkPort(bytes: Buffer, from: number, to: number): void {
  if (from === to) return;
  if (bytes[from] !== 0x3a || to - from > 6) fail("bad_host");
  let port = 0;
  for (let at = from + 1; at < to; at++) {
    if (HEX_VALUE[bytes[at]!]! > 9) fail("bad_host");
    port = port * 10 + HEX_VALUE[bytes[at]!]!;
  }
  if (port > 65_535) fail("bad_host");
}

function fail(kind: ProtocolErrorKind): never {
  throw new ProtocolError(kind);
}
