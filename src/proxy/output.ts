/**
 * What a client still has to get: bytes, then the parts of files, in order. Memory is bounded: what a slow client leaves
 * behind goes to a temporary file, or is refused until there is room (backpressure), as the response asks.
 */
import { readSync } from "node:fs";
import type { BodyPart } from "../content/content-response.ts";
import type { Stream } from "../net/stream.ts";
import type { Stats } from "../ops/stats.ts";
import { ByteQueue } from "./byte-queue.ts";
import type { RateLimit } from "./rate-limit.ts";
import { TempFile } from "./temp-file.ts";

export interface OutputBounds {
  readonly memoryBytes: number;
  readonly tempDir: string;
  /** Of one response's temporary file; NGINX `uwsgi_max_temp_file_size`. */
  readonly tempFileBytes: number;
}

const pieceBytes = 131_072;
/** Of files, before other connections have their turn. */
const turnBytes = 1_048_576;
/** One for all connections: it is filled and written within one call. */
const piece = Buffer.allocUnsafeSlow(pieceBytes);

export class Output {
  private readonly stream: Stream;
  private readonly bounds: OutputBounds;
  private readonly stats: Stats;
  private readonly queue = new ByteQueue();
  private overflow: TempFile | undefined;
  private overflowRead = 0;
  private parts: BodyPart[] = [];
  private partSent = 0;
  private sentBytes = 0;
  /** The kernel took some since this was last set to false. */
  progressed = false;
  private closed = false;
  private limit: RateLimit | undefined;

  constructor(stream: Stream, bounds: OutputBounds, stats: Stats) {
    this.stream = stream;
    this.bounds = bounds;
    this.stats = stats;
  }

  /** Of the response that begins now; `undefined` for none. `pump` must then be called from time to time. */
  set rateLimit(limit: RateLimit | undefined) {
    this.limit = limit;
  }

  get limited(): boolean {
    return this.limit !== undefined;
  }

  get idle(): boolean {
    return this.queue.length === 0 && this.overflow === undefined && this.parts.length === 0;
  }

  /** More than the bound waits: the source should pause. */
  get full(): boolean {
    if (this.closed) return false;
    if (this.overflow !== undefined) return this.overflow.length >= this.bounds.tempFileBytes;
    return this.queue.length >= this.bounds.memoryBytes;
  }

  /** Bytes that the kernel took since this was last asked. */
  takeSentBytes(): number {
    const { sentBytes } = this;
    this.sentBytes = 0;
    return sentBytes;
  }

  /** Bytes in memory. */
  get waitingBytes(): number {
    return this.queue.length;
  }

  /**
   * Sends `bytes[from, to)`, keeping what the kernel does not take. `reused`: the buffer will be written again, so keep a copy.
   * `spill`: what does not fit in memory goes to a file. Throws the file system's error.
   */
  send(bytes: Buffer, from: number, to: number, reused: boolean, spill: boolean): void {
    if (this.closed) return;
    let at = from;
    if (this.idle) {
      at += this.write(bytes, from, to - from);
      if (at === to) return;
    }
    if (this.overflow !== undefined || (spill && this.queue.length + to - at > this.bounds.memoryBytes)) {
      if (this.overflow === undefined) {
        this.overflow = new TempFile(this.bounds.tempDir);
        this.stats.boundHit("response_memory");
      }
      const before = this.overflow.length;
      this.overflow.append(bytes, at, to);
      const { tempFileBytes } = this.bounds;
      if (before < tempFileBytes && this.overflow.length >= tempFileBytes)
        this.stats.boundHit("response_file");
    } else {
      this.queue.push(bytes, at, to, reused);
    }
  }

  /** Sends parts after all that was sent. Returns as soon as the kernel is full or a turn is over. */
  sendParts(parts: readonly BodyPart[]): void {
    this.parts = [...parts];
    this.partSent = 0;
  }

  /**
   * Goes on sending. Returns false when it stopped for the sake of other connections, and should be called again
   * soon; true when everything is sent or the kernel is full. Throws when a file cannot be read or is shorter than promised.
   */
  pump(): boolean {
    const before = this.queue.length;
    if (before > 0) {
      this.queue.writeTo(this.stream, this.limit?.allowance());
      this.count(before - this.queue.length);
      if (this.queue.length > 0) return true;
    }
    if (this.overflow !== undefined && !this.pumpOverflow(this.overflow)) return true;
    return this.parts.length === 0 || this.pumpParts();
  }

  private pumpOverflow(file: TempFile): boolean {
    while (this.overflowRead < file.length) {
      const read = file.read(piece, this.overflowRead);
      const taken = this.write(piece, 0, read);
      this.overflowRead += taken;
      if (taken < read) return false;
    }
    file.close();
    this.overflow = undefined;
    this.overflowRead = 0;
    return true;
  }

  private pumpParts(): boolean {
    let turn = turnBytes;
    while (this.parts.length > 0) {
      const part = this.parts[0]!;
      const rest = part.length - this.partSent;
      if (rest === 0) {
        this.parts.shift();
        this.partSent = 0;
        continue;
      }
      if (turn <= 0) return false;
      const [bytes, from, length] = this.partBytes(part, rest);
      const taken = this.write(bytes, from, length);
      this.partSent += taken;
      turn -= taken;
      if (taken < length) return true;
    }
    return true;
  }

  private partBytes(part: BodyPart, rest: number): [Uint8Array, number, number] {
    if (part instanceof Uint8Array) return [part, this.partSent, rest];
    const read = readSync(part.fd, piece, 0, Math.min(rest, pieceBytes), part.offset + this.partSent);
    if (read === 0) throw new Error("file became shorter while it was sent");
    return [piece, 0, read];
  }

  private write(bytes: Uint8Array, from: number, length: number): number {
    const allowed = this.limit === undefined ? length : Math.min(length, this.limit.allowance());
    const taken = allowed === 0 ? 0 : Math.max(0, this.stream.write(bytes, from, allowed));
    this.count(taken);
    return taken;
  }

  private count(taken: number): void {
    if (taken === 0) return;
    this.sentBytes += taken;
    this.progressed = true;
    this.limit?.took(taken);
  }

  /** The client is gone: drops what waits and all that comes. */
  close(): void {
    this.closed = true;
    this.queue.clear();
    this.overflow?.close();
    this.overflow = undefined;
    this.overflowRead = 0;
    this.parts.length = 0;
  }
}
