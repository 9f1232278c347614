/** Bytes that wait for a socket, in order. */
import type { Stream } from "../net/stream.ts";

/** Pieces up to this are put together behind others: each piece costs a write. */
const smallBytes = 1024;
const blockBytes = 16_384;

interface Piece {
  readonly bytes: Buffer;
  /** Left of it: `bytes[at, to)`. */
  at: number;
  to: number;
  /** `bytes` is ours, and has room after `to`. */
  readonly grows: boolean;
  next: Piece | undefined;
}

export class ByteQueue {
  length = 0;
  private first: Piece | undefined;
  private last: Piece | undefined;

  /** Keeps a view of `bytes[from, to)`, or a copy when the buffer will be written again. */
  push(bytes: Buffer, from: number, to: number, reused: boolean): void {
    if (from === to) return;
    this.length += to - from;
    if (this.last !== undefined && to - from <= smallBytes) {
      this.gather(this.last, bytes, from, to);
    } else if (reused) {
      const copy = Buffer.from(bytes.subarray(from, to));
      this.add({ bytes: copy, at: 0, to: copy.length, grows: false, next: undefined });
    } else {
      this.add({ bytes, at: from, to, grows: false, next: undefined });
    }
  }

  private gather(last: Piece, bytes: Buffer, from: number, to: number): void {
    if (last.grows && last.to + to - from <= last.bytes.length) {
      last.to += bytes.copy(last.bytes, last.to, from, to);
      return;
    }
    const block = Buffer.allocUnsafeSlow(blockBytes);
    this.add({ bytes: block, at: 0, to: bytes.copy(block, 0, from, to), grows: true, next: undefined });
  }

  private add(piece: Piece): void {
    if (this.last === undefined) this.first = piece;
    else this.last.next = piece;
    this.last = piece;
  }

  /** Writes until the stream takes no more, or `maxBytes` are gone. Returns whether anything was taken. */
  writeTo(stream: Stream, maxBytes: number = Number.POSITIVE_INFINITY): boolean {
    const before = this.length;
    while (this.first !== undefined) {
      const piece = this.first;
      const wanted = Math.min(piece.to - piece.at, maxBytes - (before - this.length));
      const taken = wanted > 0 ? stream.write(piece.bytes, piece.at, wanted) : 0;
      if (taken <= 0) break;
      this.length -= taken;
      piece.at += taken;
      if (piece.at < piece.to) break;
      this.first = piece.next;
      if (this.first === undefined) this.last = undefined;
    }
    return this.length < before;
  }

  clear(): void {
    this.first = this.last = undefined;
    this.length = 0;
  }
}
