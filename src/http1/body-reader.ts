/** A message body as its head announced it: so many bytes, or chunks (RFC 9112 section 6). Sans I/O, no copies. */
import { ChunkedDecoder, type ChunkSink } from "./chunked.ts";

const NOWHERE: ChunkSink = { bodyBytes() {} };

export class BodyReader {
  /** Of a body of known length, still to come. */
  remaining = 0;
  done = true;
  private isChunked = false;
  private begun = false;
  private readonly decoder = new ChunkedDecoder();

  /** `length` in bytes, -1 for the chunked coding. */
  begin(length: number): void {
    this.isChunked = length < 0;
    this.begun = false;
    this.remaining = Math.max(0, length);
    this.done = length === 0;
    if (this.isChunked) this.decoder.reset();
  }

  get chunked(): boolean {
    return this.isChunked;
  }

  /** Whether a chunked body of which nothing was read yet is whole, and sound, in the first `maxBytes` of `bytes` from `from` on. */
  isWholeIn(bytes: Buffer, from: number, maxBytes: number): boolean {
    if (this.begun) return false;
    const look = new ChunkedDecoder();
    try {
      look.decode(bytes, from, Math.min(bytes.length, from + maxBytes), NOWHERE);
    } catch {
      return false;
    }
    return look.done;
  }

  /**
   * Feeds `bytes[from, to)` and gives the spans of body to `sink`. Returns the index after the last byte that belongs to the body.
   * Throws `ProtocolError` where chunks are malformed.
   */
  read(bytes: Buffer, from: number, to: number, sink: ChunkSink): number {
    this.begun = true;
    if (this.isChunked) {
      const end = this.decoder.decode(bytes, from, to, sink);
      this.done = this.decoder.done;
      return end;
    }
    const end = Math.min(to, from + this.remaining);
    this.remaining -= end - from;
    this.done = this.remaining === 0;
    if (end > from) sink.bodyBytes(bytes, from, end);
    return end;
  }
}
