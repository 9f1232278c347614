/**
 * What request and response heads have in common (RFC 9112 sections 2 to 5): lines, gathered across chunks and
 * read into byte offsets, sans I/O. No string is made here: most fields are never looked at as text.
 *
 * Where parsers on the path could disagree about where a message ends, the message is refused.
 */
import { FIELD_VALUE, LOWER, VAR_NAME } from "./characters.ts";
import { FIELD_FLAGS, HASH_SEED, hashStep, knownField, sameName, UNIQUE } from "./fields.ts";
import { ProtocolError, type ProtocolErrorKind } from "./protocol-error.ts";

export interface HeadLimits {
  /** Of the first line. */
  readonly maxFirstLineBytes: number;
  /** Of one field line, name and value and line end. */
  readonly maxFieldLineBytes: number;
  /** Of the whole head. */
  readonly maxHeadBytes: number;
  readonly maxFields: number;
}

/** Integers that describe one field line in `HeadReader.fields`. */
export const FIELD_STRIDE = 7;
export const NAME_FROM = 0;
export const NAME_TO = 1;
export const VALUE_FROM = 2;
export const VALUE_TO = 3;
/** Number of the name in `FIELD`, 0 for others, -1 for a name that cannot become a var. */
export const KNOWN = 4;
/** Index of the next line with the same name, 0 for none. */
export const NEXT_SAME = 5;
/** 1 on a line whose name an earlier line has. */
export const REPEATED = 6;

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;

const usualFieldCount = 32;
/** The empty line that may stand before a head, and does not count as part of it. */
const maxEmptyLineBytes = 2;
const nothing = Buffer.alloc(0);

export abstract class HeadReader {
  /** What all offsets point into; valid until the next `reset`. */
  bytes: Buffer = nothing;
  /** The first line begins here. */
  start = 0;
  fields: Int32Array = new Int32Array(usualFieldCount * FIELD_STRIDE);
  fieldCount = 0;

  protected readonly limits: HeadLimits;
  protected firstLineRead = false;
  private emptyLine = false;
  /** Where the first line that is not read yet begins, and how far it was searched for its end. */
  private lineFrom = 0;
  private scanned = 0;
  /** `bytes` is our own buffer, filled up to here; 0 while `bytes` is the caller's chunk. */
  private ownedTo = 0;
  /** One bit for each hash seen: most lines are told from all earlier ones without a search. */
  private seen = 0;
  private hashes: Int32Array = new Int32Array(usualFieldCount);

  constructor(limits: HeadLimits) {
    this.limits = limits;
  }

  /** Reads `bytes[from, to)`, the line end left out; may be a field line where the format allows it. */
  protected abstract readFirstLine(from: number, to: number): void;
  protected abstract noteKnown(index: number, known: number, valueFrom: number, valueTo: number): void;
  /** After the empty line that ends the head. */
  protected abstract checkHead(): void;
  /** Throws where no head begins with this byte: garbage is refused before it fills a buffer. */
  protected abstract checkFirstByte(byte: number): void;
  /** Moves the offsets of the first line by `-by`. */
  protected abstract shiftFirstLine(by: number): void;

  reset(): void {
    this.bytes = nothing;
    this.start = 0;
    this.fieldCount = 0;
    this.firstLineRead = false;
    this.emptyLine = false;
    this.lineFrom = 0;
    this.scanned = 0;
    this.ownedTo = 0;
    this.seen = 0;
    if (this.hashes.length > usualFieldCount * 2) {
      this.fields = new Int32Array(usualFieldCount * FIELD_STRIDE);
      this.hashes = new Int32Array(usualFieldCount);
    }
  }

  /** Bytes of an unfinished head are held. */
  get begun(): boolean {
    return this.ownedTo > 0;
  }

