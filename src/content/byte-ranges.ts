/** Byte positions, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a Range field (RFC 9110 section 14) for a representation of `size` bytes.
 * - `"ignore"`: answer with the whole: another unit, an empty file, more than `maxRanges`, or ranges that add up to
 *   more than the whole (which bounds what a set of overlapping ranges can cost, as NGINX does).
 * - `"unsatisfiable"`: 416: not readable, or nothing in it exists.
 * Ranges that lie outside are left out, and ends cut to size.
 */
export function parseByteRanges(
  value: string,
  size: number,
  maxRanges: number,
): readonly ByteRange[] | "ignore" | "unsatisfiable" {
  const equals = value.indexOf("=");
  if (equals < 0 || value.slice(0, equals).toLowerCase() !== "bytes") return "ignore";
  if (size === 0) return "ignore";
  const ranges: ByteRange[] = [];
  let seen = 0;
  let total = 0;
  for (let start = equals + 1; start <= value.length; ) {
    let end = value.indexOf(",", start);
    if (end < 0) end = value.length;
    const text = value.slice(start, end).trim();
    start = end + 1;
    if (text === "") continue;
    if (++seen > maxRanges) return "ignore";
    const range = parseOne(text, size);
    if (range === "malformed") return "unsatisfiable";
    if (range === "outside") continue;
    ranges.push(range);
    total += range.last - range.first + 1;
  }
  if (ranges.length === 0) return "unsatisfiable";
  return total > size ? "ignore" : ranges;
}

function parseOne(text: string, size: number): ByteRange | "outside" | "malformed" {
  const dash = text.indexOf("-");
  if (dash < 0) return "malformed";
  const first = digits(text, 0, dash);
  const last = digits(text, dash + 1, text.length);
  if (Number.isNaN(first) || Number.isNaN(last)) return "malformed";
  if (first === undefined) {
    if (last === undefined) return "malformed";
    if (last === 0) return "outside";
    return { first: Math.max(0, size - last), last: size - 1 };
  }
  if (last !== undefined && last < first) return "malformed";
  if (first >= size) return "outside";
  return { first, last: last === undefined ? size - 1 : Math.min(last, size - 1) };
}

/** `undefined` for no digits, NaN for anything else than digits. Loses precision only far above any file's size. */
function digits(text: string, start: number, end: number): number | undefined {
  if (start === end) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
