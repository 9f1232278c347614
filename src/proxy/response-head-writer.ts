/** Writes response heads (RFC 9112 section 4) into a buffer that all connections share. */
import { STATUS_CODES } from "node:http";
import { FIELD, FIELD_FLAGS, HOP_BY_HOP } from "../http1/fields.ts";
import {
  FIELD_STRIDE,
  KNOWN,
  NAME_FROM,
  NAME_TO,
  NEXT_SAME,
  VALUE_FROM,
  VALUE_TO,
} from "../http1/head-reader.ts";
import { RESPONSE_LIMITS, type ResponseHeadReader } from "../http1/response-head.ts";

/** Room for the largest head, what we add to it, and a body that is worth joining to it. */
export const scratchBytes = 131_072;
/** A body up to this goes out with its head in one write. */
export const joinedBodyBytes = 65_536;
/** Head, and the little that we add. */
const maxHeadOut = RESPONSE_LIMITS.maxHeadBytes * 2;

export const scratch: Buffer = Buffer.allocUnsafeSlow(maxHeadOut + scratchBytes);

/** How the client learns where the body ends. */
export type Framing =
  | { readonly type: "length"; readonly bytes: number }
  | { readonly type: "chunked" | "close" | "none" };

const statusLines = new Map<number, Buffer>();
const statusPrefixes = new Map<number, Buffer>();
const CONNECTION_CLOSE = Buffer.from("Connection: close\r\n");
const CONNECTION_KEEP_ALIVE = Buffer.from("Connection: keep-alive\r\n");
const CHUNKED = Buffer.from("Transfer-Encoding: chunked\r\n");
const CONTENT_LENGTH = Buffer.from("Content-Length: ");
const COLON = 0x3a;
const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

export function statusLine(status: number): Buffer {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`);
    statusLines.set(status, line);
  }
  return line;
}

function statusPrefix(status: number): Buffer {
  let prefix = statusPrefixes.get(status);
  if (prefix === undefined) {
    prefix = Buffer.from(`HTTP/1.1 ${status} `);
    statusPrefixes.set(status, prefix);
  }
  return prefix;
}

/** Appends to `scratch`; positions are indices there. */
export const headOut = {
  at: 0,

  begin(status: number): void {
    this.at = 0;
    this.bytes(statusLine(status));
  },

  bytes(line: Uint8Array): void {
    scratch.set(line, this.at);
    this.at += line.length;
  },

  text(line: string): void {
    this.at += scratch.write(line, this.at, "latin1");
  },

  framing(framing: Framing): void {
    if (framing.type === "length") {
      this.bytes(CONTENT_LENGTH);
      this.text(String(framing.bytes));
      this.end();
    } else if (framing.type === "chunked") {
      this.bytes(CHUNKED);
    }
  },

  connection(keepAlive: boolean, version: number): void {
    if (!keepAlive) this.bytes(CONNECTION_CLOSE);
    else if (version === 10) this.bytes(CONNECTION_KEEP_ALIVE);
  },

  end(): void {
    scratch[this.at++] = CR;
    scratch[this.at++] = LF;
  },

  /** A line of the upstream's, its bytes as they came but for the blanks around the value. */
  line(source: Buffer, nameFrom: number, nameTo: number, valueFrom: number, valueTo: number): void {
    let at = this.at;
    if (valueFrom === nameTo + 2 && source[nameTo + 1] === SPACE) {
      at += source.copy(scratch, at, nameFrom, valueTo);
    } else {
      at += source.copy(scratch, at, nameFrom, nameTo);
      scratch[at++] = COLON;
      scratch[at++] = SPACE;
      at += source.copy(scratch, at, valueFrom, valueTo);
    }
    scratch[at++] = CR;
    scratch[at++] = LF;
    this.at = at;
  },
};

/** The status line as the upstream gave it, with a reason of our own where it gave none. */
export function writeUpstreamStatus(head: ResponseHeadReader): void {
  const { status, reasonFrom, reasonTo } = head;
  if (reasonTo === reasonFrom) {
    headOut.begin(status);
    return;
  }
  const prefix = statusPrefix(status);
  prefix.copy(scratch, 0);
  headOut.at = prefix.length + head.bytes.copy(scratch, prefix.length, reasonFrom, reasonTo);
  headOut.end();
}

/**
 * The upstream's fields but for those of its own connection, its framing, and those in `dropped` (numbers of `FIELD`). What its
 * Connection field names is dropped too.
 */
export function writeUpstreamFields(head: ResponseHeadReader, dropped: ReadonlySet<number>): void {
  const { fields, fieldCount, bytes } = head;
  const listed = head.connection < 0 ? undefined : connectionList(head);
  for (let i = 0; i < fieldCount; i++) {
    const at = i * FIELD_STRIDE;
    const known = fields[at + KNOWN]!;
    if (known > 0 && ((FIELD_FLAGS[known]! & HOP_BY_HOP) !== 0 || dropped.has(known))) continue;
    // Two types would let clients disagree about what the body is: the last one counts.
    if (known === FIELD.content_type && fields[at + NEXT_SAME] !== 0) continue;
    const nameFrom = fields[at + NAME_FROM]!;
    const nameTo = fields[at + NAME_TO]!;
    if (listed?.has(bytes.toString("latin1", nameFrom, nameTo).toLowerCase())) continue;
    headOut.line(bytes, nameFrom, nameTo, fields[at + VALUE_FROM]!, fields[at + VALUE_TO]!);
  }
}

function connectionList(head: ResponseHeadReader): ReadonlySet<string> | undefined {
  const { connection, bytes, fields } = head;
  const alone = fields[connection * FIELD_STRIDE + NEXT_SAME] === 0;
  if (alone && (head.valueIs(connection, "close") || head.valueIs(connection, "keep-alive")))
    return undefined;
  const names: string[] = [];
  for (let i = connection; ; ) {
    const at = i * FIELD_STRIDE;
    const list = bytes.toString("latin1", fields[at + VALUE_FROM], fields[at + VALUE_TO]);
    names.push(
      ...list
        .toLowerCase()
        .split(",")
        .map((name) => name.trim()),
    );
    i = fields[at + NEXT_SAME]!;
    if (i === 0) break;
  }
  const listed = new Set(names);
  listed.delete("content-length");
  listed.delete("content-type");
  return listed;
}

/** Said anew by us, or meant for us. */
export const NEVER_PASSED: ReadonlySet<number> = new Set([
  FIELD.status,
  FIELD.content_length,
  FIELD.x_accel_redirect,
  FIELD.x_accel_buffering,
  FIELD.x_accel_expires,
  FIELD.x_accel_charset,
  FIELD.x_accel_limit_rate,
]);
