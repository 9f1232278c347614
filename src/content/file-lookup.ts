import { closeSync, readSync } from "node:fs";
import type { Encoding } from "./accept-encoding.ts";
import {
  type FileIdentity,
  identify,
  isContainedFolder,
  openContained,
  sameIdentity,
} from "./contained-file.ts";
import type { Entry, FileCache, Probe, Site } from "./file-cache.ts";
import { detached, isRefused, stripPathPrefix, systemPath } from "./file-path.ts";
import { mediaType } from "./media-type.ts";
import { buildRepresentation, type Representation } from "./representation.ts";

/** `"folder"`: a folder asked for without its slash. */
export type LookupFailure = "missing" | "forbidden" | "failed" | "folder";

export interface LookupBounds {
  /** Larger files are not held in memory. */
  readonly maxCachedFileBytes: number;
}

/**
 * A variant may be this much older than its original. More than that, and the original was changed without compressing
 * it anew. Not zero, because copying a folder gives both new times, in any order.
 */
const VARIANT_LAG_MS = 60_000;

/** Objects and field lines of one representation, roughly. */
const REPRESENTATION_OVERHEAD_BYTES = 1024;

interface LoadedFile {
  readonly identity: FileIdentity;
  readonly content: Uint8Array | undefined;
}

/** Finds the file that a request path names, opening it to see that it may be served, and reads it if it is small. */
export function lookUp(
  site: Site,
  requestPath: string,
  cache: FileCache,
  bounds: LookupBounds,
  nowMs: number,
): Entry | LookupFailure {
  const relative = stripPathPrefix(requestPath, site.stripPrefix);
  if (isRefused(relative, site.dotFiles)) return "missing";
  const target = site.root + relative;
  const names = relative.endsWith("/") ? site.index : [""];
  const probes: Probe[] = [];
  for (const name of names) {
    const path = target + name;
    const identity = probe(path, probes);
    if (identity === undefined) continue;
    if (identity.kind === "folder" && name === "") return folderOrMissing(site, path);
    if (identity.kind !== "file") continue;
    const folder = cache.watches.open(path.slice(0, path.lastIndexOf("/")) || "/");
    const file = load(site, path, bounds);
    if (typeof file !== "string") {
      return {
        ...variants(site, path, file, probes, bounds),
        ...entryState(site, requestPath, nowMs),
        folder,
        probes,
      };
    }
    cache.watches.release(folder);
    if (file !== "missing") return file;
  }
  // An index is all that is shown of a folder.
  if (!relative.endsWith("/")) return "missing";
  return folderOrMissing(site, target) === "folder" ? "forbidden" : "missing";
}

/** Is everything that the entry rests on as it was? */
export function isUnchanged(entry: Entry): boolean {
  for (const probe of entry.probes) {
    if (!sameIdentity(identify(probe.path), probe.identity)) return false;
  }
  return true;
}

function probe(path: string, probes: Probe[]): FileIdentity | undefined {
  const onSystem = systemPath(path);
  const identity = identify(onSystem);
  probes.push({ path: onSystem, name: path.slice(path.lastIndexOf("/") + 1), identity });
  return identity;
}

function folderOrMissing(site: Site, path: string): "folder" | "missing" {
  return isContainedFolder(systemPath(site.root || "/"), systemPath(path)) ? "folder" : "missing";
}

function load(site: Site, path: string, bounds: LookupBounds): LoadedFile | LookupFailure {
  const file = openContained(systemPath(site.root || "/"), systemPath(path));
  if (typeof file === "string") return file;
  try {
    const small = file.identity.sizeBytes <= bounds.maxCachedFileBytes;
    const content = small ? readWhole(file.fd, file.identity.sizeBytes) : undefined;
    return { identity: file.identity, content };
  } catch {
    return "failed";
  } finally {
    closeSync(file.fd);
  }
}

function readWhole(fd: number, sizeBytes: number): Uint8Array {
  const content = new Uint8Array(sizeBytes);
  let filled = 0;
  while (filled < sizeBytes) {
    const count = readSync(fd, content, filled, sizeBytes - filled, filled);
    if (count === 0) return content.slice(0, filled);
    filled += count;
  }
  return content;
}

/** The plain file, with what lies compressed beside it. */
function variants(site: Site, path: string, plain: LoadedFile, probes: Probe[], bounds: LookupBounds) {
  const br = loadVariant(site, `${path}.br`, plain.identity, probes, bounds);
  const gzip = loadVariant(site, `${path}.gz`, plain.identity, probes, bounds);
  const type = mediaType(path);
  const varies = br !== undefined || gzip !== undefined;
  const represent = (file: LoadedFile, suffix: string, encoding: Encoding) =>
    buildRepresentation({ ...file, path: systemPath(path + suffix), encoding, mediaType: type, varies });
  const plainForm = represent(plain, "", "identity");
  const brForm = br && represent(br, ".br", "br");
  const gzipForm = gzip && represent(gzip, ".gz", "gzip");
  return {
    plain: plainForm,
    br: brForm,
    gzip: gzipForm,
    whole: varies ? undefined : plainForm.whole,
    costBytes: costBytes(plainForm) + costBytes(brForm) + costBytes(gzipForm),
  };
}

function loadVariant(
  site: Site,
  path: string,
  original: FileIdentity,
  probes: Probe[],
  bounds: LookupBounds,
): LoadedFile | undefined {
  const identity = probe(path, probes);
  if (identity?.kind !== "file" || identity.mtimeMs + VARIANT_LAG_MS < original.mtimeMs) return undefined;
  const file = load(site, path, bounds);
  return typeof file === "string" ? undefined : file;
}

function costBytes(representation: Representation | undefined): number {
  if (representation === undefined) return 0;
  return REPRESENTATION_OVERHEAD_BYTES + (representation.content?.length ?? 0);
}

function entryState(site: Site, requestPath: string, nowMs: number) {
  return { site, path: detached(requestPath), checkedAtMs: nowMs, used: false };
}
