import { type FSWatcher, statSync, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { isManifestName } from "./manifest-file.ts";

/** `"all"` where an event may concern any file. */
export type WatchEvent = "all" | { readonly name: string };

/** Notices do not tell of a link or a folder further up that is swapped: then the path leads to another folder. */
const IDENTITY_INTERVAL_MS = 100;

/**
 * Kernel notices of changes to a folder. They may be late, merged or lost: who listens looks again now and then, and
 * more often while `isWatching` is false (no notices left, or a file system that gives none).
 */
export class FolderWatch {
  readonly #folder: string;
  readonly #onEvent: (event: WatchEvent) => void;
  #own: FSWatcher | undefined;
  #parent: FSWatcher | undefined;
  /** Of the folder that is watched. */
  #identity: string;
  #identityTimer: NodeJS.Timeout | undefined;

  constructor(folder: string, onEvent: (event: WatchEvent) => void) {
    this.#folder = resolve(folder);
    this.#onEvent = onEvent;
    this.#parent = this.#watchParent();
    // Taken before the watch begins: a swap between the two shows at the next look.
    this.#identity = identityNow(this.#folder);
    this.#own = this.#watchOwn();
    this.#scheduleIdentity();
  }

  get isWatching(): boolean {
    return this.#own !== undefined;
  }

  /** The folder by this name may be another one now: watch that. */
  renew(): void {
    this.#own?.close();
    this.#identity = identityNow(this.#folder);
    this.#own = this.#watchOwn();
    this.#parent ??= this.#watchParent();
  }

  close(): void {
    clearTimeout(this.#identityTimer);
    this.#identityTimer = undefined;
    this.#own?.close();
    this.#parent?.close();
    this.#own = this.#parent = undefined;
  }

  #scheduleIdentity(): void {
    this.#identityTimer = setTimeout(() => void this.#compareIdentity(), IDENTITY_INTERVAL_MS);
  }

  async #compareIdentity(): Promise<void> {
    const timer = this.#identityTimer;
    const identity = await identityOf(this.#folder);
    if (this.#identityTimer !== timer) return;
    if (identity !== this.#identity) {
      this.#parent?.close();
      this.#parent = undefined;
      this.renew();
      this.#onEvent("all");
    }
    this.#scheduleIdentity();
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

function identityNow(folder: string): string {
  try {
    const { dev, ino } = statSync(folder);
    return `${dev}:${ino}`;
  } catch {
    return "none";
  }
}

async function identityOf(folder: string): Promise<string> {
  try {
    const { dev, ino } = await stat(folder);
    return `${dev}:${ino}`;
  } catch {
    return "none";
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
