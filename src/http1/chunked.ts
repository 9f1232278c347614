/**
 * The chunked transfer coding (RFC 9112 section 7.1), sans I/O and without copies. Strict in both directions:
 * every leniency here is one that another parser on the path may not share, which is how requests are smuggled.
 *
 * Extensions are skipped and trailers are checked and dropped: the uwsgi protocol has no place for either.
 */

import { FIELD_VALUE, HEX_VALUE, TOKEN } from "./characters.ts";
import { ProtocolError, type ProtocolErrorKind } from "./protocol-error.ts";

/** Takes body bytes as they are found; the span is valid during the call only. */
export interface ChunkSink {
  bodyBytes(bytes: Uint8Array, from: number, to: number): void;
}

/** 13 hexadecimal digits stay below 2^53, where numbers are exact; leading zeros count. */
export const maxChunkSizeDigits = 13;
/** Of one chunk's extensions, the first semicolon included. */
export const maxChunkExtensionBytes = 256;
/** Of all trailer lines of one body, line ends included. */
export const maxTrailerBytes = 8192;

const CR = 0x0d;
const LF = 0x0a;
const HTAB = 0x09;
const SP = 0x20;
const COLON = 0x3a;
const SEMICOLON = 0x3b;

/* States up to DATA_LF belong to a chunk, the rest to the trailer section. */
const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER_START = 6;
const TRAILER_NAME = 7;
const TRAILER_VALUE = 8;
const TRAILER_LF = 9;
const LAST_LF = 10;
const DONE = 11;
const FAILED = 12;

/** Decodes one body after another, each begun by `reset`. */
export class ChunkedDecoder {
  private state = SIZE;
  /** Of the size line: digits seen. */
  private digits = 0;
  /** Bytes of the chunk still to come. */
  private remaining = 0;
  private extensionBytes = 0;
  private trailerBytes = 0;

  /** The final chunk and the trailers were read. A connection that ends before that cut the body short. */
  get done(): boolean {
    return this.state === DONE;
  }

  reset(): void {
    this.state = SIZE;
    this.digits = 0;
    this.remaining = 0;
    this.extensionBytes = 0;
    this.trailerBytes = 0;
  }

  /**
   * Reads bytes[from, to) and gives each span of body to `sink`, in order and never empty. Returns the index of the first byte that
   * does not belong to this body: `to`, unless `done`. Throws `ProtocolError`, and goes on throwing until `reset`.
   */
  decode(bytes: Uint8Array, from: number, to: number, sink: ChunkSink): number {
    let at = from;
    while (at < to && this.state !== DONE) {
      if (this.state === DATA) {
        const start = at;
        at = Math.min(start + this.remaining, to);
        this.remaining -= at - start;
        if (this.remaining === 0) this.state = DATA_CR;
        sink.bodyBytes(bytes, start, at);
      } else {
        this.state =
          this.state < TRAILER_START ? this.afterFrameByte(bytes[at]!) : this.afterTrailerByte(bytes[at]!);
        at++;
      }
    }
    return at;
  }

  private afterFrameByte(byte: number): number {
    switch (this.state) {
      case SIZE:
        return this.afterSizeByte(byte);
      case EXTENSION:
        if (byte === CR) return SIZE_LF;
        if (FIELD_VALUE[byte] === 0) this.fail("bad_chunk", "control character in a chunk extension");
        if (++this.extensionBytes > maxChunkExtensionBytes)
          this.fail("bad_chunk", "chunk extension too long");
        return EXTENSION;
      case SIZE_LF:
        if (byte !== LF) this.fail("bad_chunk", "bare CR in a chunk size line");
        this.digits = 0;
        this.extensionBytes = 0;
        return this.remaining === 0 ? TRAILER_START : DATA;
      case DATA_CR:
        if (byte !== CR) this.fail("bad_chunk", "chunk data not followed by CRLF");
        return DATA_LF;
      default:
        if (byte !== LF) this.fail("bad_chunk", "chunk data not followed by CRLF");
        return SIZE;
    }
  }

  private afterSizeByte(byte: number): number {
    const value = HEX_VALUE[byte]!;
    if (value < 16) {
      if (++this.digits > maxChunkSizeDigits) this.fail("bad_chunk", "chunk size too large");
      this.remaining = this.remaining * 16 + value;
      return SIZE;
    }
    if (this.digits === 0) this.fail("bad_chunk", "chunk without a size");
    if (byte === CR) return SIZE_LF;
    if (byte !== SEMICOLON) this.fail("bad_chunk", "unexpected byte in a chunk size line");
    this.extensionBytes = 1;
    return EXTENSION;
  }

  private afterTrailerByte(byte: number): number {
    if (this.state === FAILED) this.fail("bad_chunk", "read on after a failure");
    if (++this.trailerBytes > maxTrailerBytes) this.fail("trailer_too_large", "trailer section too large");
    switch (this.state) {
      case TRAILER_START:
        if (byte === CR) return LAST_LF;
        if (byte === SP || byte === HTAB) this.fail("obs_fold", "trailer line begins with a blank");
        if (TOKEN[byte] === 0) this.fail("bad_field_name", "unexpected byte at the start of a trailer line");
        return TRAILER_NAME;
      case TRAILER_NAME:
        if (byte === COLON) return TRAILER_VALUE;
        if (TOKEN[byte] === 0) this.fail("bad_field_name", "unexpected byte in a trailer name");
        return TRAILER_NAME;
      case TRAILER_VALUE:
        if (byte === CR) return TRAILER_LF;
        if (FIELD_VALUE[byte] === 0) this.fail("bad_field_value", "control character in a trailer value");
        return TRAILER_VALUE;
      case TRAILER_LF:
        if (byte !== LF) this.fail("bad_field_value", "bare CR in a trailer value");
        return TRAILER_START;
      default:
        if (byte !== LF) this.fail("bad_chunk", "body not ended by CRLF");
        return DONE;
    }
  }

  private fail(kind: ProtocolErrorKind, message: string): never {
    this.state = FAILED;
    throw new ProtocolError(kind, message);
  }
}

/**
 * Writes a chunk's size line, `length` in hexadecimal and CRLF, into `target` at `at`; returns the index after it.
 * Takes at most 16 bytes. `length` is an integer in 1..2^53-1: a zero would end the body.
 */
export function writeChunkHeader(target: Uint8Array, at: number, length: number): number {
  let digits = 1;
  for (let rest = length; rest >= 16; rest = Math.floor(rest / 16)) digits++;
  let rest = length;
  for (let index = at + digits - 1; index >= at; index--) {
    const digit = rest % 16;
    target[index] = digit < 10 ? 0x30 + digit : 0x57 + digit;
    rest = Math.floor(rest / 16);
  }
  target[at + digits] = CR;
  target[at + digits + 1] = LF;
  return at + digits + 2;
}
