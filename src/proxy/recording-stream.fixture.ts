/** A stream for tests: takes as many bytes as it has room for and keeps them. */
import type { Stream } from "../net/stream.ts";

export class RecordingStream implements Stream {
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort = 1234;
  readonly localPort = 8080;
  /** Bytes that are taken before the stream is full; negative: it is gone. */
  room = Number.POSITIVE_INFINITY;
  /** Of each write, the bytes taken. */
  readonly writes: Buffer[] = [];
  /** `pause`, `resume`, `shutdown`, `close` and `terminate`, as they came. */
  readonly calls: string[] = [];

  /** All that was taken, one character per byte. */
  get text(): string {
    return Buffer.concat(this.writes).toString("latin1");
  }

  write(bytes: Uint8Array, offset: number, length: number): number {
    if (this.room < 0) return -1;
    const taken = Math.min(length, this.room);
    this.room -= taken;
    if (taken > 0) this.writes.push(Buffer.from(bytes.subarray(offset, offset + taken)));
    return taken;
  }

  shutdown(): void {
    this.calls.push("shutdown");
  }

  close(): void {
    this.calls.push("close");
  }

  terminate(): void {
    this.calls.push("terminate");
  }

  pause(): void {
    this.calls.push("pause");
  }

  resume(): void {
    this.calls.push("resume");
  }
}
