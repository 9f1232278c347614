/** The chunked coding towards uWSGI's chunked input, which reads it itself. */
import { writeChunkHeader } from "../http1/chunked.ts";
import type { ByteQueue } from "./byte-queue.ts";

const CRLF = Buffer.from("\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const chunkSize = Buffer.alloc(16);

/** `bytes[from, to)` as one chunk. */
export function pushChunk(queue: ByteQueue, bytes: Buffer, from: number, to: number): void {
  const sizeTo = writeChunkHeader(chunkSize, 0, to - from);
  queue.push(chunkSize, 0, sizeTo, true);
  queue.push(bytes, from, to, false);
  queue.push(CRLF, 0, CRLF.length, false);
}

export function pushLastChunk(queue: ByteQueue): void {
  queue.push(LAST_CHUNK, 0, LAST_CHUNK.length, false);
}
