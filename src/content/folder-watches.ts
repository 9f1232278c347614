import { type FSWatcher, watch } from "node:fs";
import { type FileIdentity, identify } from "./contained-file.ts";
import { systemPath } from "./file-path.ts";

/** A folder in which something that we remember lies. */
export interface WatchedFolder<Dependent> {
  /** As a binary string, without trailing slash. */
  readonly path: string;
  readonly dependents: Set<Dependent>;
  /** Until then changes may go untold: an event that repeats within moments is left out by the runtime. */
  unsettledUntilMs: number;
}

interface Folder<Dependent> extends WatchedFolder<Dependent> {
  watcher: FSWatcher | undefined;
  identity: FileIdentity | undefined;
}

/**
 * inotify watches on the folders of cached files, so that a change is known at once. They are an addition: folders
 * over `maxWatches`, network file systems and a system out of watches are left to periodic checks.
 * `onChange` gets the name of what changed in the folder as a binary string; `undefined` when it is not known.
 */
export class FolderWatches<Dependent> {
  readonly #folders = new Map<string, Folder<Dependent>>();
  readonly #maxWatches: number;
  readonly #onChange: (folder: WatchedFolder<Dependent>, name: string | undefined) => void;
  #watching = 0;

  constructor(
    maxWatches: number,
    onChange: (folder: WatchedFolder<Dependent>, name: string | undefined) => void,
  ) {
    this.#maxWatches = maxWatches;
    this.#onChange = onChange;
  }

  get watching(): number {
    return this.#watching;
  }

  /** To be called before the folder's files are read, so that no change falls between. */
  open(path: string): WatchedFolder<Dependent> {
    let folder = this.#folders.get(path);
    if (folder === undefined) {
      folder = {
        path,
        dependents: new Set(),
        unsettledUntilMs: Number.NEGATIVE_INFINITY,
        watcher: undefined,
        identity: undefined,
      };
      this.#folders.set(path, folder);
    }
    // A watch stays with the folder that it was set on, also when another one has taken its name.
    const identity = identify(systemPath(path));
    if (folder.watcher !== undefined && !sameFolder(folder.identity, identity)) this.#unwatch(folder);
    if (folder.watcher === undefined && identity !== undefined) this.#watch(folder, identity);
    return folder;
  }

  /** Ends the watch of a folder that nothing depends on any more. */
  release(folder: WatchedFolder<Dependent>): void {
    const known = this.#folders.get(folder.path);
    if (known !== folder || folder.dependents.size > 0) return;
    this.#folders.delete(folder.path);
    this.#unwatch(known);
  }

  close(): void {
    for (const folder of this.#folders.values()) this.#unwatch(folder);
    this.#folders.clear();
  }

  #watch(folder: Folder<Dependent>, identity: FileIdentity): void {
    if (this.#watching >= this.#maxWatches) return;
    try {
      const options = { encoding: "buffer", persistent: false } as const;
      const watcher = watch(systemPath(folder.path), options, (_event, name) => {
        if (folder.watcher === watcher) this.#onChange(folder, name?.toString("latin1"));
      });
      watcher.on("error", () => {
        if (folder.watcher === watcher) this.#unwatch(folder);
      });
      folder.watcher = watcher;
      folder.identity = identity;
      this.#watching++;
    } catch {
      // Out of watches, or the folder went away: periodic checks do without.
    }
  }

  #unwatch(folder: Folder<Dependent>): void {
    if (folder.watcher === undefined) return;
    folder.watcher.close();
    folder.watcher = undefined;
    this.#watching--;
  }
}

/** Entries come and go within one and the same folder, so its times do not count. */
function sameFolder(a: FileIdentity | undefined, b: FileIdentity | undefined): boolean {
  return a !== undefined && b !== undefined && a.inode === b.inode && a.device === b.device;
}
