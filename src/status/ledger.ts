/** What we know about each of our objects, and what is new about it. No I/O and no clock: the leader writes, the others only keep up. */
import { refKey } from "../resources/metadata.ts";
import type { Condition, Verdict } from "../translate/verdict.ts";
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
}

interface KeptEntry extends Entry {
  /** The last update that had it. */
  round: number;
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

/** Ten thousand objects come with each update, and next to none of them has changed: so those make no new values. */
export class Ledger {
  readonly #generationOf: (ref: StatusRef) => number | undefined;
  readonly #entries = new Map<string, KeptEntry>();
  #round = 0;

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
    const changes: LedgerChange[] = [];
    this.#round++;
    for (const verdict of verdicts) {
      const { ref } = verdict;
      if (!hasStatus(ref)) continue;
      const key = refKey(ref);
      const before = this.#entries.get(key);
      if (before !== undefined) before.round = this.#round;
      const generation = verdict.generation ?? this.#generationOf(ref);
      const since = sinceOf(before, verdict, generation, tables.newest);
      const programming = tables.programming(since);
      if (before !== undefined && isSame(before, { verdict, generation, since, programming })) continue;
      const now = { ref, verdict, generation, since, programming, round: this.#round };
      this.#entries.set(key, now);
      changes.push({ before, now });
    }
    return { changes, gone: this.#removeUnseen() };
  }

  #removeUnseen(): Entry[] {
    const gone: Entry[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.round === this.#round) continue;
      this.#entries.delete(key);
      gone.push(entry);
    }
    return gone;
  }

  /** The proxies have answered, or have come or gone. */
  reconsider(tables: Tables): LedgerChange[] {
    const changes: LedgerChange[] = [];
    for (const [key, before] of this.#entries) {
      const programming = tables.programming(before.since);
      if (isSameProgramming(programming, before.programming)) continue;
      const now = { ...before, programming };
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
    isSameAcceptance(acceptedOf(before.verdict), acceptedOf(verdict));
  return isAsBefore ? Math.min(before.since, newest) : newest;
}

function acceptedOf(verdict: Verdict): Condition | undefined {
  return verdict.conditions.find((each) => each.type === "Accepted");
}

/** With the generation, it decides about the object's part of the table. */
function isSameAcceptance(a: Condition | undefined, b: Condition | undefined): boolean {
  return a?.status === b?.status && a?.reason === b?.reason;
}

/** One of the same name may have come in its place. */
export function isSameObject(a: Pick<Entry, "verdict">, b: Pick<Entry, "verdict">): boolean {
  return a.verdict.uid === b.verdict.uid;
}

function isSame(a: Entry, b: Omit<Entry, "ref">): boolean {
  return (
    isSameObject(a, b) &&
    a.generation === b.generation &&
    a.since === b.since &&
    isSameProgramming(a.programming, b.programming) &&
    a.verdict.conditions.length === b.verdict.conditions.length &&
    a.verdict.conditions.every((condition, i) => isSameCondition(condition, b.verdict.conditions[i]!))
  );
}

function isSameCondition(a: Condition, b: Condition): boolean {
  return a.type === b.type && a.status === b.status && a.reason === b.reason && a.message === b.message;
}

function isSameProgramming(a: Programming, b: Programming): boolean {
  if (a === b) return true;
  if (a.type === "rejected" && b.type === "rejected") return a.reason === b.reason;
  return a.type === b.type;
}
