/** What a request's path is compared with, once decoded and normalized. */
export interface PathMatch {
  readonly type: "exact" | "prefix";
  /** Decoded. A prefix has no trailing slash, so `""` matches everything. */
  readonly value: string;
}

export const PATH_START_MESSAGE = 'must begin with "/"';
export const PATH_QUERY_MESSAGE = 'must not contain "?" or "#": only the path is matched';
export const PATH_CONTROL_MESSAGE = "must not contain spaces or control characters; a space is %20";
export const PATH_ENCODED_MESSAGE = "must not contain %2F or %00";
export const PATH_ESCAPE_MESSAGE = 'has a bad escape: "%" must be followed by the hex of a UTF-8 byte';
export const PATH_SLASHES_MESSAGE = 'must not contain "//": requests are matched with slashes merged';
export const PATH_DOTS_MESSAGE = 'must not contain "/." or "/.." segments';

/**
 * Checks a path of a manifest by the rules of the Gateway API and of Ingress, and decodes its escapes, since
 * requests are matched decoded. A path that no normalized request can have is refused, not silently dead.
 */
export function parsePath(type: PathMatch["type"], text: string): { path: PathMatch } | { message: string } {
  if (!text.startsWith("/")) return { message: PATH_START_MESSAGE };
  if (/[?#]/.test(text)) return { message: PATH_QUERY_MESSAGE };
  if (/[\x00-\x20\x7f]/.test(text)) return { message: PATH_CONTROL_MESSAGE };
  if (/%2f|%00/i.test(text)) return { message: PATH_ENCODED_MESSAGE };
  const decoded = decode(text);
  if (decoded === undefined) return { message: PATH_ESCAPE_MESSAGE };
  if (decoded.includes("//")) return { message: PATH_SLASHES_MESSAGE };
  if (/\/\.\.?(\/|$)/.test(decoded)) return { message: PATH_DOTS_MESSAGE };
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
