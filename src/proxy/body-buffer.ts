/** A request body that is held until it is whole: in memory up to a bound, then in a temporary file. */
import { TempFile } from "./temp-file.ts";

export interface BufferBounds {
  /** Held in memory; the rest goes to a file. */
  readonly memoryBytes: number;
  readonly tempDir: string;
}

const filePieceBytes = 131_072;
/** Pieces up to this are copied together. */
const smallBytes = 4096;
const blockBytes = 65_536;

export class BodyBuffer {
  length = 0;
  private readonly bounds: BufferBounds;
  private readonly chunks: Buffer[] = [];
  private memory = 0;
  private file: TempFile | undefined;
  /** Small pieces are gathered here: a body in tiny chunks must not cost a write for each. */
  private block: Buffer | undefined;
  private blockTo = 0;

  constructor(bounds: BufferBounds) {
    this.bounds = bounds;
  }

  get inFile(): boolean {
    return this.file !== undefined;
  }

  /** Keeps `bytes`. Throws the file system's error. */
  append(bytes: Buffer, from: number, to: number): void {
    const isFirst = this.length === 0;
    this.length += to - from;
    if (isFirst || to - from > smallBytes) {
      this.seal();
      this.keep(bytes, from, to);
      return;
    }
    if (this.blockTo + to - from > blockBytes) this.seal();
    this.block ??= Buffer.allocUnsafeSlow(blockBytes);
    this.blockTo += bytes.copy(this.block, this.blockTo, from, to);
  }

  /** What was gathered takes its place behind the rest. Throws the file system's error. */
  seal(): void {
    const { block, blockTo } = this;
    if (block === undefined) return;
    this.block = undefined;
    this.blockTo = 0;
    this.keep(block, 0, blockTo);
  }

  private keep(bytes: Buffer, from: number, to: number): void {
    if (this.file === undefined && this.memory + to - from <= this.bounds.memoryBytes) {
      this.chunks.push(bytes.subarray(from, to));
      this.memory += to - from;
      return;
    }
    this.file ??= new TempFile(this.bounds.tempDir);
    this.file.append(bytes, from, to);
  }

  /** Reads the sealed body from its start; each retry takes a reader of its own. */
  reader(): BodyReader {
    return new BodyReader(this.chunks, this.file);
  }

  /** The whole sealed body when it is one small piece, to be sent along with the packet; else `undefined`. */
  single(maxBytes: number): Buffer | undefined {
    const first = this.chunks[0];
    return this.chunks.length === 1 && this.file === undefined && first!.length <= maxBytes
      ? first
      : undefined;
  }

  close(): void {
    this.chunks.length = 0;
    this.block = undefined;
    this.file?.close();
    this.file = undefined;
  }
}

export class BodyReader {
  private readonly chunks: readonly Buffer[];
  private readonly file: TempFile | undefined;
  private nextChunk = 0;
  private filePosition = 0;
  private piece: Buffer | undefined;

  constructor(chunks: readonly Buffer[], file: TempFile | undefined) {
    this.chunks = chunks;
    this.file = file;
  }

  /** The next piece, `undefined` at the end. It is valid until the next call. */
  next(): Buffer | undefined {
    if (this.nextChunk < this.chunks.length) return this.chunks[this.nextChunk++];
    if (this.file === undefined || this.filePosition >= this.file.length) return undefined;
    this.piece ??= Buffer.allocUnsafeSlow(filePieceBytes);
    const read = this.file.read(this.piece, this.filePosition);
    if (read === 0) return undefined;
    this.filePosition += read;
    return this.piece.subarray(0, read);
  }
}
