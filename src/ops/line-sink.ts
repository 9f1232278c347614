/**
 * Whole lines to standard output, for the log and the access log alike: gathered, written in few calls, and
 * bounded when nobody reads.
 *
 * Lines of several processes never mix: a chunk is whole lines of at most PIPE_BUF bytes, which a pipe takes
 * entirely or not at all (POSIX write). A pipe is opened anew in non-blocking mode, so that a stalled
 * reader costs log lines and never a request; where that cannot be done (sockets, another user's pipe),
 * writes happen one at a time on the runtime's thread pool.
 */

import { constants, fstatSync, openSync, write, writeSync } from "node:fs";

/** PIPE_BUF on Linux. */
export const MAX_ATOMIC_BYTES = 4096;
const FLUSH_AT_BYTES = 32 * 1024;
const FLUSH_EVERY_MS = 250;
const RETRY_AFTER_MS = 20;
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
/** At exit, how long a full pipe may keep the process. */
const MAX_EXIT_WAIT_MS = 500;

export interface LineSinkTarget {
  readonly fd: number;
  /** Writes return at once: a file, a terminal, or a pipe in non-blocking mode. */
  readonly immediate: boolean;
}

/** The best way to write to `fd` without ever waiting for its reader. */
export function openLineTarget(fd: number): LineSinkTarget {
  const stat = fstatSync(fd);
  if (stat.isFile() || stat.isCharacterDevice()) return { fd, immediate: true };
  if (!stat.isFIFO()) return { fd, immediate: false };
  try {
    const anew = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    return { fd: anew, immediate: true };
  } catch {
    // Another user's pipe, or no /proc.
    return { fd, immediate: false };
  }
}

export class LineSink {
  readonly #target: LineSinkTarget;
  readonly #onDrop: (lines: number) => void;
  /** Full chunks, oldest first; the newest is still being filled in `#open`. */
  readonly #chunks: string[] = [];
  #open = "";
  #pendingBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing = false;

  /** `onDrop` is told of lines that found no room. */
  constructor(target: LineSinkTarget, onDrop: (lines: number) => void) {
    this.#target = target;
    this.#onDrop = onDrop;
  }

  /** `line` is ASCII and ends with its only line feed. One longer than `MAX_ATOMIC_BYTES` is written by itself. */
  write(line: string): void {
    const bytes = line.length;
    if (this.#pendingBytes + bytes > MAX_PENDING_BYTES) {
      this.#onDrop(1);
      return;
    }
    if (this.#open.length + bytes > MAX_ATOMIC_BYTES) this.#seal();
    this.#open += line;
    this.#pendingBytes += bytes;
    if (this.#timer === undefined) this.#flushLater(FLUSH_EVERY_MS);
    else if (this.#pendingBytes - bytes < FLUSH_AT_BYTES && this.#pendingBytes >= FLUSH_AT_BYTES)
      this.flush();
  }

  /** Hands over what can be written now. */
  flush(): void {
    if (this.#writing) {
      if (this.#timer === undefined) this.#flushLater(RETRY_AFTER_MS);
      return;
    }
    this.#stopTimer();
    this.#seal();
    if (this.#target.immediate) this.#writeImmediately();
    else this.#writeInBackground();
  }

  /** For exit and crash: writes what is pending before it returns, unless the reader stalls. */
  flushSync(): void {
    this.#stopTimer();
    this.#seal();
    if (this.#writing) this.#leaveFirst();
    const giveUpAt = performance.now() + MAX_EXIT_WAIT_MS;
    while (this.#chunks.length > 0) {
      if (this.#writeFirst()) continue;
      if (performance.now() > giveUpAt) return;
      sleepMs(5);
    }
  }

  /** The thread pool has it; given a moment it is through, and twice would be worse than late. */
  #leaveFirst(): void {
    sleepMs(20);
    this.#written(this.#chunks[0]!.length);
  }

  #seal(): void {
    if (this.#open === "") return;
    this.#chunks.push(this.#open);
    this.#open = "";
  }

  #writeImmediately(): void {
    while (this.#chunks.length > 0) {
      if (!this.#writeFirst()) {
        this.#flushLater(RETRY_AFTER_MS);
        return;
      }
    }
  }

  /** False: no room now. A target that is gone for good swallows everything, as a logger should. */
  #writeFirst(): boolean {
    const chunk = this.#chunks[0]!;
    try {
      this.#written(writeSync(this.#target.fd, chunk, null, "latin1"));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return false;
      this.#written(chunk.length);
      this.#onDrop(countLines(chunk));
      return true;
    }
  }

  #writeInBackground(): void {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return;
    this.#writing = true;
    write(this.#target.fd, chunk, null, "latin1", (error, bytes) => {
      this.#writing = false;
      // `flushSync` may have gone on without it.
      if (this.#chunks[0] !== chunk) return;
      if (error) {
        this.#written(chunk.length);
        this.#onDrop(countLines(chunk));
      } else this.#written(bytes);
      this.#writeInBackground();
    });
  }

  #written(bytes: number): void {
    const chunk = this.#chunks[0]!;
    this.#pendingBytes -= bytes;
    if (bytes < chunk.length) this.#chunks[0] = chunk.slice(bytes);
    else this.#chunks.shift();
  }

  #flushLater(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, ms);
    // Pending lines are written at exit; they are no reason to stay.
    this.#timer.unref();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function sleepMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function countLines(chunk: string): number {
  let lines = 0;
  for (let at = chunk.indexOf("\n"); at >= 0; at = chunk.indexOf("\n", at + 1)) lines++;
  return lines;
}

/** The process's standard output; what is pending goes out at exit, also after an uncaught error. */
export function openStdoutSink(onDrop: (lines: number) => void): LineSink {
  const sink = new LineSink(openLineTarget(1), onDrop);
  process.on("exit", () => sink.flushSync());
  return sink;
}
