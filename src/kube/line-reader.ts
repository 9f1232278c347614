/** Cuts a stream of bytes into lines. Sans I/O: chunks in, whole lines out, however the chunks are cut. */
export class LineReader {
  readonly #maxLineBytes: number;
  readonly #onLine: (line: string) => void;
  #rest: Uint8Array[] = [];
  #restBytes = 0;

  constructor(maxLineBytes: number, onLine: (line: string) => void) {
    this.#maxLineBytes = maxLineBytes;
    this.#onLine = onLine;
  }

  /** Of a line that has begun and not ended. */
  get restBytes(): number {
    return this.#restBytes;
  }

  /** Throws `LineLengthError` at a line that is too long, and whatever `onLine` throws. Empty lines are skipped. */
  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      start = end + 1;
      this.#endLine();
    }
    this.#keep(chunk.subarray(start));
  }

  #keep(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#restBytes += part.length;
    if (this.#restBytes > this.#maxLineBytes)
      throw new LineLengthError(`a line over ${this.#maxLineBytes} bytes`);
    this.#rest.push(part);
  }

  /** Text is decoded by whole lines, since a chunk may end within a character. */
  #endLine(): void {
    if (this.#restBytes === 0) return;
    const line = Buffer.concat(this.#rest, this.#restBytes).toString("utf8");
    this.#rest = [];
    this.#restBytes = 0;
    this.#onLine(line);
  }
}

const NEWLINE = 0x0a;

export class LineLengthError extends Error {
  override name = "LineLengthError";
}
