/**
 * Writes uwsgi request packets (uWSGI protocol: `u8 modifier1, u16le size, u8 modifier2`, then pairs of
 * `u16le length, bytes`) into one buffer that is used again for each request.
 */

/** What the size field can say. */
export const maxBlockBytes = 65_535;
const headerBytes = 4;
const httpPrefixBytes = 5;

export type UwsgiErrorKind =
  /** The block does not fit the protocol's 16 bits. */
  | "uwsgi_block_too_large"
  /** uWSGI would close without a word: raise its `--buffer-size`. */
  | "uwsgi_buffer_size_exceeded"
  /** The same for `--max-vars`. */
  | "uwsgi_max_vars_exceeded";

export class UwsgiEncodeError extends Error {
  override readonly name = "UwsgiEncodeError";
  readonly kind: UwsgiErrorKind;
  constructor(kind: UwsgiErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** A key with its length in front, ready to be copied. Throws `RangeError` for an empty one: uWSGI refuses it. */
export function encodeKey(name: string): Buffer {
  const length = Buffer.byteLength(name, "latin1");
  if (length === 0 || length > 1024) throw new RangeError(`a uwsgi key of ${length} bytes`);
  const key = Buffer.allocUnsafeSlow(2 + length);
  key.writeUInt16LE(length, 0);
  key.write(name, 2, "latin1");
  return key;
}

/** A whole pair, for values that stay the same from request to request. */
export function encodePair(name: string, value: string): Buffer {
  const length = Buffer.byteLength(value, "latin1");
  if (length > maxBlockBytes) throw new RangeError(`a uwsgi value of ${length} bytes`);
  const size = Buffer.allocUnsafeSlow(2);
  size.writeUInt16LE(length, 0);
  return Buffer.concat([encodeKey(name), size, Buffer.from(value, "latin1")]);
}

/** Upper case, and `_` for `-`: how a field name becomes a CGI variable (RFC 3875 section 4.1.18). */
const CGI_NAME = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte === 0x2d ? 0x5f : byte,
);

/** Below this a loop beats the call. */
const shortBytes = 12;

export class PacketWriter {
  /** Overlong blocks are told at `finish`, so that writes need no checks but this slack's. */
  private readonly bytes: Buffer = Buffer.allocUnsafeSlow(headerBytes + maxBlockBytes);
  private at = headerBytes;
  private pairs = 0;
  private overflow = false;

  begin(): void {
    this.at = headerBytes;
    this.pairs = 0;
    this.overflow = false;
  }

  /** Pairs encoded beforehand. */
  encoded(pairs: Buffer, count: number): void {
    if (!this.reserve(pairs.length, count)) return;
    this.copy(pairs, 0, pairs.length);
  }

  /** `value` is a binary string: one character per byte. */
  text(key: Buffer, value: string): void {
    if (!this.reserve(key.length + 2 + value.length, 1)) return;
    this.copy(key, 0, key.length);
    this.size(value.length);
    if (value.length > 0) this.at += this.bytes.write(value, this.at, "latin1");
  }

  /** The value is `source[from, to)`. */
  span(key: Buffer, source: Buffer, from: number, to: number): void {
    if (!this.reserve(key.length + 2 + to - from, 1)) return;
    this.copy(key, 0, key.length);
    this.size(to - from);
    this.copy(source, from, to);
  }

  /**
   * Begins the var of a request field, named `source[from, to)`, whose value will hold `valueBytes`, to be written with
   * `append`. Returns false when it does not fit: nothing may be appended then.
   */
  field(source: Buffer, from: number, to: number, valueBytes: number): boolean {
    const nameBytes = to - from;
    if (!this.reserve(2 + httpPrefixBytes + nameBytes + 2 + valueBytes, 1)) return false;
    this.size(httpPrefixBytes + nameBytes);
    const bytes = this.bytes;
    let at = this.at;
    bytes[at] = 0x48;
    bytes[at + 1] = 0x54;
    bytes[at + 2] = 0x54;
    bytes[at + 3] = 0x50;
    bytes[at + 4] = 0x5f;
    at += httpPrefixBytes;
    for (let i = from; i < to; i++) bytes[at++] = CGI_NAME[source[i]!]!;
    this.at = at;
    this.size(valueBytes);
    return true;
  }

  append(source: Buffer, from: number, to: number): void {
    this.copy(source, from, to);
  }

  /**
   * Completes the packet and returns a copy of it. Throws `UwsgiEncodeError` when it is more than the protocol, or the
   * uWSGI behind it, takes: `bufferSizeBytes` is its `--buffer-size`, `maxVars` its `--max-vars` (which counts
   * two pairs each, see uWSGI's `vec_size`).
   */
  finish(modifier1: number, modifier2: number, bufferSizeBytes: number, maxVars: number): Buffer {
    const block = this.at - headerBytes;
    if (this.overflow) {
      throw new UwsgiEncodeError("uwsgi_block_too_large", `uwsgi block over ${maxBlockBytes} bytes`);
    }
    if (block > bufferSizeBytes) {
      throw new UwsgiEncodeError(
        "uwsgi_buffer_size_exceeded",
        `uwsgi block of ${block} bytes, uWSGI's --buffer-size is ${bufferSizeBytes}: raise both`,
      );
    }
    if (this.pairs > maxVars * 2) {
      throw new UwsgiEncodeError(
        "uwsgi_max_vars_exceeded",
        `${this.pairs} uwsgi vars, uWSGI's --max-vars ${maxVars} takes ${maxVars * 2}: raise both`,
      );
    }
    const packet = Buffer.allocUnsafeSlow(this.at);
    this.bytes.copy(packet, 0, 0, this.at);
    packet[0] = modifier1;
    packet[1] = block & 0xff;
    packet[2] = block >>> 8;
    packet[3] = modifier2;
    return packet;
  }

  private reserve(length: number, pairs: number): boolean {
    this.pairs += pairs;
    if (this.at + length <= this.bytes.length && !this.overflow) return true;
    this.overflow = true;
    return false;
  }

  private size(length: number): void {
    this.bytes[this.at] = length & 0xff;
    this.bytes[this.at + 1] = length >>> 8;
    this.at += 2;
  }

  private copy(source: Buffer, from: number, to: number): void {
    const bytes = this.bytes;
    let at = this.at;
    if (to - from > shortBytes) {
      source.copy(bytes, at, from, to);
      at += to - from;
    } else {
      for (let i = from; i < to; i++) bytes[at++] = source[i]!;
    }
    this.at = at;
  }
}
