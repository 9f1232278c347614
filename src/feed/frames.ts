/** Messages on a byte stream: `u32be length`, then that many bytes of JSON in UTF-8. Sans I/O. */

/** A snapshot of 10,000 routes takes about 8 MiB. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;
const LENGTH_BYTES = 4;

/** What came cannot be frames of this feed: there is no way to read on. */
export class FrameError extends Error {
  override name = "FrameError";
}

export function encodeFrame(message: object): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  if (body.length > MAX_FRAME_BYTES) throw new FrameError(`a message of ${body.length} bytes`);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, LENGTH_BYTES);
  return frame;
}

export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Of the frame that is being read; undefined before its length is whole. */
  #length: number | undefined;

  constructor(maxBytes = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The messages that `bytes` completes. Throws `FrameError`; the reader is of no use then. */
  read(bytes: Buffer): unknown[] {
    this.#chunks.push(bytes);
    this.#held += bytes.length;
    const messages: unknown[] = [];
    for (;;) {
      if (this.#length === undefined) {
        if (this.#held < LENGTH_BYTES) return messages;
        this.#length = this.#take(LENGTH_BYTES).readUInt32BE(0);
        if (this.#length > this.#maxBytes) throw new FrameError(`a message of ${this.#length} bytes`);
      }
      if (this.#held < this.#length) return messages;
      messages.push(parse(this.#take(this.#length)));
      this.#length = undefined;
    }
  }

  #take(count: number): Buffer {
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#held -= count;
    this.#chunks = this.#held === 0 ? [] : [whole.subarray(count)];
    return whole.subarray(0, count);
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new FrameError("a message that is not JSON");
  }
}
