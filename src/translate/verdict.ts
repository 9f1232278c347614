import type { ObjectRef } from "../resources/metadata.ts";

/** Why an object is served, or is not. `PartiallyConflicted`: served but for what others had first. */
export const ACCEPTED_REASONS = ["Accepted", "Invalid", "Conflicted", "PartiallyConflicted"] as const;
export type AcceptedReason = (typeof ACCEPTED_REASONS)[number];

/** Whether its backends were found. `NoEndpoints`: found, and nothing is ready behind them. */
export const RESOLVED_REFS_REASONS = [
  "ResolvedRefs",
  "NoEndpoints",
  "BackendNotFound",
  "PortNotFound",
  "UnsupportedBackend",
] as const;
export type ResolvedRefsReason = (typeof RESOLVED_REFS_REASONS)[number];

export type Condition =
  | ConditionOf<"Accepted", AcceptedReason>
  | ConditionOf<"ResolvedRefs", ResolvedRefsReason>;

interface ConditionOf<Type extends string, Reason extends string> {
  readonly type: Type;
  readonly status: "True" | "False";
  readonly reason: Reason;
  readonly message: string;
}

/** One thing for the owner of the object to mend. */
export interface VerdictProblem {
  readonly field: string;
  readonly reason: AcceptedReason | ResolvedRefsReason;
  readonly message: string;
}

/** What became of one object. */
export interface Verdict {
  readonly ref: ObjectRef;
  readonly file?: string;
  readonly conditions: readonly Condition[];
  readonly problems: readonly VerdictProblem[];
}

/** Texts of several problems as one message of bounded length. */
export function summary(problems: readonly { readonly field: string; readonly message: string }[]): string {
  const texts = problems.slice(0, 3).map(({ field, message }) => `${field} ${message}`.trim());
  if (problems.length > 3) texts.push(`and ${problems.length - 3} more`);
  return texts.join("; ");
}
