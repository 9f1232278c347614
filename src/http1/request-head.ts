/** Request heads: the request line, and what the fields say about how to read on. */
import { METHOD, TARGET_FORBIDDEN } from "./characters.ts";
import { CONDITIONAL, FIELD, FIELD_FLAGS } from "./fields.ts";
import { fail, type HeadLimits, HeadReader, readDecimal } from "./head-reader.ts";

export const maxTargetBytes = 8192;

export const REQUEST_LIMITS: HeadLimits = {
  // The longest method, the version and the spaces add less than this.
  maxFirstLineBytes: maxTargetBytes + 64,
  maxFieldLineBytes: 8192,
  maxHeadBytes: 32_768,
  maxFields: 1000,
};

const maxMethodBytes = 32;
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;

export class RequestHeadReader extends HeadReader {
  methodTo = 0;
  targetFrom = 0;
  targetTo = 0;
  /** 10 or 11. HTTP/1.2 and up are served as 1.1. */
  version = 11;
  /** Index of the line, -1 where absent. */
  host = -1;
  connection = -1;
  transferEncoding = -1;
  expect = -1;
  upgrade = -1;
  contentType = -1;
  /** A field that makes the request conditional or partial is there. */
  conditional = false;
  /** -1 where there is no Content-Length. */
  contentLength = -1;

  override reset(): void {
    super.reset();
    this.version = 11;
    this.host = -1;
    this.connection = -1;
    this.transferEncoding = -1;
    this.expect = -1;
    this.upgrade = -1;
    this.contentType = -1;
    this.conditional = false;
    this.contentLength = -1;
  }

  /** Method, target and version are known, whatever becomes of the rest. */
  get hasRequestLine(): boolean {
    return this.firstLineRead;
  }

  protected checkFirstByte(byte: number): void {
    if (METHOD[byte] === 0 && byte !== CR && byte !== LF) fail("bad_method");
  }

  protected shiftFirstLine(by: number): void {
    this.methodTo -= by;
    this.targetFrom -= by;
    this.targetTo -= by;
  }

  protected readFirstLine(from: number, to: number): void {
    const bytes = this.bytes;
    let at = from;
    while (at < to && METHOD[bytes[at]!] === 1) at++;
    if (at === from || at - from > maxMethodBytes || bytes[at] !== SPACE) fail("bad_method");
    this.start = from;
    this.methodTo = at;
    const targetFrom = ++at;
    while (at < to && TARGET_FORBIDDEN[bytes[at]!] === 0) at++;
    if (at - targetFrom > maxTargetBytes) fail("target_too_long");
    if (at === targetFrom || bytes[at] !== SPACE || at >= to) fail("bad_request_line");
    this.targetFrom = targetFrom;
    this.targetTo = at;
    this.version = readVersion(bytes, at + 1, to);
    this.firstLineRead = true;
  }

  protected noteKnown(index: number, known: number, valueFrom: number, valueTo: number): void {
    if ((FIELD_FLAGS[known]! & CONDITIONAL) !== 0) this.conditional = true;
    switch (known) {
      case FIELD.host:
        this.host = index;
        break;
      case FIELD.connection:
        if (this.connection < 0) this.connection = index;
        break;
      case FIELD.transfer_encoding:
        this.transferEncoding = index;
        break;
      case FIELD.expect:
        this.expect = index;
        break;
      case FIELD.upgrade:
        if (this.upgrade < 0) this.upgrade = index;
        break;
      case FIELD.content_type:
        if (this.contentType < 0) this.contentType = index;
        break;
      case FIELD.content_length:
        this.contentLength = readDecimal(this.bytes, valueFrom, valueTo);
        if (this.contentLength < 0) fail("bad_content_length");
        break;
    }
  }

  /** RFC 9112 section 6.1 to 6.3, at its strictest. */
  protected checkHead(): void {
    if (this.transferEncoding < 0) return;
    if (this.contentLength >= 0) fail("length_with_transfer_encoding");
    if (this.version === 10) fail("bad_transfer_encoding");
    if (this.valueIs(this.transferEncoding, "chunked")) return;
    fail("unsupported_transfer_encoding");
  }
}

/** `HTTP/1.x` at the end of the request line: 10 for 1.0, 11 for every later minor version. */
function readVersion(bytes: Uint8Array, from: number, to: number): number {
  const name = "HTTP/";
  if (to - from < 8) fail("bad_request_line");
  for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name.charCodeAt(i)) fail("bad_request_line");
  const major = readDecimal(bytes, from + 5, from + 6);
  const minor = readDecimal(bytes, from + 7, to);
  if (bytes[from + 6] !== 0x2e || major < 1 || minor < 0 || to - from > 10) fail("bad_request_line");
  if (major > 1) fail("unsupported_version");
  return minor === 0 ? 10 : 11;
}