  /**
   * Feeds `chunk[from, to)`. Returns the index in `chunk` just after the head, or -1 when more is needed (all of
   * the chunk is then held). The chunk is kept and must not be changed. Throws `ProtocolError`.
   */
  read(chunk: Buffer, from: number, to: number): number {
    if (this.ownedTo === 0) {
      this.bytes = chunk;
      this.lineFrom = this.scanned = this.start = from;
      const end = this.readLines(to);
      if (end >= 0) return end;
      this.own(chunk, this.start, to);
      return -1;
    }
    // One byte more than is allowed, so that a head cut short here is too large and not silently incomplete.
    const room = maxEmptyLineBytes + this.limits.maxHeadBytes + 1 - this.ownedTo;
    const taken = Math.min(room, to - from);
    const before = this.ownedTo;
    this.append(chunk, from, from + taken);
    const end = this.readLines(this.ownedTo);
    if (end < 0) return -1;
    return from + (end - before);
  }

  /** Moves an unfinished head out of the caller's chunk, offsets along with it. */
  private own(chunk: Buffer, from: number, to: number): void {
    const own = Buffer.allocUnsafeSlow(Math.max(1024, (to - from) * 2));
    chunk.copy(own, 0, from, to);
    this.bytes = own;
    this.ownedTo = to - from;
    this.start -= from;
    this.shiftFirstLine(from);
    this.lineFrom -= from;
    this.scanned -= from;
    for (let at = 0; at < this.fieldCount * FIELD_STRIDE; at += FIELD_STRIDE) {
      for (let i = NAME_FROM; i <= VALUE_TO; i++) this.fields[at + i]! -= from;
    }
  }

