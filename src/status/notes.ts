/** Pure: what became of an object, before and now -> what to tell its owner in Events. */
import type { ConditionType, Finding } from "./conditions.ts";

export interface Note {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** All that is wrong now. */
export function problemNotes(now: readonly Finding[]): readonly Note[] {
  return now.filter(isProblem).map(({ reason, message }) => ({ type: "Warning", reason, message }));
}

/**
 * What is new: problems that are worded otherwise or were not there, and conditions that are well again. `before` is absent for an
 * object that was not there.
 */
export function changeNotes(
  before: readonly Finding[] | undefined,
  now: readonly Finding[],
): readonly Note[] {
  const known = new Set((before ?? []).filter(isProblem).map(key));
  const fresh = problemNotes(now.filter((finding) => !known.has(key(finding))));
  const well = now.filter((finding) => isWell(finding) && isToldOf(finding.type, before));
  return [...fresh, ...well.map(({ reason, message }) => ({ type: "Normal" as const, reason, message }))];
}

/** Good news is told where it mends something, and once of a new object: that it is accepted. */
function isToldOf(type: ConditionType, before: readonly Finding[] | undefined): boolean {
  if (before === undefined) return type === "Accepted";
  return before.some((finding) => finding.type === type && isProblem(finding));
}

function isWell(finding: Finding): boolean {
  return finding.status === "True" && !isProblem(finding);
}

/** What another condition says already is left out (`NotAccepted`), and so is waiting for a proxy. */
function isProblem({ type, status, reason }: Finding): boolean {
  if (reason === "NotAccepted") return false;
  // What is true with a reason of its own is worth a look: the reason of what is well is the condition's name.
  return status === "False" || (status === "True" && reason !== type);
}

function key({ type, reason, message }: Finding): string {
  return `${type}\n${reason}\n${message}`;
}
