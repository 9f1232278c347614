/** The uwsgi block of one request: the standard set, the route's params, the client's fields. */
import { LOWER } from "../http1/characters.ts";
import { FIELD, FIELD_FLAGS, FORWARDING, HOP_BY_HOP } from "../http1/fields.ts";
import {
  FIELD_STRIDE,
  KNOWN,
  NAME_FROM,
  NAME_TO,
  NEXT_SAME,
  REPEATED,
  VALUE_FROM,
  VALUE_TO,
} from "../http1/head-reader.ts";
import { normalizePath } from "../http1/target.ts";
import type { ForwardTarget } from "../routing/table.ts";
import { encodeKey, encodePair, type PacketWriter } from "../uwsgi/encoder.ts";
import type { InternalRedirect } from "./accel.ts";
import { varName } from "./identity.ts";
import { paramValue } from "./params.ts";
import type { Request } from "./request.ts";

const QUERY_STRING = encodeKey("QUERY_STRING");
const REQUEST_METHOD = encodeKey("REQUEST_METHOD");
const CONTENT_TYPE = encodeKey("CONTENT_TYPE");
const CONTENT_LENGTH = encodeKey("CONTENT_LENGTH");
const NO_CONTENT = Buffer.concat([encodePair("CONTENT_TYPE", ""), encodePair("CONTENT_LENGTH", "")]);
const REQUEST_URI = encodeKey("REQUEST_URI");
const PATH_INFO = encodeKey("PATH_INFO");
const SCRIPT_NAME = encodeKey("SCRIPT_NAME");
const HTTP_HOST = encodeKey("HTTP_HOST");

const PROXY = Buffer.from("proxy-");
const COMMA = Buffer.from(", ");
const SEMICOLON = Buffer.from("; ");

/** What few params ask for, and is made only then. */
export interface LateFacts {
  /** `$request_id` */
  readonly id: string;
  epochMs(): number;
}

/** What a request is sent as: an internal redirect changes it. */
export interface SentAs {
  readonly method: string;
  /** Normalized, slashes merged. */
  readonly path: string;
  /** Of the body; -1: there is none, or it is streamed and its end unknown. */
  readonly contentLength: number;
  /** The query of an internal redirect, in place of the request's own. */
  readonly redirectQuery: string | undefined;
}

export function sentAsItCame({ method, path, head }: Request): SentAs {
  return { method, path, contentLength: head.contentLength, redirectQuery: undefined };
}

export function sentAsRedirected({ method, path, query }: InternalRedirect): SentAs {
  return { method, path, contentLength: -1, redirectQuery: query };
}

/**
 * The packet for `request` at `target`. Throws `UwsgiEncodeError` when uWSGI would not take it.
 */
export function buildPacket(
  writer: PacketWriter,
  request: Request,
  target: ForwardTarget,
  as: SentAs,
  late: LateFacts,
): Buffer {
  const { uwsgi } = target.settings;
  writer.begin();
  // A param named as a standard var comes after it, and the last one counts: as with `include uwsgi_params`.
  const forwardedWritten = writeStandard(writer, request, target, as);
  for (const param of target.vars.params) {
    if (param.removes) continue;
    if (param.constant !== undefined) {
      writer.encoded(param.constant, 1);
      continue;
    }
    const value = paramValue(param.parts, request, target, as, late);
    if (value !== "" || !param.ifNotEmpty) writer.text(param.key, value);
  }
  if (!forwardedWritten) writeForwarded(writer, request, target.vars.replacedFields);
  writeFields(writer, request, as, target.vars.replacedFields);
  return writer.finish(uwsgi.modifier1, uwsgi.modifier2, uwsgi.bufferSizeBytes, uwsgi.maxVars);
}

/** In the order of NGINX's `uwsgi_params`. Returns whether the forwarded headers went along. */
function writeStandard(writer: PacketWriter, request: Request, target: ForwardTarget, as: SentAs): boolean {
  const { head, client } = request;
  if (as.redirectQuery !== undefined) writer.text(QUERY_STRING, as.redirectQuery);
  else writer.span(QUERY_STRING, head.bytes, request.target.queryFrom, request.target.queryTo);
  if (as.redirectQuery === undefined) writer.span(REQUEST_METHOD, head.bytes, head.start, head.methodTo);
  else writer.text(REQUEST_METHOD, as.method);
  if (head.contentType < 0 && as.contentLength < 0) {
    writer.encoded(NO_CONTENT, 2);
  } else {
    writer.text(CONTENT_TYPE, head.contentType < 0 ? "" : request.joined(head.contentType, ", "));
    writer.text(CONTENT_LENGTH, as.contentLength < 0 ? "" : String(as.contentLength));
  }
  if (request.target.pathTo > request.target.pathFrom) {
    writer.span(REQUEST_URI, head.bytes, request.target.pathFrom, head.targetTo);
  } else {
    writer.text(REQUEST_URI, request.rawTarget);
  }
  writePath(writer, request, target, as);
  const repeated = client.repeatedVars(request, target);
  writer.encoded(repeated.bytes, repeated.count);
  return repeated.withForwarded;
}

