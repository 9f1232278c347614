import { parseHttpDate } from "./http-date.ts";

/** What conditional requests compare against (RFC 9110 section 8.8). */
export interface Validators {
  /** A strong entity tag, quotes included. */
  readonly etag: string;
  /** As sent in Last-Modified. */
  readonly lastModified: string;
  /** The same in milliseconds since the epoch, whole seconds. */
  readonly lastModifiedMs: number;
}

export interface ConditionFields {
  field(lowerCaseName: string): string | undefined;
}

export type ConditionResult = "proceed" | "not-modified" | "failed";

/** RFC 9110 section 13.2.2, for GET and HEAD: an entity tag beats the date that stands beside it. */
export function evaluateConditions(request: ConditionFields, current: Validators): ConditionResult {
  const ifMatch = request.field("if-match");
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, current.etag, "strong")) return "failed";
  } else {
    const since = request.field("if-unmodified-since");
    if (since !== undefined && !unchangedSince(since, current, true)) return "failed";
  }
  const ifNoneMatch = request.field("if-none-match");
  if (ifNoneMatch !== undefined) {
    return matches(ifNoneMatch, current.etag, "weak") ? "not-modified" : "proceed";
  }
  const since = request.field("if-modified-since");
  return since !== undefined && unchangedSince(since, current, false) ? "not-modified" : "proceed";
}

/**
 * If-Range (RFC 9110 section 13.1.5): may the Range field be acted on? A tag must match strongly, a date exactly.
 */
export function rangeApplies(request: ConditionFields, current: Validators): boolean {
  const value = request.field("if-range");
  if (value === undefined) return true;
  if (value.startsWith('"')) return value === current.etag;
  return value === current.lastModified || parseHttpDate(value) === current.lastModifiedMs;
}

function unchangedSince(value: string, current: Validators, whenInvalid: boolean): boolean {
  if (value === current.lastModified) return true;
  const ms = parseHttpDate(value);
  return ms === undefined ? whenInvalid : current.lastModifiedMs <= ms;
}

/** Is `etag` on the list? `W/"x"` equals `"x"` in a weak comparison, and nothing in a strong one. */
function matches(list: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (list === "*") return true;
  let at = 0;
  while (at < list.length) {
    const c = list[at];
    if (c === " " || c === "\t" || c === ",") {
      at++;
      continue;
    }
    const weak = list.startsWith("W/", at);
    const open = weak ? at + 2 : at;
    if (list[open] !== '"') return false;
    const end = list.indexOf('"', open + 1);
    if (end < 0) return false;
    const comparable = !weak || comparison === "weak";
    if (comparable && end + 1 - open === etag.length && list.startsWith(etag, open)) return true;
    at = end + 1;
  }
  return false;
}
