import { type FSWatcher, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { isManifestName } from "./manifest-file.ts";

/** `"all"` where an event may concern any file. */
export type WatchEvent = "all" | { readonly name: string };

/**
 * Kernel notices of changes to a folder. They may be late, merged or lost: who listens looks again now and then, and
 * more often while `isWatching` is false (no notices left, or a file system that gives none).
 */
export class FolderWatch {
  readonly #folder: string;
  readonly #onEvent: (event: WatchEvent) => void;
  #own: FSWatcher | undefined;
  #parent: FSWatcher | undefined;

  constructor(folder: string, onEvent: (event: WatchEvent) => void) {
    this.#folder = resolve(folder);
    this.#onEvent = onEvent;
    this.#parent = this.#watchParent();
    this.#own = this.#watchOwn();
  }

  get isWatching(): boolean {
    return this.#own !== undefined;
  }

  /** The folder by this name may be another one now: watch that. */
  renew(): void {
    this.#own?.close();
    this.#own = this.#watchOwn();
    this.#parent ??= this.#watchParent();
  }

  close(): void {
    this.#own?.close();
    this.#parent?.close();
    this.#own = this.#parent = undefined;
  }

  #watchOwn(): FSWatcher | undefined {
    return start(
      this.#folder,
      (name) => {
        if (name !== null && isManifestName(name)) this.#onEvent({ name });
        // Names with two dots are the kubelet's (`..data`): all files of a ConfigMap change with that one link.
        else if (name === null || !/^\.(?!\.)/.test(name)) this.#onEvent("all");
      },
      () => (this.#own = undefined),
    );
  }

  /** A folder, or a link to one, that is swapped as a whole tells its parent, not itself. */
  #watchParent(): FSWatcher | undefined {
    const own = basename(this.#folder);
    return start(
      dirname(this.#folder),
      (name) => {
        if (name !== null && name !== own) return;
        this.renew();
        this.#onEvent("all");
      },
      () => (this.#parent = undefined),
    );
  }
}

function start(
  path: string,
  onName: (name: string | null) => void,
  onEnd: () => void,
): FSWatcher | undefined {
  try {
    const watcher = watch(path, (_type, name) => onName(name));
    watcher.on("error", () => {
      watcher.close();
      onEnd();
    });
    return watcher;
  } catch {
    return undefined;
  }
}
