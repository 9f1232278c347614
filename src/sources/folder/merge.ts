import { refText } from "../../resources/metadata.ts";
import type { InvalidObject, ObjectSet, SourcedObject } from "../../translate/objects.ts";
import type { Entry, FileContent } from "./content.ts";

/** Something wrong with a file that is no one object's problem. */
export interface FileProblem {
  /** A warning: all that counts is in force. Absent: an error. */
  readonly severity?: "warning";
  readonly file: string;
  /** Counted from 1. */
  readonly line?: number;
  readonly message: string;
}

/** What the files hold together: each object once, with the file that it comes from. */
export interface Manifests extends ObjectSet {
  readonly problems: readonly FileProblem[];
  /** The objects in force, by key: the last good state that the next merge may need. */
  readonly byKey: ReadonlyMap<string, SourcedObject>;
}

export const NO_MANIFESTS: Manifests = { objects: [], invalid: [], problems: [], byKey: new Map() };

/**
 * Joins files, given in the order of their names. Of an object that is there twice the first one counts. Where a new
 * state is bad, the one of `before` stays: an invalid object's own, and every object that a faulty file held.
 */
export function mergeFiles(
  files: Iterable<readonly [file: string, content: FileContent]>,
  before: Manifests = NO_MANIFESTS,
): Manifests {
  const merge = new Merge(before);
  const faulty = new Set<string>();
  for (const [file, content] of files) {
    for (const fault of content.faults) merge.problems.push({ file, ...fault });
    for (const warning of content.warnings) merge.problems.push({ file, severity: "warning", ...warning });
    if (content.faults.length > 0) faulty.add(file);
    for (const entry of content.entries) merge.add(entry, file);
  }
  if (faulty.size > 0) merge.keep((object) => faulty.has(object.file!));
  return merge.result();
}

class Merge {
  readonly problems: FileProblem[] = [];
  readonly #before: Manifests;
  readonly #byKey = new Map<string, SourcedObject>();
  readonly #invalid = new Map<string, InvalidObject>();

  constructor(before: Manifests) {
    this.#before = before;
  }

  add(entry: Entry, file: string): void {
    const { key } = entry;
    const first = this.#byKey.get(key) ?? this.#invalid.get(key);
    if (first !== undefined) {
      const ref = "object" in entry ? entry.object : entry.ref;
      const where = first.file === file ? "earlier in this file" : `in ${first.file}, which comes first`;
      this.problems.push({ file, message: `holds ${refText(ref)}, which is also ${where}: remove one` });
    } else if ("object" in entry) {
      this.#byKey.set(key, this.#sourced(entry.object, file, key));
    } else {
      this.#addInvalid(entry, file);
    }
  }

  #addInvalid({ key, ref, invalid }: Extract<Entry, { invalid: unknown }>, file: string): void {
    const className = invalid.className === undefined ? {} : { className: invalid.className };
    this.#invalid.set(key, { ref, ...className, file, problems: invalid.problems });
    const lastGood = this.#before.byKey.get(key);
    if (lastGood !== undefined) this.#byKey.set(key, lastGood);
  }

  /** The same wrapper for the same object, so that an unchanged set is unchanged all through. */
  #sourced(object: SourcedObject["object"], file: string, key: string): SourcedObject {
    const known = this.#before.byKey.get(key);
    return known?.object === object && known.file === file ? known : { object, file };
  }

  /** Takes over objects of before that no file holds now. */
  keep(which: (object: SourcedObject) => boolean): void {
    for (const [key, object] of this.#before.byKey) {
      if (!this.#byKey.has(key) && which(object)) this.#byKey.set(key, object);
    }
  }

  result(): Manifests {
    const invalid = [...this.#invalid.values()];
    return { objects: [...this.#byKey.values()], invalid, problems: this.problems, byKey: this.#byKey };
  }
}
