import type { Encoding } from "./accept-encoding.ts";
import type { ByteRange } from "./byte-ranges.ts";
import type { FileIdentity } from "./contained-file.ts";
import {
  type BodyPart,
  type ContentResponse,
  encodeFields,
  type Field,
  memoryResponse,
} from "./content-response.ts";
import type { SystemPath } from "./file-path.ts";
import { formatHttpDate } from "./http-date.ts";
import type { Validators } from "./preconditions.ts";

/** One file as it is sent: the plain one, or one of its precompressed variants. Its answers are built in advance. */
export interface Representation extends Validators {
  readonly path: SystemPath;
  readonly identity: FileIdentity;
  readonly sizeBytes: number;
  /** The whole content, for a small file. */
  readonly content: Uint8Array | undefined;
  /** Fields of a 200. */
  readonly fields: Uint8Array;
  /** 200 to GET, where the content is at hand. */
  readonly whole: ContentResponse | undefined;
  readonly head: ContentResponse;
  readonly notModified: ContentResponse;
  /** Fields that every answer about this file carries: ETag, Last-Modified, Vary. */
  readonly commonFields: readonly Field[];
  /** Content-Encoding, or nothing. */
  readonly encodingFields: readonly Field[];
  readonly mediaType: string;
}

export interface RepresentationSource {
  readonly path: SystemPath;
  readonly identity: FileIdentity;
  readonly content: Uint8Array | undefined;
  readonly encoding: Encoding;
  readonly mediaType: string;
  /** Are there several to choose from? */
  readonly varies: boolean;
}

export function buildRepresentation(source: RepresentationSource): Representation {
  const { path, identity, content, encoding, mediaType } = source;
  // A file that is being written may be shorter by now than it was when it was opened.
  const sizeBytes = content?.length ?? identity.sizeBytes;
  const etag = entityTag(identity.mtimeMs, sizeBytes, encoding);
  const lastModified = formatHttpDate(identity.mtimeMs);
  const commonFields: Field[] = [
    ["Last-Modified", lastModified],
    ["ETag", etag],
  ];
  if (source.varies) commonFields.push(["Vary", "Accept-Encoding"]);
  const encodingFields: Field[] = encoding === "identity" ? [] : [["Content-Encoding", encoding]];
  const fields = encodeFields([
    ["Content-Type", mediaType],
    ["Content-Length", sizeBytes],
    ...commonFields,
    ...encodingFields,
    ["Accept-Ranges", "bytes"],
  ]);
  return {
    path,
    identity,
    sizeBytes,
    content,
    fields,
    whole: content && memoryResponse(200, fields, [content]),
    head: memoryResponse(200, fields),
    notModified: memoryResponse(304, encodeFields(commonFields)),
    commonFields,
    encodingFields,
    mediaType,
    etag,
    lastModified,
    lastModifiedMs: Math.floor(identity.mtimeMs / 1000) * 1000,
  };
}

/**
 * As NGINX builds it, `"<mtime in seconds>-<size>"` in hexadecimal, but with the fraction of the second where there is
 * one (in microseconds), so that two edits within a second differ; and with the coding, so that variants do.
 */
function entityTag(mtimeMs: number, sizeBytes: number, encoding: Encoding): string {
  const microseconds = Math.round(mtimeMs * 1000);
  const seconds = Math.floor(microseconds / 1e6);
  const fraction = microseconds - seconds * 1e6;
  const time = fraction === 0 ? hex(seconds) : `${hex(seconds)}.${hex(fraction)}`;
  return `"${time}-${hex(sizeBytes)}${encoding === "identity" ? "" : `-${encoding}`}"`;
}

function hex(value: number): string {
  return value.toString(16);
}

/** Fields and body of a 206 (RFC 9110 section 15.3.7), before the body is read: one range, or several as multipart. */
export interface PartialContent {
  readonly fields: Uint8Array;
  readonly body: readonly BodyPart[];
}

/** `fd` is read from where the content is not in memory. */
export function buildPartial(
  file: Representation,
  ranges: readonly ByteRange[],
  fd: number,
  boundary: string,
): PartialContent {
  const only = ranges.length === 1 ? ranges[0] : undefined;
  if (only === undefined) return buildMultipart(file, ranges, fd, boundary);
  const fields = encodeFields([
    ["Content-Type", file.mediaType],
    ["Content-Length", only.last - only.first + 1],
    ...file.commonFields,
    ...file.encodingFields,
    ["Content-Range", contentRange(file, only)],
  ]);
  return { fields, body: [slice(file, only, fd)] };
}

function buildMultipart(
  file: Representation,
  ranges: readonly ByteRange[],
  fd: number,
  boundary: string,
): PartialContent {
  const body: BodyPart[] = [];
  let length = 0;
  const add = (part: BodyPart) => {
    body.push(part);
    length += part.length;
  };
  for (const range of ranges) {
    const lead = body.length === 0 ? "" : "\r\n";
    const type = `Content-Type: ${file.mediaType}\r\n`;
    const place = `Content-Range: ${contentRange(file, range)}\r\n`;
    add(Buffer.from(`${lead}--${boundary}\r\n${type}${place}\r\n`, "latin1"));
    add(slice(file, range, fd));
  }
  add(Buffer.from(`\r\n--${boundary}--\r\n`, "latin1"));
  const fields = encodeFields([
    ["Content-Type", `multipart/byteranges; boundary=${boundary}`],
    ["Content-Length", length],
    ...file.commonFields,
    ...file.encodingFields,
  ]);
  return { fields, body };
}

function contentRange(file: Representation, range: ByteRange): string {
  return `bytes ${range.first}-${range.last}/${file.sizeBytes}`;
}

function slice(file: Representation, range: ByteRange, fd: number): BodyPart {
  if (file.content !== undefined) return file.content.subarray(range.first, range.last + 1);
  return { fd, offset: range.first, length: range.last - range.first + 1 };
}
