import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Accept, EMPTY_CONTENT, type FileContent, type ParseContext } from "./content.ts";
import { ABSENT, fileIdentity, isManifestName, readManifest } from "./manifest-file.ts";
import { type FileProblem, type Manifests, mergeFiles, NO_MANIFESTS } from "./merge.ts";
import { TimeSlice } from "./time-slice.ts";

export interface FolderLimits {
  readonly maxFileBytes: number;
  readonly maxFiles: number;
  /**
   * How long objects may be missing from a file, or the file itself, before that counts. A file that is written in
   * place is empty for a moment, and one that is replaced in two steps is gone for a moment.
   */
  readonly vanishGraceMs: number;
}

export const FOLDER_LIMITS: FolderLimits = {
  maxFileBytes: 16 * 1024 * 1024,
  maxFiles: 20_000,
  vanishGraceMs: 60,
};

interface FileState {
  readonly identity: string;
  readonly content: FileContent;
}

/** A state in which objects are missing, waiting for its time to count. */
interface Vanishing extends FileState {
  readonly sinceMs: number;
}

/** The manifests of one folder, as of the last `refresh`. Subfolders are not read. */
export class Folder {
  readonly path: string;
  readonly #limits: FolderLimits;
  readonly #accept: Accept;
  readonly #files = new Map<string, FileState>();
  readonly #vanishing = new Map<string, Vanishing>();
  #listingProblem: FileProblem | undefined;
  #manifests: Manifests = NO_MANIFESTS;

  constructor(path: string, accept: Accept, limits: FolderLimits) {
    this.path = path;
    this.#accept = accept;
    this.#limits = limits;
  }

  get manifests(): Manifests {
    return this.#manifests;
  }

  /** Throws what `readdir` throws. */
  async list(): Promise<string[]> {
    const names = (await readdir(this.path)).filter(isManifestName).sort();
    this.#listingProblem = undefined;
    if (names.length > this.#limits.maxFiles) {
      const message = `holds ${names.length} manifests; only the first ${this.#limits.maxFiles} by name are read`;
      this.#listingProblem = { file: this.path, message };
    }
    return names.slice(0, this.#limits.maxFiles);
  }

  /** Looks at every file, or at those named, and answers whether anything differs from before. */
  async refresh(names: "all" | ReadonlySet<string>): Promise<boolean> {
    const context: ParseContext = { accept: this.#accept, slice: new TimeSlice() };
    const listingBefore = this.#listingProblem;
    let changed = false;
    for (const name of await this.#namesToRead(names)) {
      if (await this.#refreshFile(name, names !== "all" && names.has(name), context)) changed = true;
      if (context.slice.isOver()) await context.slice.pause();
    }
    if (!changed && listingBefore?.message === this.#listingProblem?.message) return false;
    this.#merge();
    return true;
  }

  /** When a missing object counts as gone, in `performance.now()` time; `undefined` where none is missing. */
  get nextVanishMs(): number | undefined {
    let next: number | undefined;
    for (const { sinceMs } of this.#vanishing.values()) {
      next = Math.min(next ?? Number.POSITIVE_INFINITY, sinceMs + this.#limits.vanishGraceMs);
    }
    return next;
  }

  /** Files that are there, and those that were. Where the folder itself is gone, nothing in it counts as deleted. */
  async #namesToRead(names: "all" | ReadonlySet<string>): Promise<Iterable<string>> {
    try {
      const listed = new Set(await this.list());
      for (const name of this.#files.keys()) listed.add(name);
      if (names === "all") return listed;
      return [...new Set([...names, ...this.#vanishing.keys()])].filter((name) => listed.has(name));
    } catch (error) {
      const message = `cannot be read: ${(error as Error).message}; what it held last stays in force`;
      this.#listingProblem = { file: this.path, message };
      return [];
    }
  }

  /**
   * `isNoticed`: read it even where it looks the same. Two writes within one tick of the file system's clock cannot
   * be told apart.
   */
  async #refreshFile(name: string, isNoticed: boolean, context: ParseContext): Promise<boolean> {
    const path = join(this.path, name);
    const identity = await fileIdentity(path);
    const state = this.#files.get(name);
    const vanishing = this.#vanishing.get(name);
    if (identity === (state?.identity ?? ABSENT) && !(isNoticed && state !== undefined)) {
      this.#vanishing.delete(name);
      return false;
    }
    const isKnown = vanishing?.identity === identity && !isNoticed;
    const content = isKnown ? vanishing.content : await this.#read(path, identity, state, context);
    if (this.#holdBack(name, { identity, content }, state, vanishing)) return false;
    this.#vanishing.delete(name);
    if (identity === ABSENT) this.#files.delete(name);
    else this.#files.set(name, { identity, content });
    return !sameContent(content, state?.content ?? EMPTY_CONTENT);
  }

  async #read(path: string, identity: string, state: FileState | undefined, context: ParseContext) {
    if (identity === ABSENT) return EMPTY_CONTENT;
    return readManifest(path, state?.content ?? EMPTY_CONTENT, this.#limits.maxFileBytes, context);
  }

  /** Whether a new state misses objects of the old one, and has not done so for long enough. */
  #holdBack(
    name: string,
    next: FileState,
    state: FileState | undefined,
    vanishing: Vanishing | undefined,
  ): boolean {
    if (state === undefined || !misses(next.content, state.content)) return false;
    const now = performance.now();
    if (vanishing?.identity === next.identity) return now < vanishing.sinceMs + this.#limits.vanishGraceMs;
    this.#vanishing.set(name, { ...next, sinceMs: now });
    return true;
  }

  #merge(): void {
    const names = [...this.#files.keys()].sort();
    const files = names.map((name) => [join(this.path, name), this.#files.get(name)!.content] as const);
    const merged = mergeFiles(files, this.#manifests);
    const own = this.#listingProblem;
    this.#manifests = own === undefined ? merged : { ...merged, problems: [own, ...merged.problems] };
  }
}

function misses(next: FileContent, before: FileContent): boolean {
  if (next.faults.length > 0 || before.entries.length === 0) return false;
  const keys = new Set(next.entries.map((entry) => entry.key));
  return before.entries.some((entry) => !keys.has(entry.key));
}

/** Unchanged documents bring the very same entries again. */
function sameContent(a: FileContent, b: FileContent): boolean {
  return (
    a.entries.length === b.entries.length &&
    a.entries.every((entry, i) => entry === b.entries[i]) &&
    JSON.stringify([a.faults, a.warnings]) === JSON.stringify([b.faults, b.warnings])
  );
}
