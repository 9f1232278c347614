/**
 * The access log: one line per request, rendered by hand because it is on every request's path. The JSON form
 * looks as pino's lines do; `combined` is NGINX's predefined log format. Cookies and credentials are not even
 * fields here.
 */

import { escapeCombined, escapeJson } from "./escape.ts";
import { type LineSink, MAX_ATOMIC_BYTES } from "./line-sink.ts";
import type { AccessLogFormat } from "./options.ts";

/**
 * What is known of one request when it ends. The object may be reused; nothing of it is kept. Strings that came
 * from the network are binary strings, one character per byte.
 */
export interface AccessRecord {
  /** Wall clock at the end of the request, epoch milliseconds. */
  timeMs: number;
  requestId: string;
  remoteAddress: string;
  /** `""` when the request had none, or could not be read so far. So for all the strings below. */
  host: string;
  method: string;
  /** As received: path and query. */
  target: string;
  /** `HTTP/1.1`. */
  protocol: string;
  userAgent: string;
  referer: string;
  /** 499 where the client went away; 0 where nothing was sent. */
  status: number;
  /** Of the bodies. */
  bytesIn: number;
  bytesOut: number;
  /** The rule's id; `""` when none matched. */
  route: string;
  /** The last one tried; `""` when none was. */
  endpoint: string;
  /** From the first byte of the request. */
  totalMs: number;
  /** To the last endpoint tried; negative when there was none. */
  connectMs: number;
  /** From the endpoint's first contact to the first byte of its response; negative when there was none. */
  firstByteMs: number;
  /** Endpoints tried after the first. */
  retries: number;
  /** The kind of the error that ended the request; `""` when it went well. */
  error: string;
}

export interface AccessLog {
  /** Whether the next request gets a line: asked once for each, so that a record is made for those only. */
  wants(): boolean;
  write(record: AccessRecord): void;
}

/** Bytes of one client-written field that are kept when a line would be too long for one atomic write. */
const MAX_CLIPPED_BYTES = 700;

/**
 * `share` of the requests is logged: 0 none, 1 all. `random` gives numbers from 0 up to but not including 1.
 */
export function createAccessLog(
  format: AccessLogFormat,
  share: number,
  random: () => number,
  sink: LineSink,
): AccessLog {
  const render = format === "json" ? renderJson : renderCombined;
  const write = (record: AccessRecord) => sink.write(bounded(render, record));
  if (share >= 1) return { wants: () => true, write };
  if (share <= 0) return { wants: () => false, write };
  return { wants: () => random() < share, write };
}

function bounded(render: (record: AccessRecord) => string, record: AccessRecord): string {
  const line = render(record);
  return line.length <= MAX_ATOMIC_BYTES ? line : render(clipped(record));
}

function clipped(record: AccessRecord): AccessRecord {
  return {
    ...record,
    host: clip(record.host, 255),
    method: clip(record.method, 32),
    target: clip(record.target, MAX_CLIPPED_BYTES * 2),
    userAgent: clip(record.userAgent, MAX_CLIPPED_BYTES),
    referer: clip(record.referer, MAX_CLIPPED_BYTES),
    route: clip(record.route, 255),
    endpoint: clip(record.endpoint, 128),
  };
}

function clip(text: string, maxBytes: number): string {
  let kept = text.slice(0, maxBytes);
  while (escapedBytes(kept) > maxBytes) kept = kept.slice(0, kept.length >> 1);
  return kept === text ? text : `${kept}...`;
}

/** In the longer of the two forms: one byte may take six characters. */
function escapedBytes(text: string): number {
  return Math.max(escapeJson(text).length, escapeCombined(text).length);
}

export function renderJson(record: AccessRecord): string {
  let line = `{"level":30,"time":${record.timeMs},"msg":"request","requestId":"${escapeJson(record.requestId)}"`;
  line += `,"remoteAddr":"${record.remoteAddress}","host":"${escapeJson(record.host)}"`;
  line += `,"method":"${escapeJson(record.method)}","target":"${escapeJson(record.target)}"`;
  line += `,"protocol":"${escapeJson(record.protocol)}","status":${record.status}`;
  line += `,"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut}`;
  if (record.route !== "") line += `,"route":"${escapeJson(record.route)}"`;
  if (record.endpoint !== "") line += `,"endpoint":"${escapeJson(record.endpoint)}"`;
  line += `,"totalMs":${formatMs(record.totalMs)}`;
  if (record.connectMs >= 0) line += `,"connectMs":${formatMs(record.connectMs)}`;
  if (record.firstByteMs >= 0) line += `,"firstByteMs":${formatMs(record.firstByteMs)}`;
  if (record.retries !== 0) line += `,"retries":${record.retries}`;
  if (record.userAgent !== "") line += `,"userAgent":"${escapeJson(record.userAgent)}"`;
  if (record.referer !== "") line += `,"referer":"${escapeJson(record.referer)}"`;
  if (record.error !== "") line += `,"error":"${record.error}"`;
  return `${line}}\n`;
}

/** NGINX: `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`. */
export function renderCombined(record: AccessRecord): string {
  const { method, target, protocol } = record;
  const request = method === "" && target === "" ? "" : `${method} ${target} ${protocol}`;
  return (
    `${record.remoteAddress} - - [${commonLogTime(record.timeMs)}] "${escapeCombined(request)}" ` +
    `${record.status} ${record.bytesOut} "${escapeCombined(record.referer)}" "${escapeCombined(record.userAgent)}"\n`
  );
}

const THOUSANDTHS: readonly string[] = Array.from(
  { length: 1000 },
  (_, n) => `.${String(n).padStart(3, "0")}`,
);

/** Microseconds are enough; printing a double in full costs more than the rest of the line's numbers. */
function formatMs(ms: number): string {
  const us = Math.round(ms * 1000);
  const whole = Math.floor(us / 1000);
  return us === whole * 1000 ? String(whole) : whole + THOUSANDTHS[us - whole * 1000]!;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
let shownSecond = Number.NaN;
let shownTime = "";

/** `23/Nov/2026:18:52:43 +0000`; always UTC. Rendered once a second. */
function commonLogTime(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  if (second === shownSecond) return shownTime;
  const date = new Date(second * 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  shownSecond = second;
  shownTime = `${day}:${time} +0000`;
  return shownTime;
}