/** A path outside the mount point goes whole, with an empty SCRIPT_NAME. */
function writePath(writer: PacketWriter, request: Request, target: ForwardTarget, as: SentAs): void {
  const { mergeSlashes } = target.settings.uwsgi;
  const keepsSlashes = !mergeSlashes && as.redirectQuery === undefined;
  const path = keepsSlashes ? normalizePath(request.head.bytes, request.target, false) : as.path;
  const { scriptName } = target.vars;
  if (scriptName === "") {
    writer.text(PATH_INFO, path);
    return;
  }
  const mounted = path === scriptName || path.startsWith(`${scriptName}/`);
  writer.text(SCRIPT_NAME, mounted ? scriptName : "");
  writer.text(PATH_INFO, mounted ? path.slice(scriptName.length) : path);
}

function writeForwarded(
  writer: PacketWriter,
  request: Request,
  replaced: ReadonlySet<string> | undefined,
): void {
  for (const { name, value } of request.client.forwarded(request).values()) {
    const key = varName(name);
    if (!replaced?.has(key)) writer.text(encodeKey(key), value);
  }
}

/** The client's fields but for those that stop here, are ours to say, or a param stands for. */
function writeFields(
  writer: PacketWriter,
  request: Request,
  as: SentAs,
  replaced: ReadonlySet<string> | undefined,
): void {
  const { head } = request;
  const { bytes, fields, fieldCount } = head;
  const listed = hopByHopList(request);
  const hostReplaced = request.target.authorityTo > request.target.authorityFrom;
  for (let i = 0; i < fieldCount; i++) {
    const at = i * FIELD_STRIDE;
    const known = fields[at + KNOWN]!;
    if (known < 0 || fields[at + REPEATED] === 1) continue;
    const nameFrom = fields[at + NAME_FROM]!;
    const nameTo = fields[at + NAME_TO]!;
    if (known > 0 ? isStopped(known, request, as, hostReplaced) : isProxyField(bytes, nameFrom, nameTo))
      continue;
    if (listed !== undefined || replaced !== undefined) {
      const name = bytes.toString("latin1", nameFrom, nameTo).toLowerCase();
      if (listed?.has(name) || replaced?.has(varName(name))) continue;
    }
    writeField(writer, request, i, known === FIELD.cookie ? SEMICOLON : COMMA);
  }
  if (hostReplaced && !replaced?.has("HTTP_HOST")) writer.text(HTTP_HOST, request.hostHeader);
}

function isStopped(known: number, request: Request, as: SentAs, hostReplaced: boolean): boolean {
  const flags = FIELD_FLAGS[known]!;
  if ((flags & FORWARDING) !== 0) return true;
  if ((flags & HOP_BY_HOP) !== 0) {
    // The two that a WebSocket handshake is made of.
    return !(request.upgrade && (known === FIELD.upgrade || known === FIELD.connection));
  }
  if (known === FIELD.host) return hostReplaced;
  // A body that is not sent on has no length.
  return known === FIELD.content_length && as.contentLength < 0;
}

/** `Proxy-*`: between this hop and the client, whatever it is. */
function isProxyField(bytes: Buffer, from: number, to: number): boolean {
  if (to - from < PROXY.length) return false;
  for (let i = 0; i < PROXY.length; i++) if (LOWER[bytes[from + i]!] !== PROXY[i]) return false;
  return true;
}

/** Other fields that Connection declares to be for this hop only; `undefined` for the usual values. */
function hopByHopList(request: Request): ReadonlySet<string> | undefined {
  const { head } = request;
  if (head.connection < 0) return undefined;
  const alone = head.fields[head.connection * FIELD_STRIDE + NEXT_SAME] === 0;
  if (alone && (head.valueIs(head.connection, "keep-alive") || head.valueIs(head.connection, "close"))) {
    return undefined;
  }
  const names = request.connectionList.split(",").map((name) => name.trim());
  // These are framing or identity and cannot be waved away by the client.
  const listed = new Set(names);
  for (const name of ["", "upgrade", "host", "content-length", "content-type"]) listed.delete(name);
  return listed;
}

function writeField(writer: PacketWriter, request: Request, index: number, separator: Buffer): void {
  const { bytes, fields } = request.head;
  const at = index * FIELD_STRIDE;
  const next = fields[at + NEXT_SAME]!;
  let length = fields[at + VALUE_TO]! - fields[at + VALUE_FROM]!;
  for (let i = next; i !== 0; i = fields[i * FIELD_STRIDE + NEXT_SAME]!) {
    length +=
      separator.length + fields[i * FIELD_STRIDE + VALUE_TO]! - fields[i * FIELD_STRIDE + VALUE_FROM]!;
  }
  if (!writer.field(bytes, fields[at + NAME_FROM]!, fields[at + NAME_TO]!, length)) return;
  writer.append(bytes, fields[at + VALUE_FROM]!, fields[at + VALUE_TO]!);
  for (let i = next; i !== 0; i = fields[i * FIELD_STRIDE + NEXT_SAME]!) {
    writer.append(separator, 0, separator.length);
    writer.append(bytes, fields[i * FIELD_STRIDE + VALUE_FROM]!, fields[i * FIELD_STRIDE + VALUE_TO]!);
  }
}
