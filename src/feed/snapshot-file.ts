/**
 * The last snapshot that was in use, on disk, for a proxy that starts while no controller can be reached. Nothing in a
 * snapshot is secret; the file is readable by its owner alone all the same, since params may be.
 */
import { readFileSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { SNAPSHOT_FORMAT, type Snapshot } from "../snapshot/snapshot.ts";
import { snapshotVersion } from "../snapshot/version.ts";

/** Between two writes. Pods come and go many times a second; a file that is a moment old serves as well. */
const MIN_INTERVAL_MS = 100;
/** Writing takes at most one part in so many of the time: a large table is made into text while requests wait. */
const INTERVAL_TO_WRITING = 100;

/** `undefined` where there is no file. Throws where what is there cannot be used: it does not parse, or is not what was written. */
export function readSnapshotFile(path: string): Snapshot | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const snapshot = JSON.parse(text) as Snapshot;
  if (snapshot?.format !== SNAPSHOT_FORMAT) throw new Error("it has another format");
  if (snapshotVersion(snapshot) !== snapshot.version) throw new Error("it is damaged");
  return snapshot;
}

export class SnapshotFile {
  readonly #path: string;
  readonly #onError: (error: Error) => void;
  #newest: Snapshot | undefined;
  #written: Snapshot | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** No write begins before. */
  #restUntilMs = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, onError: (error: Error) => void) {
    this.#path = path;
    this.#onError = onError;
  }

  /** Writes it, at once where none was written lately; of several in short order, the newest. */
  keep(snapshot: Snapshot): void {
    this.#newest = snapshot;
    const restMs = Math.max(0, this.#restUntilMs - performance.now());
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }, restMs);
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#writing;
    await this.#write();
  }

  /** Whole or not at all: under another name first. */
  async #write(): Promise<void> {
    const snapshot = this.#newest;
    if (snapshot === undefined || snapshot === this.#written) return;
    const temporary = `${this.#path}.next`;
    const begunMs = performance.now();
    const text = JSON.stringify(snapshot);
    const tookMs = performance.now() - begunMs;
    this.#restUntilMs = begunMs + Math.max(MIN_INTERVAL_MS, tookMs * INTERVAL_TO_WRITING);
    try {
      const file = await open(temporary, "w", 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
      this.#written = snapshot;
    } catch (error) {
      this.#onError(error as Error);
    }
  }
}
