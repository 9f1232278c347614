/** A message body as its head announced it: so many bytes, or chunks (RFC 9112 section 6). Sans I/O, no copies. */
import { ChunkedDecoder, type ChunkSink } from "./chunked.ts";

export class BodyReader {
  /** Of a body of known length, still to come. */
  remaining = 0;
  done = true;
  private isChunked = false;
  private readonly decoder = new ChunkedDecoder();

  /** `length` in bytes, -1 for the chunked coding. */
  begin(length: number): void {
    this.isChunked = length < 0;
    this.remaining = Math.max(0, length);
    this.done = length === 0;
    if (this.isChunked) this.decoder.reset();
  }

  get chunked(): boolean {
    return this.isChunked;
  }

  /**
   * Feeds `bytes[from, to)` and gives the spans of body to `sink`. Returns the index after the last byte that belongs to the body.
   * Throws `ProtocolError` where chunks are malformed.
   */
  read(bytes: Buffer, from: number, to: number, sink: ChunkSink): number {
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
