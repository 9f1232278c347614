import { mimes } from "mrmime";

const UNKNOWN = "application/octet-stream";

/**
 * Content-Type by the last extension of a file's name. Text gets `charset=utf-8`, since browsers would guess
 * otherwise; XML does not, because it names its own encoding and a charset here would override it.
 */
export function mediaType(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  if (dot < 0) return UNKNOWN;
  const extension = name.slice(dot + 1).toLowerCase();
  const type = Object.hasOwn(mimes, extension) ? mimes[extension]! : UNKNOWN;
  return type.startsWith("text/") && type !== "text/xml" ? `${type}; charset=utf-8` : type;
}
