/** What a request's path is compared with, once decoded and normalized. */
export interface PathMatch {
  readonly type: "exact" | "prefix";
  /** Decoded. A prefix has no trailing slash, so `""` matches everything. */
  readonly value: string;
}

/**
 * Checks a path of a manifest by the rules of the Gateway API and of Ingress, and decodes its escapes, since
 * requests are matched decoded. A path that no normalized request can have is refused, not silently dead.
 */
export function parsePath(type: PathMatch["type"], text: string): { path: PathMatch } | { message: string } {
  if (!text.startsWith("/")) return { message: 'must begin with "/"' };
  if (/[?#]/.test(text)) return { message: 'must not contain "?" or "#": only the path is matched' };
  if (/[\x00-\x20\x7f]/.test(text))
    return { message: "must not contain spaces or control characters; a space is %20" };
  if (/%2f|%00/i.test(text)) return { message: "must not contain %2F or %00" };
  const decoded = decode(text);
  if (decoded === undefined)
    return { message: 'has a bad escape: "%" must be followed by the hex of a UTF-8 byte' };
  if (decoded.includes("//"))
    return { message: 'must not contain "//": requests are matched with slashes merged' };
  if (/\/\.\.?(\/|$)/.test(decoded)) return { message: 'must not contain "/." or "/.." segments' };
  if (type === "exact") return { path: { type, value: decoded } };
  return { path: { type, value: decoded.endsWith("/") ? decoded.slice(0, -1) : decoded } };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
