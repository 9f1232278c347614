import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Accept, EMPTY_CONTENT, type FileContent } from "./content.ts";
import { FOLDER_LIMITS } from "./folder.ts";
import { isManifestName, readManifest } from "./manifest-file.ts";
import { type Manifests, mergeFiles } from "./merge.ts";
import { TimeSlice } from "./time-slice.ts";

/** Reads files and folders once, as one set of manifests. Throws what `stat` and `readdir` throw. */
export async function readManifests(paths: readonly string[], accept: Accept): Promise<Manifests> {
  const files = new Map<string, FileContent>();
  for (const path of paths) {
    for (const file of await manifestsAt(path)) {
      const context = { accept, slice: new TimeSlice() };
      files.set(file, await readManifest(file, EMPTY_CONTENT, FOLDER_LIMITS.maxFileBytes, context));
    }
  }
  return mergeFiles(files);
}

/** A file by any name; the manifests of a folder. */
async function manifestsAt(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const names = (await readdir(path)).filter(isManifestName).sort();
  return names.map((name) => join(path, name));
}
