/** What we know about each of our objects, and what is new about it. No I/O and no clock: the leader writes, the others only keep up. */
import { refKey } from "../resources/metadata.ts";
import type { Verdict } from "../translate/verdict.ts";
import { type Finding, findingsOf } from "./conditions.ts";
import { hasStatus, type StatusRef } from "./paths.ts";
import type { Programming } from "./rollout.ts";

export interface Entry {
  readonly ref: StatusRef;
  readonly verdict: Verdict;
  /** That the verdict is about. */
  readonly generation: number | undefined;
  /** The number of the first table that has the object as it is now; see `Rollout`. */
  readonly since: number;
  readonly programming: Programming;
  readonly findings: readonly Finding[];
}

export interface LedgerChange {
  /** Absent for an object that was not there before. */
  readonly before: Entry | undefined;
  readonly now: Entry;
}

/** Where tables are, as `Rollout` knows it. */
export interface Tables {
  /** The one with the newest objects. */
  readonly newest: number;
  programming(since: number): Programming;
}

export class Ledger {
  readonly #generationOf: (ref: StatusRef) => number | undefined;
  #entries = new Map<string, Entry>();

  /** `generationOf`: for verdicts that do not say theirs. */
  constructor(generationOf: (ref: StatusRef) => number | undefined) {
    this.#generationOf = generationOf;
  }

  get(ref: StatusRef): Entry | undefined {
    return this.#entries.get(refKey(ref));
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** Takes all verdicts there are. What has none any more is no object of ours. */
  update(verdicts: readonly Verdict[], tables: Tables): { changes: LedgerChange[]; gone: Entry[] } {
    const entries = new Map<string, Entry>();
    const changes: LedgerChange[] = [];
    for (const verdict of verdicts) {
      const { ref } = verdict;
      if (!hasStatus(ref)) continue;
      const key = refKey(ref);
      const before = this.#entries.get(key);
      const generation = verdict.generation ?? this.#generationOf(ref);
      const since = sinceOf(before, verdict, generation, tables.newest);
      const now = entryOf({ ref, verdict, generation, since }, tables);
      entries.set(key, now);
      if (before === undefined || !isSame(before, now)) changes.push({ before, now });
    }
    const gone = [...this.#entries].filter(([key]) => !entries.has(key)).map(([, entry]) => entry);
    this.#entries = entries;
    return { changes, gone };
  }

  /** The proxies have answered, or have come or gone. */
  reconsider(tables: Tables): LedgerChange[] {
    const changes: LedgerChange[] = [];
    for (const [key, before] of this.#entries) {
      const programming = tables.programming(before.since);
      if (isSameProgramming(programming, before.programming)) continue;
      const now = entryOf(before, tables);
      this.#entries.set(key, now);
      changes.push({ before, now });
    }
    return changes;
  }
}

/** A table that was not published may have been taken back by the next change: nothing waits for it then. */
function sinceOf(
  before: Entry | undefined,
  verdict: Verdict,
  generation: number | undefined,
  newest: number,
): number {
  const isAsBefore =
    before !== undefined &&
    isSameObject(before, { verdict }) &&
    before.generation === generation &&
    acceptance(before.verdict) === acceptance(verdict);
  return isAsBefore ? Math.min(before.since, newest) : newest;
}

/** With the generation, it decides about the object's part of the table. */
function acceptance(verdict: Verdict): string {
  const accepted = verdict.conditions.find((each) => each.type === "Accepted");
  return `${accepted?.status} ${accepted?.reason}`;
}

type Judged = Pick<Entry, "ref" | "verdict" | "generation" | "since">;

function entryOf({ ref, verdict, generation, since }: Judged, tables: Tables): Entry {
  const programming = tables.programming(since);
  return { ref, verdict, generation, since, programming, findings: findingsOf(verdict, programming) };
}

/** One of the same name may have come in its place. */
export function isSameObject(a: Pick<Entry, "verdict">, b: Pick<Entry, "verdict">): boolean {
  return a.verdict.uid === b.verdict.uid;
}

function isSame(a: Entry, b: Entry): boolean {
  return (
    isSameObject(a, b) &&
    a.generation === b.generation &&
    a.findings.every((finding, i) => isSameFinding(finding, b.findings[i]!))
  );
}

function isSameFinding(a: Finding, b: Finding): boolean {
  return a.status === b.status && a.reason === b.reason && a.message === b.message;
}

function isSameProgramming(a: Programming, b: Programming): boolean {
  if (a.type === "rejected" && b.type === "rejected") return a.reason === b.reason;
  return a.type === b.type;
}
