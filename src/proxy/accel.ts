/** The X-Accel-* fields with which an app steers the gateway; they go no further. */
import { FIELD } from "../http1/fields.ts";
import { FIELD_STRIDE, fail, KNOWN } from "../http1/head-reader.ts";
import type { ResponseHeadReader } from "../http1/response-head.ts";
import { normalizePath, splitTarget, type TargetParts } from "../http1/target.ts";

export interface KeptField {
  /** The number of its name in `FIELD`. */
  readonly known: number;
  /** With its CRLF. */
  readonly line: string;
}

/** Another request in place of the app's answer. */
export interface InternalRedirect {
  readonly method: string;
  /** Normalized. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  /** Fields of the app's answer that the other response takes over. */
  readonly kept: readonly KeptField[];
}

const KEPT: ReadonlySet<number> = new Set([
  FIELD.content_type,
  FIELD.content_disposition,
  FIELD.set_cookie,
  FIELD.cache_control,
  FIELD.expires,
]);

/** A segment `..`, however it is spelled: an app that builds paths from what users say must not be led astray. */
const STEPS_UP = /(\/|%2f)(\.|%2e){2}(\/|%2f|$)/i;

/** Where X-Accel-Redirect leads; `undefined` without one. Throws `ProtocolError` for what is no path. */
export function readRedirect(head: ResponseHeadReader, method: string): InternalRedirect | undefined {
  const value = head.find(FIELD.x_accel_redirect);
  if (value === undefined) return undefined;
  const bytes = Buffer.from(value, "latin1");
  const parts = {} as TargetParts;
  if (bytes[0] !== 0x2f || STEPS_UP.test(value.split("?", 1)[0]!)) fail("bad_target");
  splitTarget(bytes, 0, bytes.length, parts);
  const kept: KeptField[] = [];
  for (let i = 0; i < head.fieldCount; i++) {
    const known = head.fields[i * FIELD_STRIDE + KNOWN]!;
    if (KEPT.has(known)) kept.push({ known, line: `${head.name(i)}: ${head.value(i)}\r\n` });
  }
  return {
    method: method === "HEAD" ? "HEAD" : "GET",
    path: normalizePath(bytes, parts, true),
    query: bytes.toString("latin1", parts.queryFrom, parts.queryTo),
    kept,
  };
}

/** `yes` or `no`; anything else says nothing. */
export function readBuffering(head: ResponseHeadReader): boolean | undefined {
  const value = head.find(FIELD.x_accel_buffering)?.toLowerCase();
  return value === "yes" ? true : value === "no" ? false : undefined;
}

/** Bytes per second; 0 for no limit. */
export function readLimitRate(head: ResponseHeadReader): number {
  const value = head.find(FIELD.x_accel_limit_rate) ?? "";
  return /^\d{1,12}$/.test(value) ? Number(value) : 0;
}

/** The Content-Type line with the charset that the app asks for; `undefined` when nothing is to change. */
export function readCharset(head: ResponseHeadReader): string | undefined {
  const charset = head.find(FIELD.x_accel_charset);
  const type = head.find(FIELD.content_type);
  if (charset === undefined || type === undefined || !/^[-\w.:+]+$/.test(charset)) return undefined;
  if (charset.toLowerCase() === "off" || /;\s*charset\s*=/i.test(type)) return undefined;
  return `Content-Type: ${type}; charset=${charset}\r\n`;
}

/** What an app's answer takes over: cookies always, the rest where it says nothing itself. */
export function keptLines(redirect: InternalRedirect | undefined, head: ResponseHeadReader): string {
  let lines = "";
  for (const { known, line } of redirect?.kept ?? []) {
    if (known === FIELD.set_cookie || head.find(known) === undefined) lines += line;
  }
  return lines;
}

/** The fields of a file, with those of the app's answer in place of its own. */
export function overlaid(fields: Uint8Array, redirect: InternalRedirect): Uint8Array {
  const nameOf = (line: string) => line.slice(0, line.indexOf(":")).toLowerCase();
  const names = new Set(redirect.kept.map(({ line }) => nameOf(line)));
  const own = Buffer.from(fields).toString("latin1").split("\r\n");
  const rest = own.filter((line) => line !== "" && !names.has(nameOf(line))).map((line) => `${line}\r\n`);
  return Buffer.from([...rest, ...redirect.kept.map(({ line }) => line)].join(""), "latin1");
}
