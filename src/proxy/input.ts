/** What a client sent and nobody has used yet. When much waits here, the rest waits in the kernel. */
import type { Stream } from "../net/stream.ts";

/** Room for requests sent ahead; below it the stream is read on, so that its end is seen. */
const aheadBytes = 65_536;

export class Input {
  /** `undefined`: nothing waits. */
  bytes: Buffer | undefined;
  /** The first byte of `bytes` that is not used. */
  at = 0;
  private readonly stream: Stream;
  private paused = false;

  constructor(stream: Stream) {
    this.stream = stream;
  }

  push(bytes: Buffer): void {
    this.bytes = this.bytes === undefined ? bytes : Buffer.concat([this.bytes.subarray(this.at), bytes]);
    this.at = 0;
  }

  get empty(): boolean {
    return this.bytes === undefined;
  }

  clear(): void {
    this.bytes = undefined;
  }

  /** Pauses the stream while much waits, so that a client which sends ahead fills its own buffers. */
  regulate(): void {
    const hold = this.bytes !== undefined && this.bytes.length - this.at > aheadBytes;
    if (hold === this.paused) return;
    this.paused = hold;
    if (hold) this.stream.pause();
    else this.stream.resume();
  }
}
