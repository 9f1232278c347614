/**
 * The door of this folder: manifests in a watched folder, as a set of objects that follows it. A bad file or object
 * keeps its last good state and is reported; a change is out within about 100 ms.
 */
import type { Accept } from "./content.ts";
import { FOLDER_LIMITS, Folder, type FolderLimits } from "./folder.ts";
import type { Manifests } from "./merge.ts";
import { FolderWatch, type WatchEvent } from "./watch.ts";

export interface FolderSourceOptions {
  readonly folder: string;
  /** Asked before an object's new state is taken. */
  readonly accept: Accept;
  /** Called after each change, not for the first state. */
  readonly onChange: (manifests: Manifests) => void;
  /** Quiet time after a notice before files are read: writes come in bursts. */
  readonly settleMs?: number;
  /** At most this long after the first notice of a burst. */
  readonly maxSettleMs?: number;
  /** A look at everything, for notices that were lost. */
  readonly rescanIntervalMs?: number;
  readonly limits?: Partial<FolderLimits>;
}

/** Looks this often where there are no notices; less often if a look takes longer than a twentieth of that. */
const POLL_INTERVAL_MS = 100;
const POLL_SHARE = 20;

/** The folder is missing, not a folder, or not readable. */
export class FolderError extends Error {
  override name = "FolderError";
}

/** Reads the folder and starts to watch it. Throws `FolderError`. */
export async function startFolderSource(options: FolderSourceOptions): Promise<FolderSource> {
  const folder = new Folder(options.folder, options.accept, { ...FOLDER_LIMITS, ...options.limits });
  try {
    await folder.list();
  } catch (error) {
    throw new FolderError(`manifests folder: ${(error as Error).message}`, { cause: error });
  }
  const source = new FolderSource(folder, options);
  await source.start();
  return source;
}

export class FolderSource {
  readonly #folder: Folder;
  readonly #onChange: (manifests: Manifests) => void;
  readonly #settleMs: number;
  readonly #maxSettleMs: number;
  readonly #rescanIntervalMs: number;
  #watch: FolderWatch | undefined;
  #pending: "all" | Set<string> | undefined;
  #firstPendingMs = 0;
  #settleTimer: NodeJS.Timeout | undefined;
  #vanishTimer: NodeJS.Timeout | undefined;
  #rescanTimer: NodeJS.Timeout | undefined;
  /** The look that is under way. */
  #look: Promise<void> | undefined;
  #closed = false;

  constructor(folder: Folder, options: FolderSourceOptions) {
    this.#folder = folder;
    this.#onChange = options.onChange;
    this.#settleMs = options.settleMs ?? 20;
    this.#maxSettleMs = options.maxSettleMs ?? 60;
    this.#rescanIntervalMs = options.rescanIntervalMs ?? 10_000;
  }

  get manifests(): Manifests {
    return this.#folder.manifests;
  }

  /** Watching begins before the first look, so that nothing falls between the two. */
  async start(): Promise<void> {
    this.#watch = new FolderWatch(this.#folder.path, (event) => this.#note(event));
    const begunMs = performance.now();
    await this.#folder.refresh("all");
    this.#scheduleRescan(performance.now() - begunMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.close();
    clearTimeout(this.#settleTimer);
    clearTimeout(this.#vanishTimer);
    clearTimeout(this.#rescanTimer);
    await this.#look;
  }

  #note(event: WatchEvent): void {
    const now = performance.now();
    if (this.#pending === undefined) this.#firstPendingMs = now;
    if (event === "all") this.#pending = "all";
    else if (this.#pending !== "all") this.#pending = (this.#pending ?? new Set<string>()).add(event.name);
    this.#scheduleLook(Math.min(now + this.#settleMs, this.#firstPendingMs + this.#maxSettleMs));
  }

  #scheduleLook(atMs: number): void {
    if (this.#closed || this.#look !== undefined) return;
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => this.#beginLook(), Math.max(0, atMs - performance.now()));
  }

  /** One look at a time; what is noted meanwhile makes the next one. */
  #beginLook(): void {
    if (this.#closed || this.#look !== undefined) return;
    const names = this.#pending ?? new Set<string>();
    this.#pending = undefined;
    this.#look = this.#lookAt(names).finally(() => {
      this.#look = undefined;
      if (this.#pending !== undefined) this.#scheduleLook(performance.now() + this.#settleMs);
    });
  }

  async #lookAt(names: "all" | ReadonlySet<string>): Promise<void> {
    const begunMs = performance.now();
    const changed = await this.#folder.refresh(names);
    if (this.#closed) return;
    if (names === "all") this.#scheduleRescan(performance.now() - begunMs);
    this.#scheduleVanish();
    if (changed) this.#onChange(this.#folder.manifests);
  }

  /** A look with no name of its own visits the files that are waiting to count as gone. */
  #scheduleVanish(): void {
    clearTimeout(this.#vanishTimer);
    const atMs = this.#folder.nextVanishMs;
    if (atMs === undefined) return;
    this.#vanishTimer = setTimeout(
      () => {
        this.#pending ??= new Set();
        this.#beginLook();
      },
      Math.ceil(Math.max(0, atMs - performance.now())),
    );
  }

  #scheduleRescan(lastLookMs: number): void {
    clearTimeout(this.#rescanTimer);
    const pollMs = Math.max(POLL_INTERVAL_MS, POLL_SHARE * lastLookMs);
    const intervalMs = this.#watch?.isWatching
      ? this.#rescanIntervalMs
      : Math.min(pollMs, this.#rescanIntervalMs);
    this.#rescanTimer = setTimeout(() => {
      this.#watch?.renew();
      this.#note("all");
    }, intervalMs);
  }
}
