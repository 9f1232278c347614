/**
 * Response heads as a uwsgi server sends them: HTTP-like, or CGI-like (RFC 3875 section 6) without a status line.
 * Read as NGINX's upstream does, but stricter about what would make two readers disagree.
 */
import { FIELD_VALUE, HEX_VALUE } from "./characters.ts";
import { FIELD } from "./fields.ts";
import { FIELD_STRIDE, fail, type HeadLimits, HeadReader, KNOWN, readDecimal } from "./head-reader.ts";

export const RESPONSE_LIMITS: HeadLimits = {
  maxFirstLineBytes: 8192,
  maxFieldLineBytes: 32_768,
  maxHeadBytes: 32_768,
  maxFields: 1000,
};

const SPACE = 0x20;

export class ResponseHeadReader extends HeadReader {
  /** 100 to 999. */
  status = 0;
  /** The reason phrase in `bytes`; equal when there is none. */
  reasonFrom = 0;
  reasonTo = 0;
  /** Index of the line, -1 where absent. */
  connection = -1;
  transferEncoding = -1;
  upgrade = -1;
  hasServer = false;
  hasDate = false;
  /** An X-Accel-* line is there. */
  hasAccel = false;
  contentLength = -1;
  private location = false;

  override reset(): void {
    super.reset();
    this.status = 0;
    this.reasonFrom = this.reasonTo = 0;
    this.connection = -1;
    this.transferEncoding = -1;
    this.upgrade = -1;
    this.hasServer = false;
    this.hasDate = false;
    this.hasAccel = false;
    this.contentLength = -1;
    this.location = false;
  }

  /** The body comes in the chunked coding. */
  get chunked(): boolean {
    return this.transferEncoding >= 0;
  }

  protected checkFirstByte(byte: number): void {
    if (byte <= SPACE) fail("bad_status_line");
  }

  protected shiftFirstLine(by: number): void {
    this.reasonFrom -= by;
    this.reasonTo -= by;
  }

  protected readFirstLine(from: number, to: number): void {
    this.firstLineRead = true;
    const bytes = this.bytes;
    const isStatusLine =
      to - from >= 5 &&
      bytes[from] === 0x48 &&
      bytes[from + 1] === 0x54 &&
      bytes[from + 2] === 0x54 &&
      bytes[from + 3] === 0x50 &&
      bytes[from + 4] === 0x2f;
    if (!isStatusLine) {
      this.readField(from, to);
      return;
    }
    // "HTTP/2.0" and "HTTP/3" too: uWSGI echoes SERVER_PROTOCOL.
    let at = from + 5;
    while (at < to && (HEX_VALUE[bytes[at]!]! < 10 || bytes[at] === 0x2e)) at++;
    if (at === from + 5 || bytes[at] !== SPACE || at >= to) fail("bad_status_line");
    while (at < to && bytes[at] === SPACE) at++;
    this.readStatus(at, to);
  }

  /** `NNN[ reason]` */
  private readStatus(from: number, to: number): void {
    const end = from + 3;
    const status = to >= end ? readDecimal(this.bytes, from, end) : -1;
    if (status < 100 || (end < to && this.bytes[end] !== SPACE)) fail("bad_status_line");
    for (let i = end; i < to; i++) if (FIELD_VALUE[this.bytes[i]!] === 0) fail("bad_status_line");
    this.status = status;
    this.reasonFrom = Math.min(end + 1, to);
    this.reasonTo = to;
  }

  protected noteKnown(index: number, known: number, valueFrom: number, valueTo: number): void {
    switch (known) {
      case FIELD.status:
        if (this.status === 0) this.readStatus(valueFrom, valueTo);
        break;
      case FIELD.location:
        this.location = true;
        break;
      case FIELD.connection:
        if (this.connection < 0) this.connection = index;
        break;
      case FIELD.transfer_encoding:
        this.transferEncoding = index;
        break;
      case FIELD.upgrade:
        this.upgrade = index;
        break;
      case FIELD.server:
        this.hasServer = true;
        break;
      case FIELD.date:
        this.hasDate = true;
        break;
      case FIELD.content_length:
        this.contentLength = readDecimal(this.bytes, valueFrom, valueTo);
        if (this.contentLength < 0) fail("bad_content_length");
        break;
      case FIELD.x_accel_buffering:
      case FIELD.x_accel_charset:
      case FIELD.x_accel_expires:
      case FIELD.x_accel_limit_rate:
      case FIELD.x_accel_redirect:
        this.hasAccel = true;
        break;
    }
  }

  protected checkHead(): void {
    if (this.status === 0) this.status = this.location ? 302 : 200;
    if (this.transferEncoding < 0) return;
    if (this.contentLength >= 0) fail("length_with_transfer_encoding");
    if (!this.valueIs(this.transferEncoding, "chunked")) fail("unsupported_transfer_encoding");
  }

  /** The first line of a name (a number of `FIELD`) as text; `undefined` where absent. A search: not for every response. */
  find(known: number): string | undefined {
    for (let i = 0; i < this.fieldCount; i++) {
      if (this.fields[i * FIELD_STRIDE + KNOWN] === known) return this.value(i);
    }
    return undefined;
  }
}
