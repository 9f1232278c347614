import type { StaticAction } from "../snapshot/snapshot.ts";
import type { FileIdentity } from "./contained-file.ts";
import type { ContentResponse } from "./content-response.ts";
import { binaryPath, type SystemPath } from "./file-path.ts";
import { FolderWatches, type WatchedFolder } from "./folder-watches.ts";
import type { Representation } from "./representation.ts";

/** One static rule's settings, with what is remembered about its files. Rules with equal settings share it. */
export interface Site {
  readonly key: string;
  /** All paths here are binary strings. */
  readonly root: string;
  readonly stripPrefix: string;
  readonly index: readonly string[];
  readonly dotFiles: boolean;
  /** By request path. */
  readonly entries: Map<string, Entry>;
}

/** What a request path comes to, and the evidence for it. */
export interface Entry {
  readonly plain: Representation;
  readonly br: Representation | undefined;
  readonly gzip: Representation | undefined;
  /** The answer to a plain GET: content in memory, and nothing to choose from. */
  readonly whole: ContentResponse | undefined;
  /** Everything that was looked at. While all of it is as it was, so is the entry. */
  readonly probes: readonly Probe[];
  readonly path: string;
  readonly site: Site;
  readonly folder: WatchedFolder<Entry>;
  readonly costBytes: number;
  /** On the clock of the options; `-Infinity` to have it checked at its next use. */
  checkedAtMs: number;
  /** Used since eviction last came by. */
  used: boolean;
}

export interface Probe {
  readonly path: SystemPath;
  /** Last element of the path, as a binary string. */
  readonly name: string;
  /** `undefined`: nothing was there. */
  readonly identity: FileIdentity | undefined;
}

export interface FileCacheBounds {
  /** Content and the fields built for it, over all files. */
  readonly maxCacheBytes: number;
  /** Request paths that are remembered, files too large to be held in memory included. */
  readonly maxCacheEntries: number;
  /** Folders watched through inotify. */
  readonly maxWatches: number;
}

/** Remembers files by request path. Eviction gives each entry used since the last round a second chance. */
export class FileCache {
  /** Sites that have entries, so that a new snapshot finds those of the last one again. */
  readonly #sites = new Map<string, Site>();
  readonly #order = new Set<Entry>();
  readonly #bounds: FileCacheBounds;
  readonly #now: () => number;
  readonly watches: FolderWatches<Entry>;
  #bytes = 0;

  /** `now` gives monotonic milliseconds. */
  constructor(bounds: FileCacheBounds, now: () => number) {
    this.#bounds = bounds;
    this.#now = now;
    this.watches = new FolderWatches(bounds.maxWatches, (folder, name) => this.#changed(folder, name));
  }

  get entryCount(): number {
    return this.#order.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  siteOf(action: StaticAction): Site {
    const { root, stripPrefix, index, dotFiles } = action;
    const key = JSON.stringify([root, stripPrefix, index, dotFiles]);
    return (
      this.#sites.get(key) ?? {
        key,
        root: withoutTrailingSlash(binaryPath(root)),
        stripPrefix: binaryPath(stripPrefix),
        index: index.map(binaryPath),
        dotFiles,
        entries: new Map(),
      }
    );
  }

  add(entry: Entry): void {
    if (entry.costBytes > this.#bounds.maxCacheBytes || this.#bounds.maxCacheEntries < 1) {
      this.watches.release(entry.folder);
      return;
    }
    const old = entry.site.entries.get(entry.path);
    if (old !== undefined) this.remove(old);
    // First, so that making room does not end the watch that this entry is about to need.
    entry.folder.dependents.add(entry);
    this.#makeRoom(entry.costBytes);
    entry.site.entries.set(entry.path, entry);
    this.#sites.set(entry.site.key, entry.site);
    this.#order.add(entry);
    this.#bytes += entry.costBytes;
  }

  remove(entry: Entry): void {
    if (!this.#order.delete(entry)) return;
    this.#bytes -= entry.costBytes;
    const { site, folder } = entry;
    site.entries.delete(entry.path);
    if (site.entries.size === 0 && this.#sites.get(site.key) === site) this.#sites.delete(site.key);
    folder.dependents.delete(entry);
    this.watches.release(folder);
  }

  close(): void {
    for (const entry of this.#order) this.remove(entry);
    this.watches.close();
  }

  #makeRoom(costBytes: number): void {
    const maxBytes = this.#bounds.maxCacheBytes - costBytes;
    const maxEntries = this.#bounds.maxCacheEntries - 1;
    for (const entry of this.#order) {
      if (this.#bytes <= maxBytes && this.#order.size <= maxEntries) return;
      if (entry.used) {
        entry.used = false;
        this.#order.delete(entry);
        this.#order.add(entry);
      } else {
        this.remove(entry);
      }
    }
  }

  /**
   * An entry is dropped where one of its own files is named: content can change while stat(2) stays the same. Any other
   * change may still concern it (a swapped symlink, a folder moved), so it is checked at its next use.
   */
  #changed(folder: WatchedFolder<Entry>, name: string | undefined): void {
    folder.unsettledUntilMs = this.#now() + SETTLE_MS;
    for (const entry of folder.dependents) {
      if (name === undefined || entry.probes.some((probe) => probe.name === name)) this.remove(entry);
      else entry.checkedAtMs = Number.NEGATIVE_INFINITY;
    }
  }
}

/** After a change in a folder, its files are checked at each use for so long. */
const SETTLE_MS = 100;

function withoutTrailingSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