  private append(chunk: Buffer, from: number, to: number): void {
    const needed = this.ownedTo + to - from;
    if (needed > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, this.ownedTo);
      this.bytes = grown;
    }
    chunk.copy(this.bytes, this.ownedTo, from, to);
    this.ownedTo = needed;
  }

  /** Reads whole lines of `bytes[lineFrom, to)`. Returns the index after the head, or -1. */
  private readLines(to: number): number {
    const bytes = this.bytes;
    for (;;) {
      if (!this.firstLineRead && this.lineFrom < to) this.checkFirstByte(bytes[this.lineFrom]!);
      let lineTo = this.scanned;
      while (lineTo < to && bytes[lineTo] !== LF) lineTo++;
      this.checkSize(lineTo);
      if (lineTo === to) {
        this.scanned = to;
        return -1;
      }
      const next = lineTo + 1;
      const lineFrom = this.lineFrom;
      if (lineTo > lineFrom && bytes[lineTo - 1] === CR) lineTo--;
      this.lineFrom = this.scanned = next;
      if (this.firstLineRead) {
        if (lineTo === lineFrom) {
          this.checkHead();
          return next;
        }
        this.readField(lineFrom, lineTo);
      } else if (lineTo > lineFrom) {
        this.readFirstLine(lineFrom, lineTo);
      } else {
        // RFC 9112 section 2.2: one empty line before the request line is ignored.
        if (this.emptyLine) fail("bad_request_line");
        this.emptyLine = true;
        this.start = next;
      }
    }
  }

  private checkSize(lineTo: number): void {
    const line = lineTo - this.lineFrom;
    if (!this.firstLineRead) {
      if (line > this.limits.maxFirstLineBytes) fail("target_too_long");
    } else if (line > this.limits.maxFieldLineBytes) fail("field_line_too_long");
    if (lineTo - this.start > this.limits.maxHeadBytes) fail("head_too_large");
  }

  protected readField(from: number, to: number): void {
    const bytes = this.bytes;
    let at = from;
    let hash = HASH_SEED;
    let plain = true;
    let byte = bytes[at]!;
    if (byte === SPACE || byte === TAB) fail("obs_fold");
    while (byte !== COLON) {
      if (VAR_NAME[byte] === 0) {
        if (byte <= SPACE || byte === 0x7f) fail("bad_field_name");
        plain = false;
      }
      hash = hashStep(hash, LOWER[byte]!);
      if (++at === to) fail("bad_field_name");
      byte = bytes[at]!;
    }
    if (at === from) fail("bad_field_name");
    let valueFrom = at + 1;
    let valueTo = to;
    while (valueFrom < valueTo && isBlank(bytes[valueFrom]!)) valueFrom++;
    while (valueTo > valueFrom && isBlank(bytes[valueTo - 1]!)) valueTo--;
    for (let i = valueFrom; i < valueTo; i++) {
      if (FIELD_VALUE[bytes[i]!] === 0) fail("bad_field_value");
    }
    this.addField(from, at, valueFrom, valueTo, hash, plain);
  }

  private addField(
    nameFrom: number,
    nameTo: number,
    valueFrom: number,
    valueTo: number,
    hash: number,
    plain: boolean,
  ): void {
    const index = this.fieldCount;
    if (index >= this.limits.maxFields) fail("too_many_fields");
    if (index === this.hashes.length) this.growFields();
    const known = plain ? knownField(this.bytes, nameFrom, nameTo, hash) : -1;
    const at = index * FIELD_STRIDE;
    const fields = this.fields;
    fields[at + NAME_FROM] = nameFrom;
    fields[at + NAME_TO] = nameTo;
    fields[at + VALUE_FROM] = valueFrom;
    fields[at + VALUE_TO] = valueTo;
    fields[at + KNOWN] = known;
    fields[at + NEXT_SAME] = 0;
    fields[at + REPEATED] = 0;
    this.hashes[index] = hash;
    this.fieldCount = index + 1;
    const bit = 1 << (hash & 31);
    if ((this.seen & bit) !== 0) this.linkToEarlier(index, hash, known);
    this.seen |= bit;
    if (known > 0) this.noteKnown(index, known, valueFrom, valueTo);
  }

  private growFields(): void {
    const fields = new Int32Array(this.fields.length * 2);
    fields.set(this.fields);
    this.fields = fields;
    const hashes = new Int32Array(this.hashes.length * 2);
    hashes.set(this.hashes);
    this.hashes = hashes;
  }

  private linkToEarlier(index: number, hash: number, known: number): void {
    const fields = this.fields;
    const at = index * FIELD_STRIDE;
    const length = fields[at + NAME_TO]! - fields[at + NAME_FROM]!;
    for (let i = index - 1; i >= 0; i--) {
      if (this.hashes[i] !== hash) continue;
      const earlier = i * FIELD_STRIDE;
      if (fields[earlier + NAME_TO]! - fields[earlier + NAME_FROM]! !== length) continue;
      if (!sameName(this.bytes, fields[earlier + NAME_FROM]!, fields[at + NAME_FROM]!, length)) continue;
      if (known > 0 && (FIELD_FLAGS[known]! & UNIQUE) !== 0) fail("duplicate_field");
      fields[earlier + NEXT_SAME] = index;
      fields[at + REPEATED] = 1;
      return;
    }
  }

  /** A line's name as it came. */
  name(index: number): string {
    const at = index * FIELD_STRIDE;
    return this.bytes.toString("latin1", this.fields[at + NAME_FROM], this.fields[at + NAME_TO]);
  }

  /** A line's value as a binary string. */
  value(index: number): string {
    const at = index * FIELD_STRIDE;
    return this.bytes.toString("latin1", this.fields[at + VALUE_FROM], this.fields[at + VALUE_TO]);
  }

  /** Whether a line's value is `expected` (lower case, ASCII), but for case. */
  valueIs(index: number, expected: string): boolean {
    const from = this.fields[index * FIELD_STRIDE + VALUE_FROM]!;
    if (this.fields[index * FIELD_STRIDE + VALUE_TO]! - from !== expected.length) return false;
    for (let i = 0; i < expected.length; i++) {
      if (LOWER[this.bytes[from + i]!] !== expected.charCodeAt(i)) return false;
    }
    return true;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** `1*DIGIT` up to 2^53-1, or -1. */
export function readDecimal(bytes: Uint8Array, from: number, to: number): number {
  if (from === to || to - from > 16) return -1;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

export function fail(kind: ProtocolErrorKind): never {
  throw new ProtocolError(kind);
}
