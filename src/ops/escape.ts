/** Bytes that a client chose, made harmless for a log line. Input: binary strings, one character per byte. */

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DEL = 0x7f;

const jsonEscapes: readonly string[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte === QUOTE) return '\\"';
  if (byte === BACKSLASH) return "\\\\";
  return isPlain(byte) ? String.fromCharCode(byte) : `\\u00${byte.toString(16).padStart(2, "0")}`;
});

/** NGINX's `escape=default`: `\xHH` for quotes, backslashes, control characters and bytes above 127. */
const combinedEscapes: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  isPlain(byte) ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`,
);

function isPlain(unit: number): boolean {
  return unit >= SPACE && unit < DEL && unit !== QUOTE && unit !== BACKSLASH;
}

/**
 * The inside of a JSON string, in ASCII: the byte 0xE9 is `\u00e9`, so a reader gets one character per byte back.
 * A character above 255, which no binary string has, becomes `?`.
 */
export function escapeJson(text: string): string {
  const at = firstUnplain(text);
  return at < 0 ? text : escapeFrom(text, at, jsonEscapes);
}

/** The inside of a quoted field of the `combined` format; `-` for nothing. */
export function escapeCombined(text: string): string {
  if (text === "") return "-";
  const at = firstUnplain(text);
  return at < 0 ? text : escapeFrom(text, at, combinedEscapes);
}

/** Nearly every text is plain, and then is used as it is. */
function firstUnplain(text: string): number {
  for (let at = 0; at < text.length; at++) {
    if (!isPlain(text.charCodeAt(at))) return at;
  }
  return -1;
}

function escapeFrom(text: string, from: number, escapes: readonly string[]): string {
  let escaped = text.slice(0, from);
  for (let at = from; at < text.length; at++) escaped += escapes[text.charCodeAt(at)] ?? "?";
  return escaped;
}
