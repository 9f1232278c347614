import { closeSync } from "node:fs";
import { STATUS_CODES } from "node:http";

/** Bytes at hand, or a stretch of an open file that the caller reads while it sends. */
export type BodyPart = Uint8Array | { readonly fd: number; readonly offset: number; readonly length: number };

export interface ContentResponse {
  readonly status: number;
  /** Field lines, each ended by CRLF, Content-Length included (but for 304). No Date, Server or Connection. */
  readonly fields: Uint8Array;
  /** Empty for HEAD and 304. */
  readonly body: readonly BodyPart[];
  /** Releases the descriptor. To be called once, when all is sent or the client has gone. */
  close(): void;
}

export type Field = readonly [name: string, value: string | number];

const NO_BODY: readonly BodyPart[] = Object.freeze([]);

/** Values are binary strings: one character per byte. */
export function encodeFields(fields: readonly Field[]): Uint8Array {
  return Buffer.from(fields.map(([name, value]) => `${name}: ${value}\r\n`).join(""), "latin1");
}

/** A response that holds no descriptor: it may be sent any number of times. */
export function memoryResponse(
  status: number,
  fields: Uint8Array,
  body: readonly BodyPart[] = NO_BODY,
): ContentResponse {
  return Object.freeze({ status, fields, body, close: nothingToRelease });
}

function nothingToRelease(): void {}

/** A response that owns `fd`. */
export function fileResponse(
  status: number,
  fields: Uint8Array,
  body: readonly BodyPart[],
  fd: number,
): ContentResponse {
  let open = true;
  return {
    status,
    fields,
    body,
    close() {
      // A second close would hit whoever got the same number meanwhile.
      if (open) closeSync(fd);
      open = false;
    },
  };
}

/** Errors and redirects: the status as a line of plain text. */
export function textResponse(
  status: number,
  method: string,
  extraFields: readonly Field[] = [],
): ContentResponse {
  const text = Buffer.from(`${status} ${STATUS_CODES[status]}\n`);
  const fields = encodeFields([
    ...extraFields,
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", text.length],
  ]);
  return memoryResponse(status, fields, method === "HEAD" ? NO_BODY : [text]);
}
